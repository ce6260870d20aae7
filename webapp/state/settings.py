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

MIN_SECRET = 32


class SettingError(LablrError):
    """A setting whose value cannot be used; the message names it and its form."""

    code = "setting_error"


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
            try:
                check_password_hash(kept, "")
            except ValueError:  # an unreadable hash, of which nothing is repeated
                raise ValueError from None
        found[name] = kept or None
    return tuple(found.items())


def _long(text: str) -> str:
    if len(text) < MIN_SECRET:
        raise ValueError
    return text


SECONDS = number(0, 600, "a number of seconds")


@dataclass(frozen=True)
class Settings:
    """The choices of whoever runs the server; docs/serve.md lists them."""

    bundle: str | None = value(
        None,
        Kind(str, "a folder"),
        "The model's; None: LABLR_BUNDLE or the bundled one.",
    )
    max_running: int = value(
        os.cpu_count() or 2, whole(1, 1000), "Photos that are worked on at a time."
    )
    max_waiting: int = value(16, whole(0, 1000), "More are refused at once.")
    max_wait_s: float = value(10.0, SECONDS, "A photo that waits longer is refused.")
    reload_s: float = value(2.0, SECONDS, "Between two checks for a newer model.")
    max_body_memory_mib: int = value(
        256, whole(16, 1 << 20, "a whole number of MiB"), "Of all requests together."
    )
    max_upload_s: float = value(
        300.0, SECONDS, "From a request's first byte to its last."
    )
    trusted_proxy: str | None = value(
        None,
        Kind(lambda text: str(ipaddress.ip_address(text)), "an address"),
        "Its X-Forwarded-For is believed.",
    )
    api_token: str | None = value(
        None,
        Kind(_token, "printable ASCII, no space at its ends"),
        "Every use of the model needs it.",
        is_secret=True,
    )
    rate_limit: int = value(
        0, whole(0, 1_000_000, "a whole number of photos"), "Of one client, a minute."
    )
    database: str | None = value(
        None,
        Kind(str, "a file or a URL"),
        "Of predictions and judgements.",
        is_secret=True,
    )
    desk: str | None = value(
        None, Kind(str, "a folder, or -"), 'Photos to tag; "-": dropped photos only.'
    )
    index: str | None = value(
        None, Kind(str, "a folder that lablr index wrote"), "Photos to search."
    )
    photos: str | None = value(
        None, Kind(str, "a folder"), "No photo outside it is shown for judging."
    )
    raters: tuple[tuple[str, str | None], ...] = value(
        (),
        Kind(_raters, "names, or NAME:HASH of a password, between commas"),
        "Who may judge; empty: whoever is on this machine.",
        is_secret=True,
    )
    secret_key: str | None = value(
        None,
        Kind(_long, f"a secret of at least {MIN_SECRET} characters"),
        "Signs the raters' cookies; None: a file's.",
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
                    shown = "what it is" if one.metadata["is_secret"] else repr(text)
                    given[one.name] = kind.read(name, text, f", not {shown}")
                except ValueError as error:
                    raise SettingError(str(error)) from None
        return cls(**given)
