"""Long polling: Telegram holds a request until there are updates."""

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

log = logging.getLogger("lablr.bot")

POLL_S = 50  # how long Telegram holds a request when there is nothing new
BATCH_S = 10.0
MAX_BATCH = 32
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
CONFIRM_S = 5.0


class Polling:
    """Fetches updates, and confirms to Telegram those that are answered.

    Telegram repeats an update until a later number is asked for. `Polling` asks once
    the batch is answered, so a process that is killed gets its updates again, or
    after `BATCH_S`, so that one slow photo does not hold up the others.

    The library's `Updater` confirms a batch before it is answered, asks forever for
    one that it cannot parse, and goes on when the token is refused.
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

    async def start(self) -> str:
        """Remove a webhook, which would rule polling out; returns ``""``."""
        await self._bot.delete_webhook(drop_pending_updates=False)
        return ""

    async def run(self) -> None:
        """Poll until cancelled; raises BotError when the token is refused."""
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

    def stop_listening(self) -> None:
        """Do nothing: once `run` is cancelled, no update arrives."""

    async def close(self) -> None:
        """Confirm the updates answered last, if Telegram can be reached."""
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
