"""A limit on calls to Flickr: at most 3,600 in any sliding hour.

Source: https://www.flickr.com/services/developer/api/ ("3600 queries per hour").
"""

from __future__ import annotations

import errno
import logging
import math
import os
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

from lablr.errors import DownloadError
from lablr.system.locks import hold

log = logging.getLogger("lablr")

MAX_CALLS = 3600
# Half a minute over the hour: calls reach Flickr later than they are counted here.
WINDOW_S = 3630.0
TOLD_S = 10.0  # a wait long enough to log
_STAMP = struct.Struct("<d")


def pace_file() -> Path:
    """Return where calls are counted: one file for all of a person's downloads."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "lablr" / "flickr-calls"


class Pace:
    """Counts calls in a file of their times, shared by every process that calls.

    A time is eight bytes (little-endian float64, seconds since 1970) and is added
    before its call, so that a killed process has never called uncounted.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._path, self._clock, self._sleep = path, clock, sleep
        self._turn = threading.Lock()

    def wait(self) -> None:
        """Return when one more call may be made, and count it.

        Raises DownloadError when the file cannot be written.
        """
        with self._turn:
            try:
                while (pause_s := self._claim()) > 0:
                    if pause_s >= TOLD_S:
                        log.warning(
                            "Flickr was called %s times within an hour: going on in "
                            "%d minutes; Ctrl-C stops, the same command goes on",
                            f"{MAX_CALLS:,}",
                            math.ceil(pause_s / 60),
                        )
                    self._sleep(pause_s)
            except OSError as error:
                raise DownloadError(
                    f"{self._path}: cannot be written: {error.strerror}; it counts the "
                    "calls to Flickr (XDG_STATE_HOME moves it)"
                ) from error

    def _claim(self) -> float:
        """Count a call and return 0, or return the seconds to wait before it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0):
            hold(descriptor)
            now = self._clock()
            n_stamps = os.fstat(descriptor).st_size // _STAMP.size  # not a torn one
            if n_stamps and _read(descriptor, n_stamps - 1, 1)[0] > now:
                # A clock that was set back must not make the future block today.
                kept = _read(descriptor, max(0, n_stamps - MAX_CALLS), MAX_CALLS)
                n_stamps = _rewrite(descriptor, [min(t, now) for t in kept])
            if n_stamps >= MAX_CALLS:
                oldest = _read(descriptor, n_stamps - MAX_CALLS, 1)[0]
                if oldest > now - WINDOW_S:
                    return max(oldest + WINDOW_S - now, 0.001)
            if n_stamps > 2 * MAX_CALLS:
                kept = _read(descriptor, n_stamps - MAX_CALLS, MAX_CALLS)
                n_stamps = _rewrite(descriptor, kept)
            end = n_stamps * _STAMP.size
            if os.pwrite(descriptor, _STAMP.pack(now), end) != _STAMP.size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return 0.0


def _rewrite(descriptor: int, stamps: list[float]) -> int:
    """Keep these times only, and return how many they are."""
    size = os.pwrite(descriptor, b"".join(map(_STAMP.pack, stamps)), 0)
    os.ftruncate(descriptor, size)
    return size // _STAMP.size


def _read(descriptor: int, first: int, count: int) -> list[float]:
    """Return some of the times, which lie in their order."""
    stored = os.pread(descriptor, count * _STAMP.size, first * _STAMP.size)
    return [stamp for (stamp,) in _STAMP.iter_unpack(stored[: len(stored) // 8 * 8])]
