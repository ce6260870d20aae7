"""The API key and secret: from the environment or a private file, never shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lablr.errors import DownloadError
from lablr.system.private_file import read_private

KEY, SECRET = "LABLR_FLICKR_KEY", "LABLR_FLICKR_SECRET"
FILE = "LABLR_FLICKR_CREDENTIALS"
_HOW = (
    f"set {KEY} and {SECRET}, or write the lines 'key = ...' and 'secret = ...' to a "
    "file of mode 600"
)


@dataclass(frozen=True)
class Credentials:
    """An application's key and secret at Flickr; its ``repr`` shows neither."""

    key: str = field(repr=False)
    secret: str = field(repr=False)

    def hidden_in(self, text: str) -> str:
        """Return a text from outside without the key and the secret."""
        return text.replace(self.key, "***").replace(self.secret, "***")


def read_credentials(
    environment: Mapping[str, str] | None = None, file: Path | None = None
) -> Credentials:
    """Return the key and secret of the environment, or of a file of mode 600.

    The file is ``file``, else what LABLR_FLICKR_CREDENTIALS names, else
    ``~/.config/lablr/flickr``. Raises DownloadError when there are none, or when the
    file may be read by others.
    """
    environment = os.environ if environment is None else environment
    if file is None and environment.get(KEY) and environment.get(SECRET):
        return _checked(environment[KEY], environment[SECRET], "the environment")
    named = environment.get(FILE)
    path = file or Path(named or "~/.config/lablr/flickr").expanduser()
    if not (file or named or path.exists()):
        raise DownloadError(f"no Flickr API key: {_HOW} ({path}, or name it in {FILE})")
    values: dict[str, str] = {}
    for line in read_private(path, DownloadError).splitlines():
        name, _, value = line.partition("=")
        values[name.strip()] = value.strip()
    return _checked(values.get("key", ""), values.get("secret", ""), str(path))


def _checked(key: str, secret: str, place: str) -> Credentials:
    for name, text in (("key", key), ("secret", secret)):
        if not (text.isascii() and text.isalnum()):
            raise DownloadError(f"{place}: the Flickr API {name} is missing; {_HOW}")
    return Credentials(key, secret)
