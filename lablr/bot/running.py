"""The bot from start to stop: the module that wires the others."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress

from telegram import Bot
from telegram.error import InvalidToken, TelegramError

from lablr.bot.commands import COMMANDS
from lablr.bot.conversation import MALFORMED, Conversation
from lablr.bot.dedup import Answered
from lablr.bot.dispatch import Dispatcher
from lablr.bot.fetching import Files
from lablr.bot.inference import Inference
from lablr.bot.polling import POLL_S, Polling
from lablr.bot.redaction import masked, nothing_of, secret_part
from lablr.bot.settings import BotSettings
from lablr.bot.transport import Pause, Transport
from lablr.bot.webhook import Webhook
from lablr.errors import BotError
from lablr.ranking.tagger import Tagger
from lablr.system.rate_limit import RateLimit

GRACE_S = 20.0  # for what is being answered when the bot is stopped


async def run_bot(
    settings: BotSettings,
    tagger: Tagger,
    stop: asyncio.Event,
    on_ready: Callable[[str], object] = lambda said: None,
    pause: Pause = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Answer photos on Telegram until ``stop`` is set.

    on_ready : is told, in words, under which name and where the bot answers.
    pause : waits between attempts; clock : counts seconds for the rate limit.

    Raises BotError when the Bot API refuses the token, cannot be reached at the
    start, or the webhook cannot be listened on.
    """
    secret = secrets.token_urlsafe(32)
    hidden = (secret_part(settings.token), secret)
    with nothing_of(*hidden):
        work = asyncio.create_task(
            _work(settings, tagger, secret, on_ready, pause, clock)
        )
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            work.cancel()
            try:
                with suppress(asyncio.CancelledError):
                    await work
            except InvalidToken:
                raise BotError("the Bot API refuses the token") from None
            except TelegramError as error:
                said = masked(str(error), *hidden)
                # without the chain, which may name the token
                raise BotError(f"the Bot API cannot be used: {said}") from None


async def _work(
    settings: BotSettings,
    tagger: Tagger,
    secret: str,
    on_ready: Callable[[str], object],
    pause: Pause,
    clock: Callable[[], float],
) -> None:
    answers = Transport(pause=pause)
    updates = Transport(read_s=POLL_S + 10, total_s=POLL_S + 20, pause=pause)
    bodies = Transport(max_bytes=tagger.limits.max_bytes, pause=pause)
    bot = Bot(
        settings.token,
        base_url=settings.api_url,
        base_file_url=settings.file_url,
        request=answers,
        get_updates_request=updates,
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(bodies.shutdown)
        stack.push_async_callback(bot.shutdown)
        await _introduce(bot)
        inference = Inference(tagger)
        stack.callback(inference.close)
        share = settings.rate_limit
        conversation = Conversation(
            bot,
            Files(bot, answers, bodies, tagger.limits),
            inference,
            Answered(settings.state),
            RateLimit(share, clock=clock) if share else None,
        )
        dispatcher = Dispatcher(conversation.handle)
        source: Polling | Webhook
        if settings.webhook is None:
            source = Polling(bot, updates, dispatcher, pause)
        else:
            address = (settings.host, settings.port)
            source = Webhook(settings.webhook, secret, address, bot, dispatcher)
        try:
            where = await source.start()
            on_ready(f"answering as @{bot.username}{where}")
            await source.run()
        finally:
            source.stop_listening()
            await dispatcher.settle(GRACE_S)
            await source.close()


async def _introduce(bot: Bot) -> None:
    """Ask for the bot's own name and set its menu of commands.

    Raises BotError for an answer that is none of the Bot API's.
    """
    try:
        await bot.initialize()
    except MALFORMED:
        raise BotError("the Bot API's answer to getMe is not understood") from None
    with suppress(TelegramError):  # the bot works without a menu
        await bot.set_my_commands(COMMANDS)
