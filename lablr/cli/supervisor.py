"""A process that listens, and one that serves and is replaced when it dies.

The supervisor holds the listening socket and almost nothing else, so that little in it
can break. Its worker is a fork that loads the model and serves. When the worker dies,
clients that connect in the meantime wait in the socket's queue for the next one.

The two are tied by a pair of sockets: a byte from the worker says that it serves, and
the end of either process, however it comes, closes its side and is seen by the other.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger("lablr.web")

FIRST_PAUSE_S = 0.5  # before a dead worker is replaced, doubled each time
LONGEST_PAUSE_S = 30.0
GOOD_LIFE_S = 60.0  # after such a life the next pause is the first again
GRACE_S = 30.0  # a worker that was asked to stop is killed after this
STOPS = (signal.SIGTERM, signal.SIGINT)


class Supervisor:
    """Keeps one worker alive until SIGTERM or SIGINT.

    listener : the socket that workers accept from.
    work : serves in the worker; it takes a function to call once it is ready, and
        returns when SIGTERM has come and what ran is finished.
    on_ready : called in the supervisor when the first worker is ready.
    """

    def __init__(
        self,
        listener: socket.socket,
        work: Callable[[Callable[[], None]], None],
        on_ready: Callable[[], None],
    ) -> None:
        self._listener = listener
        self._work = work
        self._on_ready = on_ready
        self._has_served = False
        self._is_stopping = False

    def run(self) -> int:
        """Return the exit status: 0 after a stop.

        A first worker that ends before it is ready is not replaced: it has said what
        was wrong, such as a missing model, and its status is returned.
        """
        pause_s = FIRST_PAUSE_S
        with _signals_told() as told:
            while True:
                started = time.monotonic()
                status = self._run_worker(told)
                if self._is_stopping:
                    return 0
                if not self._has_served:
                    return status if status > 0 else 1
                if time.monotonic() - started >= GOOD_LIFE_S:
                    pause_s = FIRST_PAUSE_S
                log.warning(
                    "the worker ended by %s; another starts in %g s",
                    _named(status),
                    pause_s,
                )
                if select.select([told], [], [], pause_s)[0]:
                    return 0
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _run_worker(self, told: socket.socket) -> int:
        """Start a worker, await its end; return its status, minus its signal if any."""
        ours, theirs = socket.socketpair()
        with ours:
            pid = self._fork(ours, theirs)
            theirs.close()
            self._see_it_end(pid, ours, told)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def _see_it_end(self, pid: int, ours: socket.socket, told: socket.socket) -> None:
        watched, deadline_s = [ours, told], None
        while True:
            heard, _, _ = select.select(watched, [], [], deadline_s)
            if told in heard:
                self._is_stopping = True
                self._listener.close()  # the worker takes in what has come so far
                os.kill(pid, signal.SIGTERM)
                watched, deadline_s = [ours], GRACE_S
            elif not heard:
                log.warning("the worker did not stop in %g s and is killed", GRACE_S)
                os.kill(pid, signal.SIGKILL)
                return
            if ours in heard:
                if not _receive(ours):
                    return
                if not self._has_served:
                    self._has_served = True
                    self._on_ready()

    def _fork(self, ours: socket.socket, theirs: socket.socket) -> int:
        """Return the worker's process id; in the worker, serve and exit."""
        # no signal may arrive between the fork and the worker's own handlers
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        try:
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                for number in STOPS:
                    signal.signal(number, signal.SIG_DFL)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if pid != 0:
            return pid
        ours.close()
        threading.Thread(target=_end_with, args=(theirs,), daemon=True).start()
        self._work(lambda: _send(theirs))
        sys.exit(0)


def _end_with(supervisor: socket.socket) -> None:
    """Stop this worker when the supervisor has ended."""
    _receive(supervisor)
    os.kill(os.getpid(), signal.SIGTERM)


def _receive(pair: socket.socket) -> bytes:
    """Return a byte, or none when the other side has ended."""
    try:
        return pair.recv(1)
    except ConnectionError:  # it ended without reading what was sent
        return b""


def _send(pair: socket.socket) -> None:
    with contextlib.suppress(ConnectionError):  # then SIGTERM is on its way
        pair.sendall(b"r")


@contextmanager
def _signals_told() -> Iterator[socket.socket]:
    """Yield a socket that can be read once one of `STOPS` has come."""
    told, teller = socket.socketpair()
    teller.setblocking(False)
    with told, teller:
        # a handler of Python's, so that the number is written to the wakeup socket
        before = {number: signal.signal(number, lambda *_: None) for number in STOPS}
        signal.set_wakeup_fd(teller.fileno())
        try:
            yield told
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)


def _named(status: int) -> str:
    if status < 0:
        return f"signal {-status} ({signal.Signals(-status).name})"
    return f"exit status {status}"
