"""The bot from its start to its stop; the file that wires the others."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from telegram import Bot
from telegram.error import InvalidToken, TelegramError

from lablr.bot.commands import COMMANDS
from lablr.bot.conversation import MALFORMED, Conversation
from lablr.bot.dedup import Answered
from lablr.bot.dispatch import ALLOWED_UPDATES, Dispatcher
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

__all__ = ["GRACE_S", "run_bot"]

GRACE_S = 20.0  # for what is being answered when the bot is stopped
MAX_CONNECTIONS = 16  # from Telegram to the webhook

Forever = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class _Clients:
    """The transports, by what comes through them."""

    answers: Transport
    updates: Transport
    bodies: Transport


async def run_bot(
    settings: BotSettings,
    tagger: Tagger,
    stop: asyncio.Event,
    on_ready: Callable[[str], object] = lambda said: None,
    pause: Pause = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Answer photos on Telegram until ``stop`` is set.

    on_ready : told, in words, as whom and where the bot answers.
    pause : waits between attempts; clock : seconds that the rate limit counts.

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
    async with AsyncExitStack() as stack:
        clients = _clients(tagger, pause)
        stack.push_async_callback(clients.bodies.shutdown)
        bot = Bot(
            settings.token,
            base_url=settings.api_url,
            base_file_url=settings.file_url,
            request=clients.answers,
            get_updates_request=clients.updates,
        )
        stack.push_async_callback(bot.shutdown)
        await _introduce(bot)
        looking = Inference(tagger)
        stack.callback(looking.close)
        files = Files(bot, clients.answers, clients.bodies, tagger.limits)
        share = settings.rate_limit
        limit = RateLimit(share, clock=clock) if share else None
        answered = Answered(settings.state)
        dispatcher = Dispatcher(
            Conversation(bot, files, looking, answered, limit).handle
        )
        if settings.webhook is None:
            receiving = _polled(bot, clients, dispatcher, pause)
        else:
            receiving = _called(settings, settings.webhook, secret, bot, dispatcher)
        async with receiving as (where, forever):
            on_ready(f"answering as @{bot.username}{where}")
            await forever()


async def _introduce(bot: Bot) -> None:
    """Learn the bot's own name and show its menu of commands.

    Raises BotError for an answer that is none of the Bot API's.
    """
    try:
        await bot.initialize()
    except MALFORMED:
        raise BotError("the Bot API's answer to getMe is not understood") from None
    with suppress(TelegramError):  # it works without
        await bot.set_my_commands(COMMANDS)


def _clients(tagger: Tagger, pause: Pause) -> _Clients:
    return _Clients(
        answers=Transport(pause=pause),
        updates=Transport(read_s=POLL_S + 10, total_s=POLL_S + 20, pause=pause),
        bodies=Transport(max_bytes=tagger.limits.max_bytes, pause=pause),
    )


@asynccontextmanager
async def _polled(
    bot: Bot, clients: _Clients, dispatcher: Dispatcher, pause: Pause
) -> AsyncIterator[tuple[str, Forever]]:
    # while a webhook is set there is no polling; what waits for it is kept
    await bot.delete_webhook(drop_pending_updates=False)
    polling = Polling(bot, clients.updates, dispatcher, pause)
    try:
        yield "", polling.run
    finally:
        await dispatcher.settle(GRACE_S)
        await polling.confirm()


@asynccontextmanager
async def _called(
    settings: BotSettings, url: str, secret: str, bot: Bot, dispatcher: Dispatcher
) -> AsyncIterator[tuple[str, Forever]]:
    webhook = Webhook(url, secret, settings.host, settings.port, bot, dispatcher)
    try:
        webhook.start()
        await bot.set_webhook(
            url,
            secret_token=secret,
            allowed_updates=ALLOWED_UPDATES,
            max_connections=MAX_CONNECTIONS,
        )
        where = f", called on {settings.host} port {webhook.port}"
        yield where, asyncio.Event().wait
    finally:
        # it stays set: what comes meanwhile, Telegram brings after the next start
        webhook.stop_listening()
        await dispatcher.settle(GRACE_S)
        await webhook.close()
