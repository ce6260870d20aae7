"""Downloads that are killed, again and again."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future

from flickr_server.server import FlickrServer

__all__ = ["kill_at_random", "kill_once"]

LONGEST_S = 0.005


def kill_at_random(
    start: Callable[[], subprocess.Popen[bytes]],
    server: FlickrServer,
    n_kills: int,
    n_photos: int,
    seed: int = 0,
) -> None:
    """Start a download of so many photos so often, each time to kill it (SIGKILL).

    The moment is when the server has had a request, of a random number, or up to some
    milliseconds later, when pictures are checked and written. Raises RuntimeError when
    the download ends by itself.
    """
    chance = random.Random(seed)
    # So that something is left to download after the last.
    most = max(1, n_photos // (n_kills + 1))
    for number in range(1, n_kills + 1):
        moment = server.n_requests + chance.randint(1, most)
        later_s = chance.choice((0.0, chance.uniform(0, LONGEST_S)))
        status = kill_once(start, server, moment, later_s)
        if status != -signal.SIGKILL:
            raise RuntimeError(f"ended with status {status} before kill {number}")


def kill_once(
    start: Callable[[], subprocess.Popen[bytes]],
    server: FlickrServer,
    moment: int,
    later_s: float,
) -> int:
    """Return the status of a process that is killed at the n-th request, or later."""
    started: Future[subprocess.Popen[bytes]] = Future()

    def kill(n_requests: int) -> None:
        if n_requests == moment:
            timer = threading.Timer(later_s, started.result().kill)
            timer.run() if later_s == 0 else timer.start()

    server.before_answer = kill
    process = start()
    started.set_result(process)
    process.communicate()
    server.before_answer = lambda n_requests: None
    return process.returncode
