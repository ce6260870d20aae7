"""An open loop of HTTP requests: sent when they are due, however late the answers.

A closed loop, whose clients wait for an answer before they ask again, slows down
with the server and never shows what too many at once do to it. Here every request
has its own connection and its own time, drawn beforehand as a Poisson process.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Answer", "Load", "closed_loop", "open_loop"]

TIMEOUT_S = 60.0
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Answer:
    """What became of one request.

    status : of the answer; 0 where the connection gave none.
    retry_after : whether it says when to come again.
    lag_s : how long after its due time it was begun; the generator's fault.
    latency_s : from its beginning (connect) to the end of the answer.
    end_s : when that was, since the loop began.
    """

    status: int
    retry_after: bool
    lag_s: float
    latency_s: float
    end_s: float


@dataclass(frozen=True)
class Load:
    """The answers to requests that were due within ``seconds``.

    generator_s : CPU seconds that sending and receiving took in this process.
    server_s : CPU seconds of the server meanwhile; 0 when nobody asked.
    """

    answers: tuple[Answer, ...]
    seconds: float
    generator_s: float
    server_s: float = 0.0

    @property
    def offered(self) -> float:
        """Requests a second."""
        return len(self.answers) / self.seconds

    @property
    def goodput(self) -> float:
        """Photos answered with 200 a second; answers after the end do not count."""
        good = [answer.end_s <= self.seconds for answer in self.of(200)]
        return sum(good) / self.seconds

    def of(self, *statuses: int) -> list[Answer]:
        """The answers with one of these statuses."""
        return [answer for answer in self.answers if answer.status in statuses]

    def share(self, *statuses: int) -> float:
        """Share of the answers with one of these statuses."""
        return len(self.of(*statuses)) / max(1, len(self.answers))


def open_loop(
    port: int, requests: Sequence[bytes], rate: float, seconds: float, seed: int
) -> Load:
    """Send `rate` requests a second, by turns of `requests`, and await all answers."""
    generator = np.random.default_rng(seed)
    n_likely = int(rate * seconds + 10 * np.sqrt(rate * seconds) + 10)
    due = np.cumsum(generator.exponential(1 / rate, n_likely))
    return _run(_send_when_due(port, requests, due[due < seconds]), seconds)


def closed_loop(
    port: int, requests: Sequence[bytes], n_clients: int, seconds: float
) -> Load:
    """As many clients, each asking again as soon as it is answered."""
    return _run(_send_in_turn(port, requests, n_clients, seconds), seconds)


def _run(sending: Coroutine[Any, Any, list[Answer]], seconds: float) -> Load:
    cpu_before = time.process_time()
    answers = asyncio.run(sending)
    return Load(tuple(answers), seconds, time.process_time() - cpu_before)


async def _send_when_due(
    port: int, requests: Sequence[bytes], due: Floats
) -> list[Answer]:
    start = time.perf_counter()
    tasks = []
    for number, due_s in enumerate(due):
        wait_s = start + due_s - time.perf_counter()
        # Even a loop that is late lets the others run.
        await asyncio.sleep(max(0.0, wait_s))
        request = requests[number % len(requests)]
        tasks.append(asyncio.create_task(_ask(port, request, start, float(due_s))))
    return await asyncio.gather(*tasks)


async def _send_in_turn(
    port: int, requests: Sequence[bytes], n_clients: int, seconds: float
) -> list[Answer]:
    start = time.perf_counter()

    async def client(number: int) -> list[Answer]:
        answers: list[Answer] = []
        while (now := time.perf_counter() - start) < seconds:
            request = requests[(number + len(answers)) % len(requests)]
            answers.append(await _ask(port, request, start, now))
        return answers

    of_clients = await asyncio.gather(*map(client, range(n_clients)))
    return [answer for answers in of_clients for answer in answers]


async def _ask(port: int, request: bytes, start: float, due_s: float) -> Answer:
    begun = time.perf_counter()
    try:
        head = await asyncio.wait_for(_exchange(port, request), TIMEOUT_S)
    except (OSError, asyncio.TimeoutError):
        head = b""
    end = time.perf_counter()
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", head)
    return Answer(
        status=int(found[1]) if found else 0,
        retry_after=b"\r\nretry-after:" in head.lower(),
        lag_s=begun - start - due_s,
        latency_s=end - begun,
        end_s=end - start,
    )


async def _exchange(port: int, request: bytes) -> bytes:
    """Send a request that asks to close, and return the answer's head."""
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, ("127.0.0.1", port))
        # Refused before it was whole: the reason may still be read.
        with contextlib.suppress(OSError):
            await loop.sock_sendall(sock, request)
        answer = b""
        while part := await loop.sock_recv(sock, 1 << 16):
            answer += part
    return answer.partition(b"\r\n\r\n")[0] + b"\r\n"
