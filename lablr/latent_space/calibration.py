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

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from lablr.corpus.records import hash64
from lablr.latent_space.arrays import checked
from lablr.system.arrays import Arrays, Bools, Floats, Ints, Reals

PRIOR_STRENGTH = 2.0
# A calibration that was fitted before gives way to more photos, but slowly.
UPDATE_STRENGTH = 10.0
NEWTON_STEPS = 100
MIN_SLOPE = 1e-3

# What is fitted is judged on photos it was not fitted on, this many parts in turn.
N_FOLDS = 5


@dataclass(frozen=True)
class Calibration:
    """Platt scaling of T tags: `slopes` (T,) and `intercepts` (T,)."""

    slopes: Floats
    intercepts: Floats

    def probability(self, log_likelihood_ratio: Reals) -> Floats:
        """Return probabilities (N, T) of log-likelihood ratios (N, T)."""
        logits = self.slopes * log_likelihood_ratio + self.intercepts
        # 1 / (1 + e^-z) without overflow, and exact where it is next to nothing:
        # the last tags of a photo are still in order.
        return np.asarray(np.exp(-np.logaddexp(0, -logits)), np.float64)

    @classmethod
    def fit(cls, log_likelihood_ratio: Reals, membership: Bools) -> Calibration:
        """Fit on photos kept aside: ratios and membership, each (N, T).

        Without photos the ratios are taken at their word: slope 1, intercept 0.
        """
        # In units of the ratios' spread the prior means the same for any d.
        unit = float(np.std(log_likelihood_ratio)) if len(membership) else 0.0
        unit = unit or 1.0
        ratios = np.asarray(log_likelihood_ratio, np.float64) / unit
        relevant = membership.astype(np.float64)
        start = np.array([[1.0], [0.0]])
        pooled = _platt(
            ratios.reshape(-1, 1), relevant.reshape(-1, 1), start, strength=1e-6
        )
        slopes, intercepts = _platt(ratios, relevant, pooled, PRIOR_STRENGTH)
        return cls(slopes / unit, intercepts)

    def updated(
        self, log_likelihood_ratio: Reals, membership: Bools, known: Bools
    ) -> Calibration:
        """Draw this one toward what more photos say, all (N, T).

        Only pairs that are `known` count. This calibration is the prior, worth
        `UPDATE_STRENGTH`, so a tag without known pairs keeps its own.
        """
        ratios = np.where(known, log_likelihood_ratio, 0.0)
        unit = float(np.std(ratios[known])) if known.any() else 0.0
        unit = unit or 1.0
        slopes, intercepts = _platt(
            ratios / unit,
            (membership & known).astype(np.float64),
            np.stack([self.slopes * unit, self.intercepts]),
            UPDATE_STRENGTH,
            weights=known.astype(np.float64),
        )
        return Calibration(slopes / unit, intercepts)

    def to_arrays(self) -> Arrays:
        """Return arrays for the bundle."""
        return {"slopes": self.slopes, "intercepts": self.intercepts}

    @classmethod
    def from_arrays(cls, arrays: Arrays, n_tags: int) -> Calibration:
        """Read back `to_arrays`; raises `BundleError` where the shapes disagree."""
        names = ("slopes", "intercepts")
        file = "calibration.npz"
        return cls(*(checked(arrays, name, (n_tags,), file) for name in names))


