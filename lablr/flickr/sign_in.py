"""Sign in to Flickr: OAuth 1.0a, with a code that a person types.

The consent page shows a code ("out of band"), so that no server need listen here.
Sources: https://www.flickr.com/services/api/auth.oauth.html and RFC 5849, section 2.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from lablr.errors import DownloadError, PushError
from lablr.flickr.account import Account
from lablr.flickr.retries import Fault
from lablr.flickr.session import FlickrSession, flickr_url

T = TypeVar("T")
URL = "https://www.flickr.com"
REFUSED = ("HTTP 400", "HTTP 401", "HTTP 403")


class SignIn:
    """One attempt to sign in: show ``page`` to a person, and ``finish`` it.

    page : the address where a person says that Lablr may change their photos.

    Raises PushError when Flickr does not know the API key, DownloadError when it does
    not answer.
    """

    def __init__(self, session: FlickrSession) -> None:
        self._session, self._oauth = session, session.oauth
        base = flickr_url() if os.environ.get("LABLR_FLICKR_URL") else URL
        for name in ("request_token", "authorize", "access_token"):
            address = f"{base}/services/oauth/{name}"
            setattr(self._oauth, f"{name.upper()}_URL", address)
        # A request token is worthless until somebody consents, so asking again is safe.
        session.retrying(
            lambda: self._ask(
                lambda: self._oauth.get_request_token(oauth_callback="oob"),
                "Flickr does not accept the API key and secret",
            )
        )
        self.page: str = self._oauth.auth_url("write")

    def finish(self, code: str) -> Account:
        """Exchange the code of the page, once, for an account.

        Raises PushError when Flickr does not accept the code, DownloadError when it
        does not answer: the code may be used up then, so it is not tried again.
        """
        self._oauth.verifier = "".join(code.split())
        refused = "Flickr does not accept this code; sign in again for a new one"
        try:
            token = self._ask(self._oauth.get_access_token, refused)
        except Fault as fault:
            raise DownloadError(
                f"Flickr does not answer ({fault.reason}); sign in again later"
            ) from fault
        try:
            return Account(
                token.user_nsid, token.username, token.token, token.token_secret
            )
        finally:
            self._oauth.token = None

    def _ask(self, question: Callable[[], T], refused: str) -> T:
        def ask() -> T:
            try:
                return question()
            except Fault as fault:
                if fault.reason in REFUSED:
                    raise PushError(refused) from None
                raise

        try:
            return self._session.once(ask)
        except (KeyError, ValueError, AssertionError):
            # Without its cause, which holds Flickr's answer, and so a token.
            raise PushError("Flickr's answer holds no token") from None
