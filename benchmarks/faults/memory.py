"""Memory of the server over many requests of many kinds.

Good and bad photos, pages, lists and torn connections take turns. Promise: the memory
after the last request is less than 1.1 times that after the first tenth.
"""

from __future__ import annotations

import itertools
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

from photo_makers import jpeg, photo, save
from serving import MULTIPART, form_of

from benchmarks.faults.shared import (
    Server,
    arguments,
    resident_mib,
    server,
    show,
    verdict,
)


def kinds(running: Server) -> list:
    """Requests of all kinds, as functions that return the status."""
    form = {"Content-Type": MULTIPART}
    small, png = jpeg(), save(photo(300, 200), "PNG")
    large = jpeg() + bytes(3 << 20)

    def torn() -> int:
        with socket.create_connection(("127.0.0.1", running.port), 60) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
        return 0

    return [
        lambda: running.suggest(small)[0],
        lambda: running.suggest(png, "?k=0&map=1&figures=wide")[0],
        lambda: running.suggest(large)[0],
        lambda: running.suggest(small[:-30])[0],
        lambda: running.suggest(b"text")[0],
        lambda: running.request("POST", "/", form_of(small), form)[0],
        lambda: running.request("GET", "/about")[0],
        lambda: running.request("GET", "/api/v1/tags")[0],
        lambda: running.request("GET", "/nothing")[0],
        torn,
    ]


def main() -> int:
    asked = arguments(__doc__, requests=10_000, clients=4)
    seen: dict[int, int] = {}
    with server() as running, ThreadPoolExecutor(asked.clients) as pool:
        worker, in_turn = running.worker(), itertools.cycle(kinds(running))
        memory = [resident_mib(worker)]
        for _ in range(10):
            asks = itertools.islice(in_turn, asked.requests // 10)
            for status in pool.map(lambda ask: ask(), asks):
                seen[status] = seen.get(status, 0) + 1
            memory.append(resident_mib(worker))
        assert running.worker() == worker, "the worker was replaced"
    names = ["at the start", *(f"after {n}0 %" for n in range(1, 11))]
    show(
        [
            *((f"MiB {name}", mib) for name, mib in zip(names, memory, strict=True)),
            ("growth from 10 % on", f"{memory[-1] / memory[1] - 1:+.1%}"),
            ("answers by status (0: torn)", dict(sorted(seen.items()))),
        ]
    )
    return verdict(memory[-1] < 1.1 * memory[1] and not {500, 502} & set(seen))


if __name__ == "__main__":
    sys.exit(main())
