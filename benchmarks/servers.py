"""Waitress and granian: the same application, busy, and with stalled uploads.

Granian is no part of Lablr and of none of its extras::

    pip install granian
    python -m benchmarks.servers
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from benchmarks.load import closed_loop
from benchmarks.photos import megapixel_jpegs
from benchmarks.reporting import Report, Table, Target, run_as_command, say
from benchmarks.server_process import (
    Server,
    half_sent,
    multipart_request,
    running_server,
)
from benchmarks.timing import Spread
from lablr.system.cpu import available_threads
from webapp.http.server import SPARE_THREADS
from webapp.state.settings import Settings

METHOD = """\
The same Flask application on {n_cores} cores, served by waitress as `lablr serve` does
it, and by granian: one worker, its WSGI interface, HTTP/1, as many blocking threads as
waitress has ({n_threads}), and by its environment what `lablr serve` sets itself (one
BLAS thread, two heaps). {n_rounds} rounds, the two in turns, each in fresh processes:
{n_clients} clients in a closed loop of uploads of 1280 x 854 pixels for {load_s:g} s,
a connection each; the proportional set size of all its processes; {n_probes} times
`/livez` with nothing else to do; then {n_stalled} clients that each send half of an
upload and stall, and `/livez` every {pause_s:g} s for {stalled_s:g} s. A `/livez`
without an answer after {limit_s:g} s counts with that time; it is late after 1 s."""

N_CLIENTS, N_STALLED = 4, 200
PAUSE_S = 0.1
LIMIT_S = 5.0
LATE_S = 1.0


@dataclass(frozen=True)
class Plan:
    """How long each part is; the stalled one is shorter than any server's patience."""

    load_s: float = 15.0
    n_probes: int = 300
    stalled_s: float = 20.0
    n_rounds: int = 3


@dataclass(frozen=True)
class Seen:
    """What one server did in one round; seconds of each `/livez`."""

    photos_a_second: float
    memory_mb: float
    idle: tuple[float, ...]
    stalled: tuple[float, ...]

    @property
    def late(self) -> float:
        """Share of the `/livez` during the stall that took more than a second."""
        return float(np.mean(np.array(self.stalled) > LATE_S))


def n_threads() -> int:
    """As webapp/http/server.py counts them."""
    settings = Settings.read({})
    return settings.max_running + settings.max_waiting + SPARE_THREADS


def granian() -> AbstractContextManager[Server]:
    """The application served by granian on a free port."""
    if importlib.util.find_spec("granian") is None:
        raise SystemExit("granian is not installed: pip install granian")
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = str(sock.getsockname()[1])
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--http", "1"]
    command += ["--workers", "1", "--blocking-threads", str(n_threads())]
    # threads that stalled uploads hold never end
    command += ["--port", port, "--workers-kill-timeout", "5"]
    settings = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    return running_server([*command, "--factory", "webapp:create_app"], **settings)


WAYS: dict[str, Callable[[], AbstractContextManager[Server]]] = {
    "waitress": running_server,
    "granian": granian,
}


def probe(server: Server) -> float:
    """Seconds until `/livez` is answered with 200; `LIMIT_S` when it is not."""
    start = time.perf_counter()
    try:
        status = server.get("/livez", LIMIT_S)
    except OSError:
        status = 0
    return min(LIMIT_S, time.perf_counter() - start) if status == 200 else LIMIT_S


def probe_while_stalled(
    server: Server, request: bytes, seconds: float
) -> tuple[float, ...]:
    """The seconds of each `/livez` while many hold back half of their uploads."""
    seconds_of_each = []
    with contextlib.ExitStack() as stack:
        for _ in range(N_STALLED):
            stack.enter_context(half_sent(server, request))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            seconds_of_each.append(probe(server))
            time.sleep(PAUSE_S)
    return tuple(seconds_of_each)


def observe(name: str, plan: Plan) -> Seen:
    """One round of one server."""
    requests = [multipart_request(jpeg) for jpeg in megapixel_jpegs()]
    with WAYS[name]() as server:
        load = closed_loop(server.port, requests, N_CLIENTS, plan.load_s)
        assert load.share(200) == 1, f"{name} refused one of {N_CLIENTS} clients"
        memory_mb = server.resident_mb()
        idle = tuple(probe(server) for _ in range(plan.n_probes))
        stalled = probe_while_stalled(server, requests[0], plan.stalled_s)
    seen = Seen(load.goodput, memory_mb, idle, stalled)
    say(f"{name}: {seen.photos_a_second:.1f} photos/s, {seen.late:.0%} late if stalled")
    return seen


def in_turns(plan: Plan) -> dict[str, list[Seen]]:
    """All rounds, each beginning with the other server."""
    names = list(WAYS)
    seen: dict[str, list[Seen]] = {name: [] for name in names}
    for turn in range(plan.n_rounds):
        for name in names if turn % 2 == 0 else names[::-1]:
            seen[name].append(observe(name, plan))
    return seen


def measure(words: argparse.Namespace) -> Report:
    granian()  # says at once that it is missing
    plan = Plan(2.0, 20, 2.0, 1) if words.quick else Plan()
    seen = in_turns(plan)
    return Report(
        title="Waitress and granian",
        method=METHOD.format(
            n_cores=available_threads(),
            n_threads=n_threads(),
            n_rounds=plan.n_rounds,
            n_clients=N_CLIENTS,
            load_s=plan.load_s,
            n_probes=plan.n_probes,
            n_stalled=N_STALLED,
            pause_s=PAUSE_S,
            stalled_s=plan.stalled_s,
            limit_s=LIMIT_S,
        ),
        tables=[work(seen), health(seen)],
        targets=[
            Target(
                "slowest `/livez` of waitress with stalled uploads",
                LATE_S,
                max(max(one.stalled) for one in seen["waitress"]),
                "s",
            )
        ],
    )


def work(seen: dict[str, list[Seen]]) -> Table:
    """Photos a second and memory."""
    base = np.array([one.photos_a_second for one in seen["waitress"]])
    rows = []
    for name, rounds in seen.items():
        rates = np.array([one.photos_a_second for one in rounds])
        rows.append(
            [
                name,
                Spread.of(rates).text(1),
                Spread.of(rates / base).text(),
                Spread.of([one.memory_mb for one in rounds]).text(0),
            ]
        )
    return Table(("server", "photos/s", "/ waitress", "MB in use"), rows)


def health(seen: dict[str, list[Seen]]) -> Table:
    """`/livez`, alone and with the stalled uploads."""
    headings = (
        "`/livez`",
        "alone, p50 ms",
        "alone, p99 ms",
        "stalled, p50 ms",
        "stalled, p99 ms",
        "stalled, late",
    )
    rows = [
        [
            name,
            *percentiles([seconds for one in rounds for seconds in one.idle]),
            *percentiles([seconds for one in rounds for seconds in one.stalled]),
            f"{np.mean([one.late for one in rounds]):.0%}",
        ]
        for name, rounds in seen.items()
    ]
    return Table(headings, rows)


def percentiles(seconds: Sequence[float]) -> list[str]:
    """p50 and p99 in milliseconds."""
    return [f"{1000 * figure:,.1f}" for figure in np.percentile(seconds, (50, 99))]


if __name__ == "__main__":
    run_as_command(measure)
