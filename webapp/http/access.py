"""Access to the model, decided before a body is read.

Every use of the model passes one gate, which checks in this order: room, the client's
share, the token. Each check costs microseconds; parsing an upload and decoding a photo
cost far more.
"""

from __future__ import annotations

import hmac
import ipaddress
import math

from flask import Flask, request

from webapp.http.errors import FORMS, Refused
from webapp.state import state, state_of

__all__ = ["charge", "client_of", "init_app", "require_token", "sits_here"]

LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]"}

PHOTO_COST = 1.0
RANKING_COST = 0.1

# What a call costs, in photos. A batch pays for its first photo here and for the
# others once they are counted (`charge`), and so does an explanation for its saliency.
COSTS = {
    "api.create_suggestion": PHOTO_COST,
    "api.create_batch": PHOTO_COST,
    "api.create_explanation": PHOTO_COST,
    "api.create_ranking": RANKING_COST,
    "pages.create_suggestion": PHOTO_COST,
    "compare.create_comparison": PHOTO_COST,
    "search.create_search": PHOTO_COST,
    "search.show": RANKING_COST,
}
WANT_ROOM = {endpoint for endpoint, cost in COSTS.items() if cost >= PHOTO_COST}
WANT_TOKEN = {*COSTS, "api.list_tags", "metrics.show"}


def init_app(app: Flask) -> None:
    """Put the gate before every use of the model."""
    app.before_request(_gate)
    token_needed = state_of(app).settings.api_token is not None
    app.context_processor(lambda: {"token_needed": token_needed})


def _gate() -> None:
    if request.endpoint in WANT_ROOM:
        state().admission.check()
    if request.endpoint in COSTS:
        charge(COSTS[request.endpoint])
    if request.endpoint in WANT_TOKEN:
        require_token()


# --------------------------------------------------------------------------- token


def require_token() -> None:
    """Raise `Refused` (401) unless the request brings the server's token, if any."""
    token = state().settings.api_token
    # compare_digest takes as long for a near miss as for a far one
    if token is None or hmac.compare_digest(_given_token().encode(), token.encode()):
        return
    raise Refused(
        "unauthorized",
        "This server asks for a token, and this is not the one.",
        401,
        {"WWW-Authenticate": "Bearer"},
    )


def _given_token() -> str:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    # the page's form, for a browser without JavaScript, cannot set a header
    if request.path in FORMS:
        return request.form.get("token", "")
    return ""


# ---------------------------------------------------------------------------- rate


def charge(cost: float, read: bool = False) -> None:
    """Charge the request's client for so many photos.

    read : its photos were read already; it owes them rather than being refused.

    Raises `Refused` (429) when the client has used up its share.
    """
    limit = state().rate_limit
    if limit is None:
        return
    client = client_of(request.remote_addr)
    if read:
        limit.owe(client, cost)
        return
    wait_s = math.ceil(limit.charge(client, cost))
    if wait_s:
        raise Refused(
            "too_many_requests",
            f"These are too many photos. Please try again in {wait_s} seconds.",
            429,
            {"Retry-After": str(wait_s)},
        )


def client_of(address: str | None) -> str:
    """Return the client of an address: one of IPv4, or the /64 of a site of IPv6."""
    found = _parsed(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or f"{int(found) >> 64:x}::/64")
    return "unknown" if found is None else str(found)


def sits_here() -> bool:
    """Return whether the client is on this machine, and asked for it by such a name.

    Another site's name that was made to point here is not one of `LOCAL_HOSTS`.
    """
    address, host = _parsed(request.remote_addr), request.host
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return address is not None and address.is_loopback and name in LOCAL_HOSTS


def _parsed(
    address: str | None,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address or "")
    except ValueError:
        return None