def _platt(
    ratios: Floats,
    relevant: Floats,
    prior: Floats,
    strength: float,
    held: Bools | None = None,
    weights: Floats | float = 1.0,
) -> Floats:
    """Find the most probable (2, T) slopes and intercepts, by damped Newton steps.

    With ``z = a ratio + b`` minimizes, for each tag,
    ``sum w (log(1 + e^z) - y z) + strength/2 |theta - prior|^2``, the `weights` w
    (N, T) or 1. Slopes are at least
    `MIN_SLOPE`: a tag whose ratio says nothing, or the contrary, still ranks by it,
    faintly. The problem is convex, so where the free minimum is below the bound the
    slope is `held` (T,) there and the intercept found for it.
    """
    theta = np.repeat(prior, ratios.shape[1] // prior.shape[1], axis=1)
    held = np.zeros(len(theta[0]), np.bool_) if held is None else held
    theta[0, held] = MIN_SLOPE
    for _ in range(NEWTON_STEPS):
        step = _newton_step(theta, ratios, relevant, prior, strength, held, weights)
        # Far from the solution the curvature vanishes and a full step overshoots. One
        # of log(1 + m) / m, m the most that a logit moves, is sure to descend (Sun &
        # Tran-Dinh, "Generalized self-concordant functions", 2019).
        moved = np.abs(step[0] * ratios + step[1]).max(axis=0, initial=1e-12)
        theta = theta - step * np.log1p(moved) / moved
        if np.abs(step).max() < 1e-9:
            break
    low = theta[0] < MIN_SLOPE
    if low.any():
        return _platt(ratios, relevant, prior, strength, held | low, weights)
    return theta


def _newton_step(
    theta: Floats,
    ratios: Floats,
    relevant: Floats,
    prior: Floats,
    strength: float,
    held: Bools,
    weights: Floats | float,
) -> Floats:
    """Return Hessian^-1 gradient, (2, T).

    The gradient is ``sum w (p - y)(ratio, 1)``, the Hessian
    ``sum w p (1 - p) (ratio, 1)(ratio, 1)^T``, each plus the prior's. Of `held` tags
    only the intercept moves.
    """
    p = 0.5 * (1 + np.tanh(0.5 * (theta[0] * ratios + theta[1])))
    error = weights * (p - relevant)
    curvature = weights * p * (1 - p)
    gradient = np.stack([(error * ratios).sum(0), error.sum(0)])
    gradient += strength * (theta - prior)
    aa = (curvature * ratios**2).sum(0) + strength
    ab = (curvature * ratios).sum(0)
    bb = curvature.sum(0) + strength
    gradient[0, held], ab[held] = 0.0, 0.0
    determinant = aa * bb - ab**2
    return np.stack(
        [
            (bb * gradient[0] - ab * gradient[1]) / determinant,
            (aa * gradient[1] - ab * gradient[0]) / determinant,
        ]
    )


def threshold_at_precision(
    membership: Bools, probability: Reals, precision: float
) -> float:
    """Find the lowest probability from which on `precision` of the tags are right.

    `membership` and `probability` (N, T) are pooled over all photos and tags. Returns
    1.0 when no threshold reaches the precision, 0 to 1.
    """
    order = np.argsort(-probability, axis=None, kind="stable")
    accepted = probability.ravel()[order]
    right = np.cumsum(membership.ravel()[order])
    reached = right / np.arange(1, len(order) + 1) >= precision
    # Equal probabilities are accepted together or not at all.
    reached[:-1] &= accepted[:-1] > accepted[1:]
    if not reached.any():
        return 1.0
    return float(accepted[np.flatnonzero(reached)[-1]])


def folds_of(names: Iterable[object]) -> Ints:
    """Return the fold (N,) of each photo, from a hash of its name: it never moves."""
    return np.array([hash64(str(name)) % N_FOLDS for name in names], np.int64)


def out_of_fold(
    folds: Ints, n_columns: int, predict: Callable[[Bools, Bools], Floats]
) -> Floats:
    """Join what `predict(others, own)` says of the photos of each fold: (N, columns).

    Both are masks (N,): of the photos to learn from, and of the fold's own.
    """
    found = np.zeros((len(folds), n_columns))
    for fold in np.unique(folds):
        own = folds == fold
        found[own] = predict(~own, own)
    return found


def cross_fitted(ratio: Reals, membership: Bools, names: Iterable[object]) -> Floats:
    """Return probabilities (N, T), each photo's by a calibration fitted without it."""

    def predict(others: Bools, own: Bools) -> Floats:
        calibration = Calibration.fit(ratio[others], membership[others])
        return calibration.probability(ratio[own])

    return out_of_fold(folds_of(names), ratio.shape[1], predict)
