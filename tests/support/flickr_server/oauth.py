"""OAuth 1.0a as Flickr does it: request token, consent, access token, signed calls.

Sources: RFC 5849 and https://www.flickr.com/services/api/auth.oauth.html
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlsplit

__all__ = ["PERMISSIONS", "OAuth", "Refused", "Signed", "Token"]

PERMISSIONS = ("none", "read", "write", "delete")
OAUTH = "/services/oauth/"


class Refused(Exception):
    """A call that Flickr refuses; ``problem`` is OAuth's word for it."""

    def __init__(self, code: int, message: str, problem: str) -> None:
        super().__init__(message)
        self.code, self.message, self.problem = code, message, problem


@dataclass
class Token:
    """A request token, to be consented to and exchanged once; or an access token."""

    secret: str
    callback: str = ""
    member: str = ""
    permission: str = "none"
    verifier: str = ""


@dataclass(frozen=True)
class Signed:
    """A request with its parameters: those of OAuth, and those of the form."""

    method: str
    url: str
    oauth: dict[str, str]
    form: dict[str, str]

    @classmethod
    def read(cls, method: str, url: str, header: str, body: str) -> Signed:
        """Read the parameters of a request (RFC 5849, 3.5.1)."""
        kind, _, rest = header.partition(" ")
        pairs = (part.strip().partition("=") for part in rest.split(","))
        oauth = {name: unquote(value.strip('"')) for name, _, value in pairs}
        form = dict(parse_qsl(body, keep_blank_values=True))
        # oauth_callback may come in the header or in the form.
        oauth |= {name: value for name, value in form.items() if "oauth_" in name}
        return cls(method, url, oauth if kind == "OAuth" else {}, form)

    def signature(self, key_secret: str, token_secret: str) -> str:
        """HMAC-SHA1 of the request (RFC 5849, 3.4)."""
        parts = urlsplit(self.url)
        pairs = [*parse_qsl(parts.query), *{**self.form, **self.oauth}.items()]
        signed = _sorted(
            (k, v) for k, v in pairs if k not in ("oauth_signature", "realm")
        )
        address = f"{parts.scheme}://{parts.netloc}{parts.path}"
        text = "&".join(map(_quoted, (self.method, address, signed)))
        key = f"{_quoted(key_secret)}&{_quoted(token_secret)}"
        digest = hmac.new(key.encode(), text.encode(), hashlib.sha1).digest()
        return base64.b64encode(digest).decode()


def _sorted(pairs: Iterable[tuple[str, str]]) -> str:
    quoted = sorted((_quoted(name), _quoted(value)) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in quoted)


def _quoted(text: str) -> str:
    return quote(text, safe="~")


@dataclass
class OAuth:
    """The tokens that are out, and who is asked to consent."""

    key: str
    secret: str
    requested: dict[str, Token] = field(default_factory=dict)
    granted: dict[str, Token] = field(default_factory=dict)
    nonces: set[tuple[str, str]] = field(default_factory=set)

    def check(self, request: Signed) -> Token:
        """Return the access token of a call, an empty one when it has none.

        Raises Refused for a wrong key, token or signature and for one used twice.
        """
        name = request.oauth.get("oauth_token", "")
        token = self.granted.get(name) if name else Token("")
        self._check(request, token)
        assert token is not None
        return token

    def _check(self, request: Signed, token: Token | None) -> None:
        oauth = request.oauth
        if oauth.get("oauth_consumer_key") != self.key:
            message = "Invalid API Key (Key has invalid format)"
            raise Refused(100, message, "consumer_key_unknown")
        if token is None:
            raise Refused(98, "Invalid auth token", "token_rejected")
        expected = request.signature(self.secret, token.secret)
        found = oauth.get("oauth_signature", "")
        if oauth.get("oauth_signature_method") != "HMAC-SHA1" or not (
            hmac.compare_digest(found.encode(), expected.encode())
        ):
            raise Refused(96, "Invalid signature", "signature_invalid")
        once = (oauth.get("oauth_nonce", ""), oauth.get("oauth_timestamp", ""))
        if not all(once) or once in self.nonces:
            raise Refused(96, "Invalid signature", "nonce_used")
        self.nonces.add(once)

    def request_token(self, request: Signed) -> dict[str, str]:
        """Give a request token; raises Refused."""
        self._check(request, Token(""))
        name, callback = secrets.token_hex(8), request.oauth.get("oauth_callback")
        if not callback:
            raise Refused(96, "No callback", "parameter_absent")
        self.requested[name] = token = Token(secrets.token_hex(8), callback)
        return {
            "oauth_callback_confirmed": "true",
            "oauth_token": name,
            "oauth_token_secret": token.secret,
        }

    def consent(self, name: str, permission: str, member: str) -> Token:
        """Let a member say yes, as they do in the browser; raises Refused."""
        token = self.requested.get(name)
        if token is None or permission not in PERMISSIONS[1:]:
            raise Refused(98, "Invalid auth token", "token_rejected")
        token.member, token.permission = member, permission
        token.verifier = secrets.token_hex(4)
        return token

    def access_token(self, request: Signed) -> tuple[str, Token]:
        """Exchange a request token, once, for an access token; raises Refused."""
        name = request.oauth.get("oauth_token", "")
        token = self.requested.get(name)
        self._check(request, token)
        assert token is not None
        if not token.verifier or request.oauth.get("oauth_verifier") != token.verifier:
            raise Refused(98, "Invalid verifier", "verifier_invalid")
        del self.requested[name]
        access = Token(secrets.token_hex(8), "", token.member, token.permission)
        name = secrets.token_hex(8)
        self.granted[name] = access
        return name, access
