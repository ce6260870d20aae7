"""Times of ways that do the same work, taken in turns, and how they spread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Spread", "Times", "milliseconds", "ratios", "seconds_of", "times_in_turns"]

Times = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of a figure over its repetitions."""

    median: float
    lower: float
    upper: float

    @classmethod
    def of(cls, figures: npt.ArrayLike) -> Spread:
        """Of figures (n,), n >= 1."""
        lower, median, upper = np.percentile(np.asarray(figures, float), (25, 50, 75))
        return cls(float(median), float(lower), float(upper))

    def text(self, digits: int = 2) -> str:
        """``median (lower to upper)`` with so many digits after the point."""
        median, lower, upper = (
            f"{figure:,.{digits}f}" for figure in (self.median, self.lower, self.upper)
        )
        return f"{median} ({lower} to {upper})"


def seconds_of(way: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    way()
    return time.perf_counter() - start


def times_in_turns(
    ways: Mapping[str, Callable[[], object]], n_rounds: int, n_warm_up: int = 1
) -> dict[str, Times]:
    """Seconds (n_rounds,) of each way, every round running each of them once.

    The round begins with another way each time: what a way leaves behind, such as
    a warm cache, is then no advantage of the one that always comes second.
    """
    names = list(ways)
    for _ in range(n_warm_up):
        for name in names:
            ways[name]()
    times = {name: np.empty(n_rounds) for name in names}
    for turn in range(n_rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            times[name][turn] = seconds_of(ways[name])
    return times


def ratios(over: Times, under: Times) -> Spread:
    """Spread of the ratio of two ways, round by round."""
    return Spread.of(over / under)


def milliseconds(times: Times, n_photos: int = 1) -> Spread:
    """Spread of the milliseconds of one of `n_photos` photos."""
    return Spread.of(1000 * times / n_photos)
