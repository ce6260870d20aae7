"""The Gaussians and other methods together, weighed on photos kept aside.

Each method's calibrated log-odds l_m(t) are mixed, with one weight a method::

    l(t) = sum_m w_m l_m(t)        w_m >= 0

and the sum is calibrated again, per tag. The weights are those with the least
logistic loss on validation: stacking (Wolpert, "Stacked generalization", Neural
Networks 5(2), 1992), with weights that cannot be negative as Breiman found best
("Stacked regressions", Machine Learning 24, 1996).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lablr.errors import BundleError

__all__ = ["Blend", "log_odds"]

Floats = npt.NDArray[np.float64]

# A probability nearer to 0 or 1 says no more.
LEAST = 1e-9
# The pull of all weights toward 1/M, in units of one photo's loss.
PULL = 1.0
STEPS = 200


@dataclass(frozen=True, eq=False)
class Blend:
    """Weights (M,) of the rankings named `of`."""

    name = "blend"

    of: tuple[str, ...]
    weights: Floats

    @classmethod
    def fit(
        cls,
        log_odds_of: Mapping[str, Floats],
        membership: npt.NDArray[np.bool_],
    ) -> Blend:
        """Weigh rankings by their log-odds (N, T) on photos kept aside.

        Minimizes ``sum log(1 + exp(z)) - y z + PULL/2 |w - 1/M|^2`` with ``z = sum w_m
        l_m`` over w >= 0, by projected Newton steps on the few weights.
        """
        of = tuple(log_odds_of)
        stack = np.stack([log_odds_of[name].ravel() for name in of])
        relevant = membership.ravel().astype(np.float64)
        start = np.full(len(of), 1 / len(of))
        weights = start.copy()
        free = np.ones(len(of), np.bool_)
        for _ in range(STEPS):
            p = 0.5 * (1 + np.tanh(0.5 * (weights @ stack)))
            gradient = stack @ (p - relevant) + PULL * (weights - start)
            # At 0 and pushed further down: held there.
            free = (weights > 0) | (gradient < 0)
            hessian = (stack * (p * (1 - p))) @ stack.T + PULL * np.eye(len(of))
            step = np.zeros(len(of))
            step[free] = np.linalg.solve(hessian[np.ix_(free, free)], gradient[free])
            moved = np.maximum(weights - step, 0.0) - weights
            weights = weights + moved
            if np.abs(moved).max() < 1e-10:
                break
        return cls(of, weights)

    def logits(self, log_odds_of: Mapping[str, Floats]) -> Floats:
        """The weighed sum (N, T) of the log-odds (N, T) of the rankings in `of`."""
        mixed = sum(
            weight * log_odds_of[name]
            for name, weight in zip(self.of, self.weights.tolist(), strict=True)
        )
        return np.asarray(mixed, np.float64)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays for a bundle."""
        names = json.dumps(self.of).encode()
        return {"of": np.frombuffer(names, np.uint8), "weights": self.weights}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, npt.NDArray[Any]], known: Sequence[str]
    ) -> Blend:
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


def log_odds(probability: npt.NDArray[np.floating]) -> Floats:
    """``log p / (1 - p)`` of probabilities, bounded where they are all but 0 or 1."""
    p = np.clip(np.asarray(probability, np.float64), LEAST, 1 - LEAST)
    return np.asarray(np.log(p) - np.log1p(-p))
