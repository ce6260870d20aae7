"""A limit on the photos that a client may send a minute."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["RateLimit"]


class RateLimit:
    """A token bucket for each client.

    A client may send `per_minute` photos at once and then as many every minute. One
    that was silent for a minute has its whole share again, so forgetting the client
    that was silent longest is nearly always exact, and bounds the memory.

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
        """Return the number of clients remembered."""
        return len(self._buckets)

    def charge(self, client: str, cost: float) -> float:
        """Take `cost` photos from the client's share, and return 0 when it had them.

        Otherwise take nothing, and return the seconds until it has them.
        """
        with self._lock:
            left, now = self._left(client)
            missing = min(cost, self._share) - left
            self._keep(client, left if missing > 0 else left - cost, now)
        return max(0.0, missing / self._per_second)

    def owe(self, client: str, cost: float) -> None:
        """Take `cost` photos even if there are fewer; the client waits for its debt."""
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
