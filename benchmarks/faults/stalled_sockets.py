"""Clients that begin an upload and stall: who else is still answered, how soon?

New connections take the place of those that the server closes for their silence, so
that as many stall all the time. Promise: /livez within 1 s, photos answered.
"""

from __future__ import annotations

import contextlib
import select
import socket
import statistics
import sys
import time

from photo_makers import jpeg

from benchmarks.faults.shared import Server, arguments, server, show, timed, verdict

HEAD = (
    b"POST /api/v1/suggestions HTTP/1.1\r\nHost: a\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000000\r\n\r\n"
)


def stall(running: Server) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", running.port), timeout=60)
    client.sendall(HEAD + b"--x")
    return client


def replace_the_closed(running: Server, clients: list[socket.socket]) -> int:
    """Stall anew for every connection that was closed; return how many."""
    closed, _, _ = select.select(clients, [], [], 0)
    for client in closed:
        clients.remove(client)
        client.close()
        clients.append(stall(running))
    return len(closed)


def main() -> int:
    asked = arguments(__doc__, sockets=200, seconds=60)
    live, photos, n_replaced = [], [], 0
    with server() as running, contextlib.ExitStack() as stack:
        clients = [stall(running) for _ in range(asked.sockets)]
        stack.callback(lambda: [client.close() for client in clients])
        end = time.monotonic() + asked.seconds
        while time.monotonic() < end:
            seconds, answer = timed(lambda: running.request("GET", "/livez"))
            assert answer[0] == 200, answer
            live.append(seconds)
            seconds, answer = timed(lambda: running.suggest(jpeg()))
            assert answer[0] == 200, answer
            photos.append(seconds)
            n_replaced += replace_the_closed(running, clients)
    show(
        [
            ("stalled sockets", asked.sockets),
            ("of which closed by the server, and replaced", n_replaced),
            ("requests to /livez", len(live)),
            ("/livez, median, ms", 1000 * statistics.median(live)),
            ("/livez, slowest, ms", 1000 * max(live)),
            ("a photo, median, ms", 1000 * statistics.median(photos)),
            ("a photo, slowest, ms", 1000 * max(photos)),
        ]
    )
    return verdict(max(live) < 1)


if __name__ == "__main__":
    sys.exit(main())
