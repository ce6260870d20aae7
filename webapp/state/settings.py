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
from webapp.state.values import Kind, number, value, whole

__all__ = ["SettingError", "Settings"]

MIN_SECRET = 32


class SettingError(LablrError):
    """A setting whose value cannot be used; the message names it and its form."""

    code = "setting_error"


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("give the address of one proxy, such as 127.0.0.1") from None


def _token(text: str) -> str:
    # what a header carries unchanged
    if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", text):
        raise ValueError
    return text


def _raters(text: str) -> tuple[tuple[str, str | None], ...]:
    """Parse ``ann,bob`` or ``ann:HASH,bob:HASH``; Werkzeug's hashes hold no comma."""
    found: dict[str, str | None] = {}
    for part in text.split(","):
        name, colon, kept = (word.strip() for word in part.partition(":"))
        # a password that is not hashed would be one that everybody reads here
        if not name or (colon and not kept.startswith(("scrypt:", "pbkdf2:"))):
            raise ValueError
        if kept:
            check_password_hash(kept, "")  # ValueError: an unreadable hash
        found[name] = kept or None
    return tuple(found.items())


def _long(text: str) -> str:
    if len(text) < MIN_SECRET:
        raise ValueError
    return text


SECONDS = number(0, 600, "a number of seconds")


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

    bundle: str | None = value(None, Kind(str, "a folder"))
    max_running: int = value(os.cpu_count() or 2, whole(1, 1000))
    max_waiting: int = value(16, whole(0, 1000))
    max_wait_s: float = value(10.0, SECONDS)
    reload_s: float = value(2.0, SECONDS)
    max_body_memory_mib: int = value(256, whole(16, 1 << 20, "a whole number of MiB"))
    max_upload_s: float = value(300.0, SECONDS)
    trusted_proxy: str | None = value(None, Kind(_address, "a proxy's address"))
    api_token: str | None = value(
        None, Kind(_token, "printable ASCII, no space at its ends"), is_secret=True
    )
    rate_limit: int = value(0, whole(0, 1_000_000, "a whole number of photos"))
    database: str | None = value(None, Kind(str, "a file or a URL"), is_secret=True)
    desk: str | None = value(None, Kind(str, "a folder, or -"))
    index: str | None = value(None, Kind(str, "a folder that lablr index wrote"))
    photos: str | None = value(None, Kind(str, "a folder"))
    raters: tuple[tuple[str, str | None], ...] = value(
        (),
        Kind(_raters, "names, or NAME:HASH of a password, between commas"),
        is_secret=True,
    )
    secret_key: str | None = value(
        None,
        Kind(_long, f"a secret of at least {MIN_SECRET} characters"),
        is_secret=True,
    )

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Settings:
        """Read each setting from `config` or, failing that, the environment.

        Raises `SettingError` for a value that is not of its form.
        """
        given: dict[str, Any] = {}
        for one in fields(cls):
            name, kind = f"LABLR_{one.name.upper()}", one.metadata["kind"]
            found = config.get(one.name.upper(), os.environ.get(name))
            text = "" if found is None else str(found)
            if "type" in kind.schema:  # a number; spaces around it do no harm
                text = text.strip()
            if text:
                try:
                    given[one.name] = kind.read(name, text, one.metadata["is_secret"])
                except ValueError as error:
                    raise SettingError(str(error)) from None
        return cls(**given)
