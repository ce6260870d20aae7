"""Figures of yes-or-no outcomes: intervals, agreement, curves and thresholds.

N judged pairs of photo and tag, each right or not (``right``, (N,) bool) and with the
probability that the model gave it (``probability``, (N,)). Undefined figures are nan.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lablr.fitting.metrics import Tally, average_precision, roc_auc, without_nan

Floats = NDArray[np.float64]

# The 97.5 % quantile of the normal distribution: of a 95 % interval, two-sided.
Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Share:
    """``n_right`` of ``n``, with a 95 % interval by Wilson.

    With p = n_right / n and z = 1.96::

        (p + z²/2n ± z √(p (1 − p)/n + z²/4n²)) / (1 + z²/n)

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical
    inference", JASA 22 (1927). Unlike p ± z √(p (1 − p)/n) it stays within 0 and 1
    and is sound for few cases, or when all or none are right.
    """

    n_right: int
    n: int

    @property
    def share(self) -> float:
        """Return n_right / n."""
        return self.n_right / self.n if self.n else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Return the lower and upper end; 0 and 1 without a case."""
        if not self.n:
            return 0.0, 1.0
        p, n, z = self.share, self.n, Z_95
        middle = p + z**2 / (2 * n)
        spread = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        total = 1 + z**2 / n
        # At the ends the interval touches them, but for the last digit.
        low = 0.0 if self.n_right == 0 else (middle - spread) / total
        high = 1.0 if self.n_right == n else (middle + spread) / total
        return low, high

    def to_dict(self) -> dict[str, object]:
        """Return the share for JSON."""
        return {
            "n_right": self.n_right,
            "n": self.n,
            "share": self.share if self.n else None,
            "interval": list(self.interval),
        }


def cohen_kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """Cohen's kappa of two raters' verdicts on the same photos: 1 is agreement.

    κ = (p_o − p_e) / (1 − p_e), p_o the share of photos that both judged alike and
    p_e = Σ_v p₁(v) p₂(v) what chance alone would give raters with these habits; nan
    without photos, and when chance leaves no room (p_e = 1). Source: J. Cohen, "A
    coefficient of agreement for nominal scales", 1960.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} verdicts and {len(second)}")
    n = len(first)
    if not n:
        return math.nan
    n_alike = sum(a == b for a, b in zip(first, second, strict=True))
    # In whole numbers: p_e = 1 is then met exactly.
    by_chance = sum(first.count(v) * second.count(v) for v in set(first))
    if by_chance == n * n:
        return math.nan
    return (n * n_alike - by_chance) / (n * n - by_chance)


@dataclass(frozen=True)
class AtThreshold:
    """The effect of a threshold on the judged tags: it accepts those at or above it."""

    threshold: float
    accepted_right: int
    accepted_wrong: int
    rejected_right: int
    rejected_wrong: int

    @property
    def precision(self) -> float:
        """Return the share of the accepted that are right; nan when there are none."""
        return _share(self.accepted_right, self.accepted_wrong)

    @property
    def recall(self) -> float:
        """Return the share of the right that are accepted (true positive rate)."""
        return _share(self.accepted_right, self.rejected_right)

    @property
    def false_positive_rate(self) -> float:
        """Return the share of the wrong that are accepted."""
        return _share(self.accepted_wrong, self.rejected_wrong)

    def to_dict(self) -> dict[str, object]:
        """Return the counts for JSON, None for nan."""
        names = ("precision", "recall", "false_positive_rate")
        figures = vars(self) | {name: getattr(self, name) for name in names}
        return {name: without_nan(figure) for name, figure in figures.items()}


class Curves:
    """The ROC and precision-recall curves of judged tags.

    One point for each distinct probability, from the highest down: what accepting
    everything at or above it gives. ``true_positive_rate`` is also the recall.

    thresholds : (P,) descending.
    true_positive_rate, false_positive_rate, precision : (P,), nan where undefined.
    roc_auc : area under the ROC curve, see `lablr.fitting.metrics.roc_auc`.
    average_precision : area under the precision-recall curve as a sum of steps, see
        `lablr.fitting.metrics.average_precision`; the trapezium's rule is too kind
        there (Davis and Goadrich, "The relationship between precision-recall and ROC
        curves", 2006).
    """

    def __init__(self, right: ArrayLike, probability: ArrayLike) -> None:
        self.right = np.asarray(right, np.bool_)
        self.probability = np.asarray(probability, np.float64)
        if self.right.shape != self.probability.shape or self.right.ndim != 1:
            raise ValueError(f"{self.right.shape} against {self.probability.shape}")
        tally = Tally.of(self.right, self.probability)
        self.thresholds = tally.scores
        self.n_right = np.cumsum(tally.n_right)
        self.n_wrong = np.cumsum(tally.n) - self.n_right
        with np.errstate(invalid="ignore"):
            self.true_positive_rate: Floats = self.n_right / self.right.sum()
            self.false_positive_rate: Floats = self.n_wrong / (~self.right).sum()
        self.precision: Floats = self.n_right / (self.n_right + self.n_wrong)
        self.roc_auc = roc_auc(self.right, self.probability)
        self.average_precision = average_precision(self.right, self.probability)

    def at(self, threshold: float) -> AtThreshold:
        """Count the tags that this threshold would accept and reject."""
        accepted = self.probability >= threshold
        return AtThreshold(
            threshold=float(threshold),
            accepted_right=int((accepted & self.right).sum()),
            accepted_wrong=int((accepted & ~self.right).sum()),
            rejected_right=int((~accepted & self.right).sum()),
            rejected_wrong=int((~accepted & ~self.right).sum()),
        )

    def to_dict(self) -> dict[str, object]:
        """Return the curves for JSON, None for nan."""
        rates = ("true_positive_rate", "false_positive_rate", "precision")
        names = ("thresholds", *rates, "roc_auc", "average_precision")
        return {name: without_nan(getattr(self, name)) for name in names}


def threshold_by_precision(curves: Curves, precision: float) -> float | None:
    """Return the lowest threshold whose accepted tags are right in this share of cases.

    None when no threshold reaches it.
    """
    reached = np.flatnonzero(curves.precision >= precision)
    return float(curves.thresholds[reached[-1]]) if len(reached) else None


def threshold_by_youden(curves: Curves) -> float | None:
    """Return the threshold with the largest J = true − false positive rate.

    Of equal ones the highest; None when nothing, or everything, is right. Source:
    W. J. Youden, "Index for rating diagnostic tests", Cancer 3 (1950).
    """
    j = curves.true_positive_rate - curves.false_positive_rate
    if not len(j) or np.isnan(j).any():
        return None
    return float(curves.thresholds[np.argmax(j)])


def _share(one: int, other: int) -> float:
    return one / (one + other) if one + other else math.nan
