"""A polite session with Flickr's API, over flickrapi.

flickrapi signs and parses; what it lacks is here: time-outs, a bound on answers,
retries, Retry-After, the hourly limit, another base URL. Its walkers call
``Element.getchildren``, gone since Python 3.9, so pages are asked for one by one.
Source: https://www.flickr.com/services/api/
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any

from lablr.errors import DownloadError, MissingExtra
from lablr.flickr.credentials import Credentials
from lablr.flickr.pace import Pace
from lablr.flickr.retries import (
    Fault,
    Retries,
    Timeouts,
    check_status,
    network_faults,
    read_body,
)

if TYPE_CHECKING:
    import requests

__all__ = ["FlickrSession", "flickr_url"]

URL = "https://api.flickr.com"
MAX_ANSWER_BYTES = 32 << 20
# "Not currently available" in the words of several methods, and a failed write.
TRANSIENT_CODES = {"0", "10", "105", "106", "201"}
# They log keys and signatures at DEBUG.
INDISCREET_LOGGERS = ("flickrapi", "oauthlib", "requests_oauthlib")


def flickr_url() -> str:
    """Return where Flickr's API is: LABLR_FLICKR_URL, else Flickr itself."""
    url = os.environ.get("LABLR_FLICKR_URL", "").rstrip("/") or URL
    if not url.startswith(("http://", "https://")):
        raise DownloadError("LABLR_FLICKR_URL: expected http:// or https://")
    return url


class FlickrSession:
    """Calls Flickr; ``n_calls`` counts every attempt, as Flickr does."""

    def __init__(
        self,
        credentials: Credentials,
        pace: Pace,
        retries: Retries | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        try:
            import flickrapi
            import requests
        except ModuleNotFoundError as error:
            raise MissingExtra("train", "download photos from Flickr") from error
        for name in INDISCREET_LOGGERS:
            logging.getLogger(name).setLevel(logging.WARNING)
        self._credentials, self._pace = credentials, pace
        self._retries = retries or Retries()
        self._timeouts = timeouts or Timeouts()
        self.n_calls = 0
        self._api = flickrapi.FlickrAPI(
            credentials.key,
            credentials.secret,
            format="parsed-json",
            store_token=False,
            timeout=(self._timeouts.connect_s, self._timeouts.read_s),
        )
        self._api.REST_URL = flickr_url() + "/services/rest/"
        session = requests.Session()
        session.hooks["response"].append(self._take)
        self._api.flickr_oauth.session = session

    @property
    def stop(self) -> threading.Event:
        """Set it to end every wait."""
        return self._retries.stop

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Return Flickr's answer to a method, ``{"stat": "ok", ...}``.

        Raises DownloadError when Flickr refuses, or does not answer in the end.
        """
        try:
            return self._retries.run(lambda: self._attempt(method, parameters))
        except Fault as fault:
            raise DownloadError(
                f"Flickr does not answer ({fault.reason}); run the same again later"
            ) from fault

    def _attempt(self, method: str, parameters: dict[str, object]) -> dict[str, Any]:
        from flickrapi.exceptions import FlickrError

        self._pace.wait()
        self.n_calls += 1
        try:
            with network_faults():
                answer = self._api.do_flickr_call(method, **parameters)
        except FlickrError as error:
            if str(error.code) in TRANSIENT_CODES:
                raise Fault(f"stat=fail {error.code}") from error
            said = self._credentials.hidden_in(str(error))
            raise DownloadError(f"Flickr refuses {method}: {said}") from None
        except (ValueError, KeyError, AttributeError, RecursionError) as error:
            raise Fault("an answer that is no JSON") from error
        if not isinstance(answer, dict):
            raise Fault("an answer that is no JSON")
        return answer

    def _take(self, response: requests.Response, **_: object) -> None:
        """Check an answer and read its body, before requests does so unbounded."""
        check_status(response)
        body = read_body(response, MAX_ANSWER_BYTES, self._timeouts.total_s)
        # Where requests keeps what it has read; it has no public way to say so.
        response._content = body
        response._content_consumed = True
