"""Faults of the network, and when an attempt is repeated."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import requests

log = logging.getLogger("lablr")

T = TypeVar("T")
TOLD_S = 30.0  # a wait long enough to log
CHUNK = 1 << 16


class Fault(Exception):
    """An attempt that failed.

    ``reason`` is a word or two to count it under; ``is_content`` says that an answer
    came whole and is not what was asked for, so that asking again tomorrow will not
    help; ``transient`` that it may go away within seconds.
    """

    def __init__(
        self,
        reason: str,
        transient: bool = True,
        is_content: bool = False,
        retry_after_s: float = 0.0,
    ) -> None:
        super().__init__(reason)
        self.reason, self.transient = reason, transient
        self.is_content, self.retry_after_s = is_content, retry_after_s


@dataclass(frozen=True)
class Timeouts:
    """Seconds: to connect, between two bytes, and for one whole answer."""

    connect_s: float = 10.0
    read_s: float = 30.0
    total_s: float = 120.0


@dataclass(frozen=True)
class Retries:
    """Exponential back-off with jitter, at least as long as Retry-After says.

    Setting ``stop`` ends every wait and all further attempts.
    """

    attempts: int = 6
    first_s: float = 1.0
    longest_s: float = 60.0
    longest_retry_after_s: float = 900.0
    stop: threading.Event = field(default_factory=threading.Event)
    sleep: Callable[[float], object] | None = None

    def run(self, attempt: Callable[[], T]) -> T:
        """Return what ``attempt`` does; raises the last Fault when none succeeds."""
        n_failed = 0
        while True:
            try:
                return attempt()
            except Fault as fault:
                n_failed += 1
                too_late = fault.retry_after_s > self.longest_retry_after_s
                if not fault.transient or too_late or n_failed >= self.attempts:
                    raise
                pause_s = self.pause_s(n_failed, fault)
                if pause_s >= TOLD_S:
                    log.warning("%s: trying again in %d s", fault.reason, pause_s)
                (self.sleep or self.stop.wait)(pause_s)
                if self.stop.is_set():
                    raise Fault("stopped", transient=False) from fault

    def pause_s(self, n_failed: int, fault: Fault) -> float:
        """Return how long to wait after the n-th failure, half of it by chance."""
        back_off = min(self.longest_s, self.first_s * 2.0 ** (n_failed - 1))
        jitter: float = 0.5 + random.random() / 2  # noqa: S311
        return max(float(back_off * jitter), fault.retry_after_s)


@contextmanager
def network_faults() -> Iterator[None]:
    """Turn what requests, and urllib3 below it, raises into a Fault."""
    import requests
    import urllib3

    try:
        yield
    except urllib3.exceptions.TimeoutError as error:
        raise Fault("time-out") from error
    except urllib3.exceptions.HTTPError as error:
        raise Fault("short body") from error
    except requests.TooManyRedirects as error:
        raise Fault("redirect loop", transient=False) from error
    except requests.Timeout as error:
        raise Fault("time-out") from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise Fault("short body") from error
    except requests.ConnectionError as error:
        raise Fault("connection lost") from error
    except requests.RequestException as error:
        raise Fault("bad address", transient=False) from error


def check_status(response: requests.Response) -> None:
    """Raise a Fault unless the status is 200; 404 and 410 say the picture is gone."""
    status = response.status_code
    if status == 200:
        return
    raise Fault(
        "gone" if status in (404, 410) else f"HTTP {status}",
        transient=status in (408, 425, 429) or status >= 500,
        is_content=status in (404, 410),
        retry_after_s=_retry_after_s(response.headers.get("Retry-After", "")),
    )


def read_body(response: requests.Response, max_bytes: int, total_s: float) -> bytes:
    """Return a streamed body; raises a Fault when it is too large, late or short."""
    if int(response.headers.get("Content-Length") or 0) > max_bytes:
        raise Fault("too large", transient=False, is_content=True)
    end, parts, size = time.monotonic() + total_s, [], 0
    # Whatever the size asked for, urllib3 returns what has come with read1.
    while part := response.raw.read1(CHUNK, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > max_bytes:
            raise Fault("too large", transient=False, is_content=True)
        if time.monotonic() > end:
            raise Fault("slow drip")
    return b"".join(parts)


def _retry_after_s(header: str) -> float:
    """Return the seconds of a Retry-After, a number or a date (RFC 9110, 10.2.3)."""
    if header.isascii() and header.isdecimal():
        return float(header[:9])
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, TypeError, IndexError):
        return 0.0
