"""Pictures from Flickr's hosts: bounded in size, and decoded before they count."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from lablr.errors import MissingExtra, PhotoError
from lablr.flickr.retries import (
    Fault,
    Retries,
    Timeouts,
    check_status,
    network_faults,
    read_body,
)
from lablr.photos import FOLDER_LIMITS, PhotoLimits, read_image

MAX_REDIRECTS = 5
# Small enough for a JPEG to be decoded quickly, and decoded to its end.
CHECKED_SIZE = 64
_SIGNATURES = {b"\x89PNG": ".png", b"GIF8": ".gif", b"RIFF": ".webp"}


@dataclass(frozen=True)
class Picture:
    """The bytes of a photo as they came, and the suffix that fits them."""

    content: bytes
    suffix: str

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of the bytes, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


class Pictures:
    """Fetches pictures; any number of threads may do so at once."""

    def __init__(
        self,
        retries: Retries | None = None,
        timeouts: Timeouts | None = None,
        limits: PhotoLimits = FOLDER_LIMITS,
        n_threads: int = 16,
    ) -> None:
        try:
            import requests
        except ModuleNotFoundError as error:
            raise MissingExtra("flickr", "download photos from Flickr") from error
        self._retries = retries or Retries()
        self._timeouts = timeouts or Timeouts()
        self._limits = limits
        self._http = requests.Session()
        self._http.max_redirects = MAX_REDIRECTS
        self._http.headers["Accept-Encoding"] = "identity"
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=n_threads)
        for scheme in ("http://", "https://"):
            self._http.mount(scheme, adapter)

    @property
    def stop(self) -> threading.Event:
        """Set it to end every wait."""
        return self._retries.stop

    def fetch(self, url: str) -> Picture:
        """Return the photo at an address; raises Fault after the last attempt."""
        if not url:
            raise Fault("no picture address", transient=False, is_content=True)
        return self._retries.run(lambda: self._attempt(url))

    def _attempt(self, url: str) -> Picture:
        times = self._timeouts
        with (
            network_faults(),
            self._http.get(
                url, stream=True, timeout=(times.connect_s, times.read_s)
            ) as response,
        ):
            if "photo_unavailable" in urlsplit(response.url).path:
                raise Fault("unavailable", transient=False, is_content=True)
            check_status(response)
            if "html" in response.headers.get("Content-Type", "").lower():
                raise Fault("HTML", is_content=True)
            content = read_body(response, self._limits.max_bytes, times.total_s)
        suffix = _SIGNATURES.get(content[:4], ".jpg")
        # Flickr's own "no longer available" is a PNG, also where a JPEG was asked for.
        asked = PurePosixPath(urlsplit(url).path).suffix.lower()
        if suffix == ".png" and asked in (".jpg", ".jpeg"):
            raise Fault("unavailable", transient=False, is_content=True)
        try:
            read_image(content, CHECKED_SIZE, self._limits)
        except PhotoError as error:
            raise Fault(error.code.replace("_", " "), is_content=True) from error
        return Picture(content, suffix)
