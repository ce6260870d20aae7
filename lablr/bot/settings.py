"""The bot's settings, and where its token and state file are found."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from lablr.errors import BotError
from lablr.system.private_file import read_private

TOKEN, TOKEN_FILE = "LABLR_BOT_TOKEN", "LABLR_BOT_TOKEN_FILE"
TELEGRAM_URL = "https://api.telegram.org"
TOKEN_FORM = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{30,100}")
_HOW = f"set {TOKEN}, or write the token to a file of mode 600"


@dataclass(frozen=True)
class BotSettings:
    """The settings of a bot; their ``repr`` does not show the token.

    base_url : of the Bot API, up to ``/bot``.
    webhook : the public address Telegram sends updates to; None is long polling.
    host, port : where the webhook listens; port 0 lets the system choose.
    rate_limit : photos a minute from one chat; 0 is no limit.
    state : the file of the updates that were answered; None keeps them in memory.
    """

    token: str = field(repr=False)
    base_url: str = TELEGRAM_URL
    webhook: str | None = None
    host: str = "127.0.0.1"
    port: int = 8443
    rate_limit: int = 20
    state: Path | None = None

    def __post_init__(self) -> None:
        """Refuse addresses that cannot work; raises BotError."""
        checked_url("the Bot API", self.base_url)
        if self.webhook is not None:
            checked_url("the webhook", self.webhook)

    @property
    def api_url(self) -> str:
        """The address of a method, up to the token."""
        return f"{self.base_url.rstrip('/')}/bot"

    @property
    def file_url(self) -> str:
        """The address of a file, up to the token."""
        return f"{self.base_url.rstrip('/')}/file/bot"


def checked_url(what: str, url: str) -> str:
    """Return an ``http(s)://`` address without user, query or fragment.

    Raises BotError, which does not repeat the address: it might hold a password.
    """
    try:
        parts = urlsplit(url)
        is_good = (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0  # reading it raises ValueError for letters
            and not (parts.username or parts.password or parts.query or parts.fragment)
            and url.isascii()
            and url.isprintable()
            and " " not in url
        )
    except ValueError:
        is_good = False
    if not is_good:
        raise BotError(
            f"the address of {what} must be like https://example.org/path, without a "
            "user name, '?' or '#'"
        )
    return url


def read_token(file: Path | None = None) -> str:
    """Return the bot's token, from the environment or from a file of mode 600.

    The file is ``file``, else what LABLR_BOT_TOKEN_FILE names, else
    ``~/.config/lablr/bot``. Raises BotError, which does not repeat the token, when
    there is none, when it has not the form of a token or when others may read the file.
    """
    if file is None and os.environ.get(TOKEN):
        return _checked_token(os.environ[TOKEN], TOKEN)
    named = os.environ.get(TOKEN_FILE)
    path = file or Path(named or "~/.config/lablr/bot").expanduser()
    if not (file or named or path.exists()):
        raise BotError(f"no bot token: {_HOW} ({path}, or name it in {TOKEN_FILE})")
    return _checked_token(read_private(path, BotError), str(path))


def _checked_token(text: str, place: str) -> str:
    token = text.strip()
    if not TOKEN_FORM.fullmatch(token):
        raise BotError(f"{place}: this is not the token of a bot (123456:ABC...)")
    return token


def state_file(bot_id: str) -> Path:
    """Return the default place of the list of answered updates."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "lablr" / f"bot-{bot_id}"
