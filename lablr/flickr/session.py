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
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lablr.errors import DownloadError, MissingExtra, RefusedByFlickr
from lablr.flickr.account import Account
from lablr.flickr.credentials import Credentials, read_credentials
from lablr.flickr.pace import Pace, pace_file
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

T = TypeVar("T")

URL = "https://api.flickr.com"
MAX_ANSWER_BYTES = 32 << 20
# "Not currently available" in the words of several methods, and a failed write.
TRANSIENT_CODES = {"0", "10", "105", "106", "201"}
KEY_CODES = {"96", "97", "100"}  # an invalid or missing signature, an invalid key
# They log keys and signatures at DEBUG.
INDISCREET_LOGGERS = ("flickrapi", "oauthlib", "requests_oauthlib")


def flickr_url() -> str:
    """Return where Flickr's API is: LABLR_FLICKR_URL, else Flickr itself."""
    url = os.environ.get("LABLR_FLICKR_URL", "").rstrip("/") or URL
    if not url.startswith(("http://", "https://")):
        raise DownloadError("LABLR_FLICKR_URL: expected http:// or https://")
    return url


class FlickrSession:
    """A caller of Flickr's API; ``n_calls`` counts every attempt, as Flickr does.

    With an ``account`` it calls as whoever that is, else as nobody.
    """

    def __init__(
        self,
        credentials: Credentials,
        pace: Pace,
        retries: Retries | None = None,
        timeouts: Timeouts | None = None,
        account: Account | None = None,
    ) -> None:
        try:
            import flickrapi
            import requests
            from flickrapi.auth import FlickrAccessToken
        except ModuleNotFoundError as error:
            raise MissingExtra("flickr", "speak to Flickr") from error
        for name in INDISCREET_LOGGERS:
            logging.getLogger(name).setLevel(logging.WARNING)
        self._credentials, self._pace, self._account = credentials, pace, account
        self._retries = retries or Retries()
        self._timeouts = timeouts or Timeouts()
        self.n_calls = 0
        self._api = flickrapi.FlickrAPI(
            credentials.key,
            credentials.secret,
            token=account and FlickrAccessToken(account.token, account.secret, "write"),
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

    @property
    def oauth(self) -> Any:
        """Return flickrapi's own signer, which also gets tokens."""
        return self._api.flickr_oauth

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Return Flickr's answer to a method, ``{"stat": "ok", ...}``.

        Raises RefusedByFlickr, or DownloadError when no answer comes in the end.
        """
        return self.retrying(lambda: self.call_once(method, **parameters))

    def retrying(self, attempt: Callable[[], T]) -> T:
        """Return what ``attempt`` does, tried again after a Fault.

        Raises DownloadError when it never succeeds.
        """
        try:
            return self._retries.run(attempt)
        except Fault as fault:
            raise DownloadError(
                f"Flickr does not answer ({fault.reason}); run the same again later"
            ) from fault

    def call_once(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method that may change something; it is not tried again.

        Raises RefusedByFlickr when Flickr says no, and a Fault when nobody knows
        whether it was carried out.
        """
        from flickrapi.exceptions import FlickrError

        try:
            answer = self.once(lambda: self._api.do_flickr_call(method, **parameters))
        except FlickrError as error:
            number = str(error.code)
            if number in TRANSIENT_CODES:
                raise Fault(f"stat=fail {number}") from error
            said = self._credentials.hidden_in(str(error))
            said = self._account.hidden_in(said) if self._account else said
            todo = "; check the API key and secret" if number in KEY_CODES else ""
            refused = f"Flickr refuses {method}: {said}{todo}"
            raise RefusedByFlickr(refused, number) from None
        except (ValueError, KeyError, AttributeError, RecursionError) as error:
            raise Fault("an answer that is no JSON") from error
        if not isinstance(answer, dict) or answer.get("stat") != "ok":
            raise Fault("an answer that is not Flickr's")
        return answer

    def once(self, question: Callable[[], T]) -> T:
        """Ask a question by flickrapi once the pace allows it; raise a Fault."""
        self._pace.wait()
        self.n_calls += 1
        with network_faults():
            return question()

    def _take(self, response: requests.Response, **_: object) -> None:
        """Check an answer and read its body, before requests does so unbounded."""
        try:
            check_status(response)
            body = read_body(response, MAX_ANSWER_BYTES, self._timeouts.total_s)
        except BaseException:
            response.close()
            raise
        # Where requests keeps what it has read; it has no public way to say so.
        response._content = body
        response._content_consumed = True


def open_session(
    credentials: Path | None, account: Account | None = None
) -> FlickrSession:
    """Return a session with this machine's key and pace, as somebody or nobody.

    credentials : the file of the key; None: where `read_credentials` finds it.
    """
    return FlickrSession(
        read_credentials(file=credentials), Pace(pace_file()), account=account
    )
