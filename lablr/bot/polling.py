"""Long polling: Telegram is asked for updates, and answers when there are some."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from typing import Any

from telegram import Bot
from telegram.error import InvalidToken, TelegramError

from lablr.bot.dispatch import ALLOWED_UPDATES, Dispatcher, read_update
from lablr.bot.transport import Pause, Transport
from lablr.errors import BotError

__all__ = ["POLL_S", "Polling"]

log = logging.getLogger("lablr.bot")

POLL_S = 50  # Telegram holds its answer so long when there is nothing to tell
BATCH_S = 10.0
MAX_BATCH = 32
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
CONFIRM_S = 5.0


class Polling:
    """Takes updates in and tells Telegram which are done with.

    Telegram brings an update again until a later number is asked for. That is done
    when the batch is answered, so a process that is killed gets its updates again;
    after `BATCH_S` it is done anyway, lest one slow photo keep all others waiting.

    The library's `Updater` confirms a batch before it is answered, asks for one that
    it cannot read over and over, and goes on when the token is refused.
    """

    def __init__(
        self,
        bot: Bot,
        transport: Transport,
        dispatcher: Dispatcher,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._bot, self._transport, self._dispatcher = bot, transport, dispatcher
        self._pause = pause
        self._next = 0  # the number that confirms all before it

    async def run(self) -> None:
        """Go on until cancelled; raises BotError when the token is refused."""
        wait_s = FIRST_WAIT_S
        while True:
            try:
                await self._batch()
                wait_s = FIRST_WAIT_S
            except InvalidToken:  # whose message may repeat it
                raise BotError("the Bot API refuses the token") from None
            except (TelegramError, ValueError) as error:
                log.warning("no updates (%s); again in %g s", error, wait_s)
                await self._pause(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def confirm(self) -> None:
        """Tell Telegram what is done with, if it listens; for the end."""
        if self._next:
            with suppress(TelegramError, asyncio.TimeoutError):
                await asyncio.wait_for(self._ask(limit=1, timeout=0), CONFIRM_S)

    async def _batch(self) -> None:
        await self._dispatcher.wait_for_room()
        limit = min(self._dispatcher.room, MAX_BATCH)
        found = await self._ask(limit, POLL_S)
        if not isinstance(found, list):
            raise ValueError("the answer is no list")
        tasks = []
        for raw in found[:limit]:
            number, update = read_update(raw, self._bot)
            self._next = max(self._next, number + 1)
            if update is not None:
                tasks.append(self._dispatcher.start(update))
        if tasks:
            await asyncio.wait(tasks, timeout=BATCH_S)

    async def _ask(self, limit: int, timeout: int) -> Any:
        return await self._transport.call(
            f"{self._bot.base_url}/getUpdates",
            offset=self._next,
            limit=limit,
            timeout=timeout,
            allowed_updates=json.dumps(ALLOWED_UPDATES),
        )
