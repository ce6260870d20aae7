"""Places to use the model, places to wait, and refusal beyond these."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Busy(Exception):
    """No room to run or to wait; try again after ``retry_after_s`` seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"busy, try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class Admission:
    """A number of places to run and places to wait.

    A server that queues without bound answers everyone too late; one that
    refuses early keeps serving those it admitted.

    max_running : so many run at once.
    max_waiting : so many more may wait, each for `max_wait_s` seconds.

    ``running`` counts those who run, ``inside`` those who wait, too.
    """

    def __init__(self, max_running: int, max_waiting: int, max_wait_s: float) -> None:
        self._places = max_running + max_waiting
        self._max_wait_s = max_wait_s
        self._running = threading.BoundedSemaphore(max_running)
        self._lock = threading.Lock()
        self.inside = 0
        self.running = 0

    @property
    def waiting(self) -> int:
        """The number of those who wait."""
        return max(0, self.inside - self.running)

    def check(self) -> None:
        """Raise `Busy` when every place is taken; reserves nothing."""
        if self.inside >= self._places:
            raise Busy(retry_after_s=2)

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Hold a place to run; raises `Busy` when there is none in time."""
        with self._lock:
            self.check()
            self.inside += 1
        try:
            if not self._running.acquire(timeout=self._max_wait_s):
                raise Busy(retry_after_s=5)
            try:
                self._count_running(1)
                yield
            finally:
                self._count_running(-1)
                self._running.release()
        finally:
            with self._lock:
                self.inside -= 1

    def _count_running(self, change: int) -> None:
        with self._lock:
            self.running += change
