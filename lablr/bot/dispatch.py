"""The updates under way: read, started and settled, never more than a number."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from telegram import Bot, Update

log = logging.getLogger("lablr.bot")

ALLOWED_UPDATES = ("message",)
MAX_INSIDE = 64


def read_update(raw: Any, bot: Bot) -> tuple[int, Update | None]:
    """Return an update's number and the update; None for a malformed one.

    Raises ValueError when even the number is missing.
    """
    number = raw.get("update_id") if isinstance(raw, dict) else None
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise ValueError("an update without a number")
    try:
        return number, Update.de_json(raw, bot)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        log.warning("update %d cannot be read (%s)", number, type(error).__name__)
        return number, None


class Dispatcher:
    """Runs a handler for each update; a failure is logged and stops no other."""

    def __init__(self, handle: Callable[[Update], Awaitable[None]]) -> None:
        self._handle = handle
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def room(self) -> int:
        """Return how many more updates may be started."""
        return MAX_INSIDE - len(self._tasks)

    def start(self, update: Update) -> asyncio.Task[None]:
        """Start to answer an update."""
        task = asyncio.create_task(self._run(update))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def wait_for_room(self) -> None:
        """Wait until there is room for an update."""
        while self.room <= 0:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def settle(self, grace_s: float) -> None:
        """Wait at most `grace_s` for the updates under way, then cancel the rest."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=grace_s)
        for task in late:
            task.cancel()
        if late:
            log.warning("%d messages were not answered before the stop", len(late))
            await asyncio.gather(*late, return_exceptions=True)

    async def _run(self, update: Update) -> None:
        try:
            await self._handle(update)
        except Exception:  # a defect; the other updates go on
            log.exception("update %d could not be answered", update.update_id)
