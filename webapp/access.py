"""Who may use the model and how often, decided before a body is read.

Every use of the model goes through one gate, in this order: is there room, has this
client had its share, does it know the token. Each answer costs microseconds; the
upload that would have to be parsed, and the photo decoded, do not.
"""

from __future__ import annotations

import hmac
import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from flask import Flask, current_app, request

from webapp.errors import Refused

__all__ = ["RateLimit", "charge", "client_of", "init_app"]

PHOTO_COST = 1.0
RANKING_COST = 0.1

# What a call costs, in photos. A batch pays for its first photo here and for the
# others once they are counted (`charge`).
COSTS = {
    "api.create_suggestion": PHOTO_COST,
    "api.create_batch": PHOTO_COST,
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
            _require(settings.api_token)

    @app.context_processor
    def token() -> dict[str, bool]:
        return {"token_needed": settings.api_token is not None}


# --------------------------------------------------------------------------- token


def _require(token: str) -> None:
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


class RateLimit:
    """A token bucket for each client.

    A client may send `per_minute` photos at once and then as many every minute. One
    that has not been seen for a minute has its whole share again, so forgetting the
    client that was seen longest ago is nearly always exact, and bounds the memory.

    clock : seconds that never go back.
    """

    def __init__(
        self,
        per_minute: int,
        max_clients: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._share = float(per_minute)
        self._per_second = per_minute / 60
        self._max_clients = max_clients
        self._clock = clock
        self._lock = threading.Lock()
        # client -> what is left of its share, and when that was so; last seen last
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        """How many clients are remembered."""
        return len(self._buckets)

    def take(self, client: str, cost: float) -> float:
        """Take `cost` photos from the client's share; returns 0 when it had them.

        Otherwise nothing is taken, and the seconds until it has them come back.
        """
        with self._lock:
            left, now = self._left(client)
            missing = min(cost, self._share) - left
            self._keep(client, left if missing > 0 else left - cost, now)
        return max(0.0, missing / self._per_second)

    def owe(self, client: str, cost: float) -> None:
        """Take `cost` photos even if there are fewer; what is owed comes off later."""
        with self._lock:
            left, now = self._left(client)
            self._keep(client, left - cost, now)

    def _left(self, client: str) -> tuple[float, float]:
        now = self._clock()
        left, then = self._buckets.get(client, (self._share, now))
        return min(self._share, left + (now - then) * self._per_second), now

    def _keep(self, client: str, left: float, now: float) -> None:
        self._buckets[client] = (left, now)
        self._buckets.move_to_end(client)
        if len(self._buckets) > self._max_clients:
            self._buckets.popitem(last=False)


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
    wait_s = math.ceil(limit.take(client, cost))
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
