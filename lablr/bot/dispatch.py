"""Updates that came in, and those being answered, never more than a number."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from telegram import Bot, Update

__all__ = ["ALLOWED_UPDATES", "Dispatcher", "read_update"]

log = logging.getLogger("lablr.bot")

ALLOWED_UPDATES = ("message",)
MAX_INSIDE = 64


def read_update(raw: Any, bot: Bot) -> tuple[int, Update | None]:
    """Return an update's number and the update; None for one of a wrong shape.

    Raises ValueError when there is not even a number.
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
    """Runs a handler for each update; a failed one is logged and does not spread."""

    def __init__(
        self, handle: Callable[[Update], Awaitable[None]], most: int = MAX_INSIDE
    ) -> None:
        self._handle = handle
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def room(self) -> int:
        """How many more updates may come in."""
        return self._most - len(self._tasks)

    def start(self, update: Update) -> asyncio.Task[None]:
        """Begin to answer an update."""
        task = asyncio.create_task(self._run(update))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def wait_for_room(self) -> None:
        """Return once there is room for an update."""
        while self.room <= 0:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def settle(self, grace_s: float) -> None:
        """Let what is under way end, for so many seconds; what is not is dropped."""
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
