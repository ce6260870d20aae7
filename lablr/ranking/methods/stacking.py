"""The Gaussians and other methods together, weighed on photos kept aside.

Each method's calibrated log-odds l_m(t) are mixed, with one weight a method::

    l(t) = sum_m w_m l_m(t)        w_m >= 0, sum_m w_m = 1

and the sum is calibrated again, per tag: stacking (Wolpert, "Stacked generalization",
Neural Networks 5(2), 1992) with weights that are not negative, as Breiman found best
("Stacked regressions", Machine Learning 24, 1996). They add to 1 and are chosen among
tenths by how well the mixture ranks photos kept aside: what is wanted is the order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lablr.errors import BundleError
from lablr.system.arrays import Arrays, Floats, Reals

# A probability nearer to 0 or 1 says no more.
LEAST = 1e-9
TENTHS = 10


@dataclass(frozen=True, eq=False)
class Blend:
    """Weights (M,) of the rankings named `of`."""

    name = "blend"

    of: tuple[str, ...]
    weights: Floats

    @classmethod
    def fit(
        cls, log_odds_of: Mapping[str, Floats], quality: Callable[[Floats], float]
    ) -> Blend:
        """Find the weights, in tenths, whose mixture (N, T) has most `quality`.

        Of mixtures as good as each other the first is taken.
        """
        of = tuple(log_odds_of)
        choices = [
            cls(of, np.array(tenths, np.float64) / TENTHS)
            for tenths in _shares(TENTHS, len(of))
        ]
        return max(choices, key=lambda blend: quality(blend.logits(log_odds_of)))

    def logits(self, log_odds_of: Mapping[str, Floats]) -> Floats:
        """Return the weighted sum (N, T) of the rankings' log-odds (N, T)."""
        mixed = sum(
            weight * log_odds_of[name]
            for name, weight in zip(self.of, self.weights.tolist(), strict=True)
        )
        return np.asarray(mixed, np.float64)

    def to_arrays(self) -> Arrays:
        """Return arrays for a bundle."""
        names = json.dumps(self.of).encode()
        return {"of": np.frombuffer(names, np.uint8), "weights": self.weights}

    @classmethod
    def from_arrays(cls, arrays: Arrays, known: Sequence[str]) -> Blend:
        """Read back `to_arrays`; `known` are the rankings that there are.

        Raises `BundleError` for another ranking, or weights that make no sense.
        """
        try:
            of = tuple(json.loads(arrays["of"].tobytes()))
            weights = np.asarray(arrays["weights"], np.float64)
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise BundleError(f"blend.npz cannot be read: {error!r}") from error
        if not of or not all(name in known for name in of):
            raise BundleError(f"blend.npz: expected some of {list(known)}, found {of}")
        sensible = weights.shape == (len(of),) and np.isfinite(weights).all()
        if not sensible or (weights < 0).any():
            raise BundleError("blend.npz: the weights make no sense")
        return cls(of, weights)


def _shares(total: int, n_parts: int) -> Iterator[tuple[int, ...]]:
    """Yield every way to divide so many tenths among the parts."""
    if n_parts == 1:
        yield (total,)
        return
    for first in range(total, -1, -1):
        for rest in _shares(total - first, n_parts - 1):
            yield first, *rest


def log_odds(probability: Reals) -> Floats:
    """Return ``log p / (1 - p)``, bounded where p is all but 0 or 1."""
    p = np.clip(np.asarray(probability, np.float64), LEAST, 1 - LEAST)
    return np.asarray(np.log(p) - np.log1p(-p))
