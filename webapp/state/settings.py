"""Settings of the web server, from ``LABLR_*`` environment variables."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from werkzeug.security import check_password_hash

from lablr.errors import LablrError
from webapp.state.values import BadValue, Kind, number, text, value, whole

__all__ = ["SettingError", "Settings"]

MIN_SECRET = 32


class SettingError(LablrError):
    """A setting whose value cannot be used; the message names it and its form."""

    code = "setting_error"


def _token(given: str) -> str:
    # what a header carries unchanged
    if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", given):
        raise ValueError
    return given


def _raters(given: str) -> tuple[tuple[str, str | None], ...]:
    """Parse ``ann,bob`` or ``ann:HASH,bob:HASH``; Werkzeug's hashes hold no comma."""
    found: dict[str, str | None] = {}
    for part in given.split(","):
        name, colon, kept = (word.strip() for word in part.partition(":"))
        # a password that is not hashed would be one that everybody reads here
        if not name or (colon and not kept.startswith(("scrypt:", "pbkdf2:"))):
            raise ValueError
        if kept:
            check_password_hash(kept, "")  # ValueError: an unreadable hash
        found[name] = kept or None
    return tuple(found.items())


def _long(given: str) -> str:
    if len(given) < MIN_SECRET:
        raise ValueError
    return given


FOLDER = text("a folder")
SECONDS = number(0, 600, "a number of seconds")
PROXY = Kind(
    lambda given: str(ipaddress.ip_address(given)),
    "the address of one proxy, such as 127.0.0.1",
    {},
)
TOKEN = Kind(_token, "printable ASCII, no space at its ends", {})
RATERS = Kind(_raters, "names, or NAME:HASH of a password, between commas", {})
SECRET = Kind(_long, f"a secret of at least {MIN_SECRET} characters", {})


@dataclass(frozen=True)
class Settings:
    """The choices of whoever runs the server.

    bundle : folder of the model; None is ``LABLR_BUNDLE`` or the bundled model.
    max_running : photos that are worked on at the same time.
    max_waiting : photos that may wait for their turn; the next one is refused.
    max_wait_s : seconds that a photo waits before it is refused.
    reload_s : seconds between two checks of the bundle's folder; 0 is never.
    max_body_memory_mib : memory for the bodies of all requests together, MiB.
    max_upload_s : seconds from the first byte of a request to its last.
    trusted_proxy : address of the proxy whose X-Forwarded-For is believed.
    api_token : the token that every use of the model needs; None: no token.
    rate_limit : photos that one client may send a minute; 0: any number.
    database : of predictions and judgements; None: judging is off.
    desk : the folder whose photos the desk tags, "-" for one of dropped photos only;
        None: the desk is off.
    index : the folder of an index of photos; None: searching is off.
    photos : the folder outside of which no photo is shown for judging.
    raters : who may judge, each with the hash of a password or None.
    secret_key : the key that signs the raters' cookies; None: a file's.
    """

    bundle: str | None = value(FOLDER, None)
    max_running: int = value(whole(1, 1000), os.cpu_count() or 2)
    max_waiting: int = value(whole(0, 1000), 16)
    max_wait_s: float = value(SECONDS, 10.0)
    reload_s: float = value(SECONDS, 2.0)
    max_body_memory_mib: int = value(whole(16, 1 << 20, "a whole number of MiB"), 256)
    max_upload_s: float = value(SECONDS, 300.0)
    trusted_proxy: str | None = value(PROXY, None)
    api_token: str | None = value(TOKEN, None, is_secret=True)
    rate_limit: int = value(whole(0, 1_000_000, "a whole number of photos"), 0)
    database: str | None = value(text("a file, or a database's URL"), None, True)
    desk: str | None = value(text("a folder, or -"), None)
    index: str | None = value(text("a folder that lablr index wrote"), None)
    photos: str | None = value(FOLDER, None)
    raters: tuple[tuple[str, str | None], ...] = value(RATERS, (), is_secret=True)
    secret_key: str | None = value(SECRET, None, is_secret=True)

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Settings:
        """Read each setting from `config` or, failing that, the environment.

        Raises `SettingError` for a value that is not of its form.
        """
        given: dict[str, Any] = {}
        for one in fields(cls):
            name, kind = one.name.upper(), one.metadata["kind"]
            found = config.get(name, os.environ.get(f"LABLR_{name}"))
            if found is None or found == "":
                continue
            is_number = kind.schema.get("type") in ("integer", "number")
            words = str(found).strip() if is_number else str(found)
            try:
                given[one.name] = kind.read(
                    f"LABLR_{name}", words, one.metadata["is_secret"]
                )
            except BadValue as error:
                raise SettingError(str(error)) from None
        return cls(**given)
