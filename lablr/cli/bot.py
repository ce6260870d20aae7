"""``lablr bot``: tags for photos, on Telegram."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lablr.cli.blas import use_one_blas_thread
from lablr.cli.messages import print_message, shown
from lablr.cli.options import (
    bundle_option,
    from_environment,
)
from lablr.errors import MissingExtra

if TYPE_CHECKING:
    from lablr.bot.settings import BotSettings

__all__ = ["bot_command"]

EXTRA = {"httpx", "telegram", "tornado"}


@click.command("bot")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The bot's token, in a file of mode 600.",
)
@from_environment(
    "LABLR_BOT_WEBHOOK",
    "--webhook",
    metavar="URL",
    help="The public address for Telegram to call; without it, the bot polls.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address on which the webhook listens.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8443,
    show_default=True,
    help="Port on which the webhook listens; 0 lets the system choose a free one.",
)
@from_environment(
    "LABLR_BOT_RATE_LIMIT",
    "--rate-limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Photos a minute from one chat; 0 is no limit.",
)
@from_environment(
    "LABLR_BOT_STATE",
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File of the updates answered last, so that none is answered twice.  "
    "[default: ~/.local/state/lablr/bot-ID]",
)
@from_environment(
    "LABLR_BOT_URL",
    "--base-url",
    metavar="URL",
    default="https://api.telegram.org",
    show_default=True,
    help="Another server of the Bot API.",
)
@bundle_option
def bot_command(
    token_file: Path | None,
    webhook: str | None,
    host: str,
    port: int,
    rate_limit: int,
    state: Path | None,
    base_url: str,
    bundle: Path | None,
) -> None:
    """Answer photos on Telegram with tags and the latent map, until Ctrl-C.

    The token comes from LABLR_BOT_TOKEN, or from a file of mode 600: the one named
    here or in LABLR_BOT_TOKEN_FILE, else ~/.config/lablr/bot. docs/bot.md says how to
    get one.

    \b
    Examples:
      lablr bot
      lablr bot --webhook https://lablr.example.org/telegram --port 8443
    """
    use_one_blas_thread()
    from lablr.bot.settings import BotSettings, read_token, state_file

    token = read_token(token_file)
    settings = BotSettings(
        token=token,
        base_url=base_url,
        webhook=webhook,
        host=host,
        port=port,
        rate_limit=rate_limit,
        state=state or state_file(token.partition(":")[0]),
    )
    _run(settings, bundle)


def _run(settings: BotSettings, bundle: Path | None) -> None:
    try:
        from lablr.bot.running import run_bot
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in EXTRA:
            raise
        raise MissingExtra("bot", "answer on Telegram") from error
    from lablr.ranking.tagger import Tagger

    tagger = Tagger.load(bundle)

    async def run() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await run_bot(
            settings,
            tagger,
            stop,
            lambda said: print_message(f"{shown(said)} (stop with Ctrl-C)"),
        )

    asyncio.run(run())
