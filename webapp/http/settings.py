"""Settings of the web server, from ``LABLR_*`` environment variables."""

from __future__ import annotations

import ipaddress
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from werkzeug.security import check_password_hash

from lablr.errors import LablrError

__all__ = ["SettingError", "Settings"]


# Settings whose value no message shows.
SECRET = {"API_TOKEN", "DATABASE", "RATERS", "SECRET_KEY"}

MIN_SECRET = 32


class SettingError(LablrError):
    """A setting whose value cannot be used; the message names it and its form."""

    code = "setting_error"


@dataclass(frozen=True)
class Settings:
    """What a person who runs the server may choose.

    bundle : folder of the model; None is ``LABLR_BUNDLE`` or the bundled model.
    max_running : photos that are worked on at the same time.
    max_waiting : photos that may wait for their turn; the next one is refused.
    max_wait_s : seconds that a photo waits before it is refused.
    reload_s : seconds between two looks at the bundle's folder; 0 is never.
    max_body_memory_mib : what the bodies of all requests may hold together, MiB.
    max_upload_s : seconds from the first byte of a request to its last.
    trusted_proxy : address of the proxy whose X-Forwarded-For is believed.
    api_token : what every use of the model has to bring; None asks for nothing.
    rate_limit : photos that one client may send a minute; 0 is as many as it likes.
    database : of predictions and judgements; None: judging is off.
    desk : the folder whose photos the desk tags, "-" for one of dropped photos only;
        None: the desk is off.
    index : the folder of an index of photos; None: searching is off.
    photos : the folder outside of which no photo is shown for judging.
    raters : who may judge, each with the hash of a password or None.
    secret_key : what the raters' cookies are signed with; None: a file's.
    """

    bundle: str | None = None
    max_running: int = os.cpu_count() or 2
    max_waiting: int = 16
    max_wait_s: float = 10.0
    reload_s: float = 2.0
    max_body_memory_mib: int = 256
    max_upload_s: float = 300.0
    trusted_proxy: str | None = None
    api_token: str | None = field(default=None, repr=False)
    rate_limit: int = 0
    database: str | None = field(default=None, repr=False)
    desk: str | None = None
    index: str | None = None
    photos: str | None = None
    raters: tuple[tuple[str, str | None], ...] = field(default=(), repr=False)
    secret_key: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Settings:
        """Take each setting from `config` or, failing that, the environment.

        Raises
        ------
        SettingError : a value is not of its form.
        """
        given: dict[str, Any] = {}
        for setting in fields(cls):
            name = setting.name.upper()
            value = config.get(name, os.environ.get(f"LABLR_{name}"))
            if value is not None and value != "":
                given[setting.name] = _parsed(name, value)
        return cls(**given)


def _parsed(name: str, value: object) -> object:
    parse, form = _FORMS[name]
    try:
        return parse(str(value))
    except ValueError:
        found = "what it is" if name in SECRET else repr(value)
        raise SettingError(f"LABLR_{name} must be {form}, not {found}") from None


def _whole(text: str, low: int, high: int = 1000) -> int:
    number = int(text)
    if not low <= number <= high:
        raise ValueError
    return number


def _token(text: str) -> str:
    # what a header carries unchanged
    if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", text):
        raise ValueError
    return text


def _raters(text: str) -> tuple[tuple[str, str | None], ...]:
    """``ann,bob`` or ``ann:HASH,bob:HASH``; Werkzeug's hashes hold no comma."""
    found: dict[str, str | None] = {}
    for part in text.split(","):
        name, colon, kept = (word.strip() for word in part.partition(":"))
        # a password that is not hashed would be one that everybody reads here
        if not name or (colon and not kept.startswith(("scrypt:", "pbkdf2:"))):
            raise ValueError
        if kept:
            check_password_hash(kept, "")  # ValueError: not to be read
        found[name] = kept or None
    return tuple(found.items())


def _long(text: str) -> str:
    if len(text) < MIN_SECRET:
        raise ValueError
    return text


def _seconds(text: str) -> float:
    number = float(text)
    if not (math.isfinite(number) and 0 <= number <= 600):
        raise ValueError
    return number


_FORMS: dict[str, tuple[Callable[[str], object], str]] = {
    "BUNDLE": (str, "a folder"),
    "MAX_RUNNING": (lambda text: _whole(text, 1), "a whole number from 1 to 1000"),
    "MAX_WAITING": (lambda text: _whole(text, 0), "a whole number from 0 to 1000"),
    "MAX_WAIT_S": (_seconds, "a number of seconds from 0 to 600"),
    "RELOAD_S": (_seconds, "a number of seconds from 0 to 600"),
    "MAX_BODY_MEMORY_MIB": (
        lambda text: _whole(text, 16, 1 << 20),
        "a whole number of MiB from 16 to 1048576",
    ),
    "MAX_UPLOAD_S": (_seconds, "a number of seconds from 0 to 600"),
    "TRUSTED_PROXY": (
        lambda text: str(ipaddress.ip_address(text)),
        "the address of one proxy, such as 127.0.0.1",
    ),
    "API_TOKEN": (_token, "printable ASCII, no space at its ends"),
    "DATABASE": (str, "a file, or a database's URL"),
    "DESK": (str, "a folder, or -"),
    "INDEX": (str, "a folder that lablr index wrote"),
    "PHOTOS": (str, "a folder"),
    "RATERS": (_raters, "names, or NAME:HASH of a password, between commas"),
    "SECRET_KEY": (_long, "a secret of at least 32 characters"),
    "RATE_LIMIT": (
        lambda text: _whole(text, 0, 1_000_000),
        "a whole number of photos from 0 to 1000000",
    ),
}
