"""From a log-likelihood ratio to a probability that can be believed.

A tag's Gaussians are fitted on photos the encoder has learned from, so their
ratios are too sure of themselves. Platt scaling (Platt, "Probabilistic outputs
for support vector machines", 1999) mends that on photos kept aside, per tag::

    P(tag | photo) = sigmoid(a_t * ratio + b_t)

A tag with few validation photos cannot carry two numbers of its own, so each
(a_t, b_t) is drawn toward the pair that fits all tags together: a Gaussian prior
worth `PRIOR_STRENGTH`, the mode of which is found by Newton's method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lablr.errors import BundleError

__all__ = ["Calibration", "threshold_at_precision"]

Array = npt.NDArray[np.floating]

PRIOR_STRENGTH = 2.0
NEWTON_STEPS = 50
MIN_SLOPE = 1e-3


@dataclass(frozen=True)
class Calibration:
    """Platt scaling of T tags: `slopes` (T,) and `intercepts` (T,)."""

    slopes: npt.NDArray[np.float64]
    intercepts: npt.NDArray[np.float64]

    def probability(self, log_likelihood_ratio: Array) -> npt.NDArray[np.float64]:
        """Probabilities (N, T) of log-likelihood ratios (N, T)."""
        logits = self.slopes * log_likelihood_ratio + self.intercepts
        # tanh does not overflow where exp would.
        return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), np.float64)

    @classmethod
    def fit(
        cls, log_likelihood_ratio: Array, membership: npt.NDArray[np.bool_]
    ) -> Calibration:
        """Fit on photos kept aside: ratios and membership, each (N, T)."""
        # In units of the ratios' spread the prior means the same for any d.
        unit = float(np.std(log_likelihood_ratio)) or 1.0
        ratios = np.asarray(log_likelihood_ratio, np.float64) / unit
        relevant = membership.astype(np.float64)
        start = np.array([[1.0], [0.0]])
        pooled = _platt(
            ratios.reshape(-1, 1), relevant.reshape(-1, 1), start, strength=1e-6
        )
        slopes, intercepts = _platt(ratios, relevant, pooled, PRIOR_STRENGTH)
        # A tag whose ratio says nothing on validation still ranks by it, faintly.
        return cls(np.maximum(slopes, MIN_SLOPE) / unit, intercepts)

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Arrays for the bundle."""
        return {"slopes": self.slopes, "intercepts": self.intercepts}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, npt.NDArray[np.generic]], n_tags: int
    ) -> Calibration:
        """Read back `to_arrays`; raises `BundleError` where the shapes disagree."""
        for name in ("slopes", "intercepts"):
            shape = arrays[name].shape if name in arrays else "nothing"
            if shape != (n_tags,):
                raise BundleError(
                    f"calibration.npz: expected {name} {(n_tags,)}, found {shape}"
                )
        return cls(
            np.asarray(arrays["slopes"], np.float64),
            np.asarray(arrays["intercepts"], np.float64),
        )


def _platt(
    ratios: npt.NDArray[np.float64],
    relevant: npt.NDArray[np.float64],
    prior: npt.NDArray[np.float64],
    strength: float,
) -> npt.NDArray[np.float64]:
    """The most probable (2, T) slopes and intercepts, by damped Newton steps.

    With ``z = a ratio + b`` minimizes, for each tag,
    ``sum log(1 + e^z) - y z + strength/2 |theta - prior|^2``. The gradient is
    ``sum (p - y)(ratio, 1)``, the Hessian ``sum p (1 - p) (ratio, 1)(ratio, 1)^T``,
    each plus the prior's.
    """
    theta = np.repeat(prior, ratios.shape[1], axis=1) if prior.shape[1] == 1 else prior
    for _ in range(NEWTON_STEPS):
        p = 0.5 * (1 + np.tanh(0.5 * (theta[0] * ratios + theta[1])))
        error = p - relevant
        curvature = p * (1 - p)
        gradient = np.stack([(error * ratios).sum(0), error.sum(0)])
        gradient += strength * (theta - prior)
        aa = (curvature * ratios**2).sum(0) + strength
        ab = (curvature * ratios).sum(0)
        bb = curvature.sum(0) + strength
        determinant = aa * bb - ab**2
        step = np.stack(
            [
                (bb * gradient[0] - ab * gradient[1]) / determinant,
                (aa * gradient[1] - ab * gradient[0]) / determinant,
            ]
        )
        # Far from the solution the curvature vanishes and a full step overshoots.
        theta = theta - np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-9:
            break
    return theta


def threshold_at_precision(
    membership: npt.NDArray[np.bool_], probability: Array, precision: float
) -> float:
    """The lowest probability above which at least `precision` of the tags are right.

    Parameters
    ----------
    membership, probability : (N, T), pooled over all photos and tags.
    precision : share of accepted tags that must be right, 0 to 1.

    Returns
    -------
    A probability; 1.0 when no threshold reaches the precision.
    """
    order = np.argsort(-probability, axis=None, kind="stable")
    right = np.cumsum(membership.ravel()[order])
    reached = right / np.arange(1, len(order) + 1) >= precision
    if not reached.any():
        return 1.0
    last = int(np.flatnonzero(reached)[-1])
    return float(probability.ravel()[order][last])
