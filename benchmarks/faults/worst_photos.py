"""The costliest photos that are accepted, sent to a server all at once.

Promise: each is answered, refused at its limits or told to wait (503), /livez stays
under 1 s, and the server's own memory within 600 MiB of where it was.
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from test_photos_cost import WORST

from benchmarks.faults.shared import (
    arguments,
    resident_mib,
    server,
    show,
    timed,
    verdict,
)


def main() -> int:
    asked = arguments(__doc__, rounds=2)
    photos = {name: make() for name, make in WORST.items()}
    rows: list[tuple[str, object]] = []
    live: list[float] = []
    done = threading.Event()
    with server(LABLR_MAX_WAIT_S="600") as running, ThreadPoolExecutor() as pool:
        worker = running.worker()
        before = most = resident_mib(worker)

        def watch() -> None:
            nonlocal most
            while not done.is_set():
                live.append(timed(lambda: running.request("GET", "/livez"))[0])
                most = max(most, resident_mib(worker))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            for _ in range(asked.rounds):
                answers = pool.map(
                    lambda photo: timed(lambda: running.suggest(photo)[0]),
                    photos.values(),
                )
                for name, (seconds, status) in zip(photos, answers, strict=True):
                    rows.append((name, f"{status} after {seconds:.1f} s"))
        finally:
            done.set()
            watcher.join()
        assert running.worker() == worker, "the worker was replaced"
    rows += [
        ("/livez meanwhile, slowest, ms", 1000 * max(live)),
        ("memory before, most, MiB", f"{before:.0f}, {most:.0f}"),
    ]
    show(rows)
    return verdict(max(live) < 1 and most - before < 600)


if __name__ == "__main__":
    sys.exit(main())
