"""kill -9 of the worker, then of the supervisor, each with requests under way.

Promise: the next request after the worker's death is answered, nothing is left in the
temporary files, and no worker outlives its supervisor.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import statistics
import sys
import threading

from photo_makers import jpeg
from serving import wait_for_end

from benchmarks.faults.shared import Server, arguments, server, show, timed, verdict


def ask_in_vain(running: Server, n_clients: int) -> list[threading.Thread]:
    """Send photos whose answers may or may not come; return when all are sending."""
    together = threading.Barrier(n_clients + 1)

    def ask() -> None:
        together.wait()
        # the connection may be torn, at any place
        with contextlib.suppress(OSError, http.client.HTTPException):
            running.suggest(jpeg() + bytes(1 << 20))

    threads = [threading.Thread(target=ask) for _ in range(n_clients)]
    for thread in threads:
        thread.start()
    together.wait()
    return threads


def main() -> int:
    asked = arguments(__doc__, times=20, clients=4)
    answered, ended = [], []
    for _ in range(asked.times):
        with server() as running:
            threads = ask_in_vain(running, asked.clients)
            os.kill(running.worker(), signal.SIGKILL)
            seconds, answer = timed(lambda running=running: running.suggest(jpeg()))
            assert answer[0] == 200, answer
            answered.append(seconds)
            for thread in threads:
                thread.join()
            threads = ask_in_vain(running, asked.clients)
            worker = os.pidfd_open(running.worker())
            running.process.kill()
            seconds, _ = timed(lambda worker=worker: wait_for_end(worker))
            os.close(worker)
            ended.append(seconds)
            for thread in threads:
                thread.join()
    show(
        [
            ("kill -9 of the worker", asked.times),
            ("next photo answered, median, s", statistics.median(answered)),
            ("next photo answered, slowest, s", max(answered)),
            ("kill -9 of the supervisor", asked.times),
            ("worker ended, slowest, s", max(ended)),
        ]
    )
    return verdict(len(answered) == len(ended) == asked.times)


if __name__ == "__main__":
    sys.exit(main())
