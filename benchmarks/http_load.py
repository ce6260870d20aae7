"""HTTP: latency and photos a second at 0.5, 1, 2 and 4 times the knee."""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.load import Answer, Load, closed_loop, open_loop
from benchmarks.photos import megapixel_jpegs
from benchmarks.reporting import Report, Table, Target, run_as_command, say
from benchmarks.server_process import Server, multipart_request, running_server
from benchmarks.timing import Spread
from lablr.system.cpu import available_threads

METHOD = """\
`lablr serve` with its own settings, and an open loop of uploads of 1280 x 854 pixels
(about 300 kB, ten tags asked), a connection each, at times drawn as a Poisson process.
The generator runs on the same {n_cores} cores; what it takes of them is in the table.
The knee is the highest rate at which {accepted:.0%} are answered with tags, found by
halving between half of and {most:g} times what {n_clients} clients get that ask again
as soon as they are answered. Then {n_rounds} rounds of 0.5, 1, 2 and 4 times the knee,
{seconds:g} s each and {longest:g} s at 4 times. Goodput counts the photos answered with
tags before the round's end. Latency is from connecting to the end of the answer,
refusals apart; lag is how late the generator began a request."""

FACTORS = (0.5, 1.0, 2.0, 4.0)
ACCEPTED = 0.99
LEAST, MOST = 0.5, 1.25  # of the closed loop's rate: where the knee is looked for
N_HALVINGS = 5
N_CLIENTS = 4
OK, BUSY = 200, 503


@dataclass(frozen=True)
class Plan:
    """How long each part is, in seconds, and how often it is repeated."""

    search_s: float = 12.0
    round_s: float = 20.0
    overload_s: float = 40.0
    n_rounds: int = 3
    n_halvings: int = N_HALVINGS

    def seconds(self, factor: float) -> float:
        """Of one round at a multiple of the knee."""
        return self.overload_s if factor == max(FACTORS) else self.round_s


Ask = Callable[[float, float], Load]  # rate, seconds


