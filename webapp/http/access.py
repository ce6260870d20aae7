"""Who may use the model and how often, decided before a body is read.

Every use of the model goes through one gate, in this order: is there room, has this
client had its share, does it know the token. Each answer costs microseconds; the
upload that would have to be parsed, and the photo decoded, do not.
"""

from __future__ import annotations

import hmac
import ipaddress
import math

from flask import Flask, current_app, request

from lablr.system.rate_limit import RateLimit
from webapp.http.errors import Refused

__all__ = ["RateLimit", "charge", "client_of", "init_app", "require_token", "sits_here"]

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
# Pages whose forms send the token themselves.
FORMS = ("pages.create_suggestion", "compare.create_comparison", "search.create_search")
WANT_ROOM = {endpoint for endpoint, cost in COSTS.items() if cost >= PHOTO_COST}
WANT_TOKEN = {*COSTS, "api.list_tags", "metrics.show"}


def init_app(app: Flask) -> None:
    """Put the gate before every use of the model."""
    settings = app.extensions["lablr.settings"]
    limit = RateLimit(settings.rate_limit) if settings.rate_limit else None
    app.extensions["lablr.rate_limit"] = limit

    @app.before_request
    def gate() -> None:
        if request.endpoint in WANT_ROOM:
            current_app.extensions["lablr.admission"].check()
        if request.endpoint in COSTS:
            charge(COSTS[request.endpoint])
        if settings.api_token is not None and request.endpoint in WANT_TOKEN:
            require_token(settings.api_token)

    @app.context_processor
    def token() -> dict[str, bool]:
        return {"token_needed": settings.api_token is not None}


# --------------------------------------------------------------------------- token


def require_token(token: str) -> None:
    """Raise `Refused` (401) unless the request brings the token."""
    # compare_digest takes as long for a near miss as for a far one
    if not hmac.compare_digest(_given_token().encode(), token.encode()):
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
    if request.endpoint in FORMS:
        return request.form.get("token", "")
    return ""


# ---------------------------------------------------------------------------- rate


def charge(cost: float, read: bool = False) -> None:
    """Charge the request's client for so many photos.

    read : its photos are here already; it owes them rather than being refused.

    Raises `Refused` (429) when the client has used up its share.
    """
    limit: RateLimit | None = current_app.extensions["lablr.rate_limit"]
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
    """The client behind an address: one of IPv4, or the /64 that a site of IPv6 has."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return f"{int(found) >> 64:x}::/64"
    return str(found)


def sits_here() -> bool:
    """Whether the client is on this machine, and asked for it by that name.

    Another site's name that was made to point here is not one of `LOCAL_HOSTS`.
    """
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return False
    host = request.host
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return address.is_loopback and name in LOCAL_HOSTS