class Client:
    """Sends photos to a server, each load with other times of its own."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.requests = [multipart_request(jpeg) for jpeg in megapixel_jpegs()]
        self.n_loads = 0

    def ask(self, rate: float, seconds: float) -> Load:
        """An open loop; with the CPU seconds that the server took."""
        self.n_loads += 1
        before = self.server.cpu_s()
        load = open_loop(self.server.port, self.requests, rate, seconds, self.n_loads)
        return dataclasses.replace(load, server_s=self.server.cpu_s() - before)

    def rate_of_closed_loop(self, seconds: float) -> float:
        """Photos a second of a few clients that never pause."""
        load = closed_loop(self.server.port, self.requests, N_CLIENTS, seconds)
        assert load.share(OK) == 1, "a few clients are already too many"
        return load.goodput


def find_knee(ask: Ask, rate: float, plan: Plan) -> float:
    """The highest rate with `ACCEPTED` answered, between two multiples of `rate`."""
    low, high = LEAST * rate, MOST * rate
    for _ in range(plan.n_halvings):
        middle = (low + high) / 2
        share = ask(middle, plan.search_s).share(OK)
        say(f"{middle:.1f} photos/s: {share:.1%} answered with tags")
        low, high = (middle, high) if share >= ACCEPTED else (low, middle)
    return low


def rounds(ask: Ask, knee: float, plan: Plan) -> dict[float, list[Load]]:
    """The loads of every round by the multiple of the knee."""
    loads: dict[float, list[Load]] = {factor: [] for factor in FACTORS}
    for _ in range(plan.n_rounds):
        for factor in FACTORS:
            load = ask(factor * knee, plan.seconds(factor))
            loads[factor].append(load)
            say(f"{factor:g} x the knee: {load.goodput:.1f} photos/s with tags")
    return loads


def measure(words: argparse.Namespace) -> Report:
    plan = Plan(2.0, 2.0, 2.0, 1, 1) if words.quick else Plan()
    with running_server() as server:
        client = Client(server)
        rate = client.rate_of_closed_loop(plan.search_s)
        say(f"{N_CLIENTS} clients in a closed loop: {rate:.1f} photos/s")
        knee = find_knee(client.ask, rate, plan)
        loads = rounds(client.ask, knee, plan)
        assert server.process.poll() is None, "the server has ended"
    refused = [
        answer for many in loads.values() for load in many for answer in load.of(BUSY)
    ]
    return Report(
        title="HTTP under load",
        method=METHOD.format(
            n_cores=available_threads(),
            accepted=ACCEPTED,
            most=MOST,
            n_clients=N_CLIENTS,
            n_rounds=plan.n_rounds,
            seconds=plan.round_s,
            longest=plan.overload_s,
        ),
        tables=[table(loads, knee), costs(loads)],
        targets=targets(loads),
        findings=[
            f"The knee is {knee:.1f} photos/s; {N_CLIENTS} clients in a closed loop "
            f"get {rate:.1f}. {len(refused):,} photos were refused with 503, "
            f"{sum(answer.retry_after for answer in refused):,} with Retry-After."
        ],
    )


def table(loads: dict[float, list[Load]], knee: float) -> Table:
    """What the clients saw."""
    headings = (
        "times the knee",
        "offered/s",
        "photos/s with tags",
        "/ the knee",
        "p50 ms",
        "p99 ms",
        "refused",
        "refusal p99 ms",
        "other",
    )
    rows = []
    for factor, many in loads.items():
        good, refused = together(many, OK), together(many, BUSY)
        others = 1 - np.mean([load.share(OK, BUSY) for load in many])
        goodput = np.array([load.goodput for load in many])
        rows.append(
            [
                f"{factor:g}",
                f"{np.mean([load.offered for load in many]):.1f}",
                Spread.of(goodput).text(1),
                Spread.of(goodput / knee).text(),
                f"{percentile_ms(good, 50):.0f}",
                f"{percentile_ms(good, 99):.0f}",
                f"{np.mean([load.share(BUSY) for load in many]):.1%}",
                f"{percentile_ms(refused, 99):.0f}" if refused else "-",
                f"{max(0.0, others):.2%}",
            ]
        )
    return Table(headings, rows)


def costs(loads: dict[float, list[Load]]) -> Table:
    """What the machine spent; CPU in cores, that is CPU seconds a second."""
    rows = []
    for factor, many in loads.items():
        seconds = sum(load.seconds for load in many)
        lag_ms = 1000 * np.array([a.lag_s for load in many for a in load.answers])
        server = sum(load.server_s for load in many)
        rows.append(
            [
                f"{factor:g}",
                f"{server / seconds:.2f}",
                f"{1000 * server / max(1, len(together(many, OK))):.0f}",
                f"{sum(load.generator_s for load in many) / seconds:.2f}",
                f"{np.percentile(lag_ms, 99):.0f}",
            ]
        )
    headings = (
        "times the knee",
        "server, cores",
        "CPU ms a photo with tags",
        "generator, cores",
        "lag p99 ms",
    )
    return Table(headings, rows)


def targets(loads: dict[float, list[Load]]) -> list[Target]:
    """Goodput and refusals at the highest load."""
    at_knee, overloaded = loads[1.0], loads[max(FACTORS)]
    kept = [
        high.goodput / low.goodput if low.goodput else np.nan
        for high, low in zip(overloaded, at_knee, strict=True)
    ]
    refused = together(overloaded, BUSY)
    return [
        Target(
            "goodput at 4 times the knee / at the knee",
            0.8,
            float(np.median(kept)),
            at_most=False,
        ),
        Target(
            "refusals at 4 times the knee, p99", 100, percentile_ms(refused, 99), "ms"
        ),
        Target(
            "answers at 4 times the knee that are 200 or 503",
            1,
            min(load.share(OK, BUSY) for load in overloaded),
            "",
            at_most=False,
        ),
    ]


def together(loads: Sequence[Load], status: int) -> list[Answer]:
    """The answers of several loads with one status."""
    return [answer for load in loads for answer in load.of(status)]


def percentile_ms(answers: Sequence[Answer], percent: float) -> float:
    """A percentile of their latencies; nan of none."""
    if not answers:
        return math.nan
    return float(
        1000 * np.percentile([answer.latency_s for answer in answers], percent)
    )


if __name__ == "__main__":
    run_as_command(measure)
