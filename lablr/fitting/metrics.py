"""Figures of rankings, and of how far probabilities can be believed.

Two directions are judged. Down a tag: are the photos that carry it scored above
those that do not (`average_precision`, `roc_auc`, ties handled as such)? Across a
photo: are its own tags at the top of its ranking (`mean_average_precision`,
`precision_at_k`, `recall_at_k`)? The second kind works on `rank_relevance`: higher
numbers first, equal ones in the order of the tags, as a person would be shown them.

N photos, T tags. Scores may be infinite, never NaN (ValueError).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lablr.latent_space.calibration import Calibration
from lablr.system.arrays import Bools, Floats, Ints


@dataclass(frozen=True, eq=False)
class Tally:
    """Scores as every threshold sees them: equal ones together, the highest first.

    Attributes
    ----------
    scores : (P,) the distinct scores, descending.
    n, n_right : (P,) how many cases have each, and how many of those are relevant.
    """

    scores: Floats
    n: Ints
    n_right: Ints

    @classmethod
    def of(cls, relevant: ArrayLike, scores: ArrayLike) -> Tally:
        """Count cases of any shape; raises ValueError for NaN or two shapes."""
        truth, table = _table(relevant, scores)
        order = np.argsort(-table, axis=None)
        falling, n_right = table.ravel()[order], np.cumsum(truth.ravel()[order])
        changes = np.flatnonzero(falling[1:] != falling[:-1])
        last = np.append(changes, len(falling) - 1)[: len(falling)]
        return cls(
            falling[last],
            np.diff(last, prepend=-1),
            np.diff(n_right[last], prepend=0),
        )


@dataclass(frozen=True)
class Report:
    """The figures of one source of photos, or of all of them; nan where undefined.

    Means over tags are over those that occur (for ROC AUC: and are absent) in the
    source; means over photos are over those that carry a tag.
    """

    source: str
    n_photos: int
    macro_average_precision: float
    mean_average_precision: float
    precision_at_1: float
    precision_at_5: float
    recall_at_5: float
    recall_at_10: float
    roc_auc: float
    calibration_error: float

    def to_dict(self) -> dict[str, object]:
        """Return the figures as JSON holds them, None for nan."""
        figures: dict[str, object] = without_nan(asdict(self))
        return figures


def evaluate(
    relevant: ArrayLike,
    ranking_scores: ArrayLike,
    probabilities: ArrayLike | None,
    sources: Sequence[str],
    counted: Mapping[str, ArrayLike] | None = None,
) -> list[Report]:
    """Judge a ranking per source, in the order of their names, then of ``"all"``.

    ``relevant`` (N, T) bool, ``ranking_scores`` (N, T), ``probabilities`` (N, T) or
    None, ``sources`` (N,). Every tag competes in every ranking, whether or not it
    occurs in the source. ``counted`` (T,) of a source and of ``"all"`` says which
    tags its means over tags are of; the default is all of them.
    """
    truth, scores = _table(relevant, ranking_scores)
    chances = None if probabilities is None else _table(truth, probabilities)[1]
    names = np.asarray(sources, dtype=object)
    if len(names) != len(truth):
        raise ValueError(f"{len(names)} sources of {len(truth)} photos")
    ranked = rank_relevance(truth, scores)
    parts = [(name, names == name) for name in sorted(set(sources))]
    parts.append(("all", np.ones(len(truth), dtype=np.bool_)))
    return [
        _report(
            name,
            truth[rows],
            scores[rows],
            None if chances is None else chances[rows],
            ranked[rows],
            slice(None) if counted is None else np.asarray(counted[name], np.bool_),
        )
        for name, rows in parts
    ]


def _report(
    source: str,
    relevant: Bools,
    scores: Floats,
    chances: Floats | None,
    ranked: Bools,
    counted: slice | Bools,
) -> Report:
    tagged = ranked[ranked.any(axis=1)]
    columns = relevant[:, counted], scores[:, counted]
    return Report(
        source=source,
        n_photos=len(relevant),
        macro_average_precision=macro_average_precision(*columns),
        mean_average_precision=mean_average_precision(tagged),
        precision_at_1=_mean(precision_at_k(tagged, 1)),
        precision_at_5=_mean(precision_at_k(tagged, 5)),
        recall_at_5=_mean(recall_at_k(tagged, 5)),
        recall_at_10=_mean(recall_at_k(tagged, 10)),
        roc_auc=_mean(
            [roc_auc(*tag) for tag in zip(*(part.T for part in columns), strict=True)]
        ),
        calibration_error=(
            math.nan if chances is None else calibration_error(relevant, chances)
        ),
    )


def average_precision(relevant: ArrayLike, score: ArrayLike) -> float:
    """Return the average precision of scores (N,) of which some are relevant (N,).

    AP = Σ_n (R_n − R_{n−1}) P_n over the thresholds n, one per distinct score, with
    the precision P_n and the recall R_n of everything scored at or above it; nan
    when nothing is relevant.
    """
    tally = Tally.of(relevant, score)
    n_relevant = tally.n_right.sum()
    precision = np.cumsum(tally.n_right) / np.cumsum(tally.n)
    hits = np.sum(tally.n_right * precision)
    return float(hits / n_relevant) if n_relevant else math.nan


def roc_auc(relevant: ArrayLike, score: ArrayLike) -> float:
    """Return the chance that a relevant score is above an irrelevant one.

    Ties count half (Mann and Whitney's U over P Q, P relevant and Q irrelevant); nan
    when P or Q is 0.
    """
    tally = Tally.of(relevant, score)
    n_wrong = tally.n - tally.n_right
    n_pairs = tally.n_right.sum() * n_wrong.sum()
    n_above = np.cumsum(tally.n_right) - tally.n_right / 2
    n_wins = np.sum(n_wrong * n_above)
    return float(n_wins / n_pairs) if n_pairs else math.nan


def macro_average_precision(relevant: ArrayLike, scores: ArrayLike) -> float:
    """Return the mean average precision of the tags (N, T) that any photo carries."""
    truth, table = _table(relevant, scores)
    return _mean(
        [average_precision(*column) for column in zip(truth.T, table.T, strict=True)]
    )


def rank_relevance(relevant: ArrayLike, scores: ArrayLike) -> Bools:
    """Return (N, T): whether the tag at each place of photo n's ranking is its own."""
    truth, table = _table(relevant, scores)
    order = np.argsort(-table, axis=1, kind="stable")
    return np.take_along_axis(truth, order, axis=1)


def mean_average_precision(ranked: Bools) -> float:
    """Return the image MAP: the mean over photos of their ranking's precision.

    AP of a photo = (1/R) Σ_r r / (place of its r-th own tag), R its number of own
    tags; photos without one are left out. ``ranked`` as of `rank_relevance`.
    """
    tagged = ranked[ranked.any(axis=1)]
    places = np.arange(1, ranked.shape[1] + 1)
    precision = np.cumsum(tagged, axis=1, dtype=np.int64) / places
    return _mean(np.sum(precision * tagged, axis=1) / np.sum(tagged, axis=1))


def precision_at_k(ranked: Bools, k: int) -> Floats:
    """Return (N,): the share of the first k tags of a ranking that are the photo's.

    Of fewer than k tags, all count. ``ranked`` as of `rank_relevance`.
    """
    share: Floats = ranked[:, :k].mean(axis=1, dtype=np.float64)
    return share


def recall_at_k(ranked: Bools, k: int) -> Floats:
    """Return (N,): the share of the photo's tags among the first k of its ranking.

    nan for a photo without tags. ``ranked`` as of `rank_relevance`.
    """
    n_own = ranked.sum(axis=1).astype(np.float64)
    n_own[n_own == 0] = math.nan
    share: Floats = ranked[:, :k].sum(axis=1) / n_own
    return share


def calibration_error(
    relevant: ArrayLike, probability: ArrayLike, n_bins: int = 15
) -> float:
    """Return the expected calibration error of probabilities, all pairs pooled.

    ECE = Σ_b n_b/n |mean relevant in b − mean probability in b|. Every (photo, tag)
    pair is one case, whatever its tag, and the bins b hold equally many cases in
    the order of their probability. Most tags are absent from most photos, so most
    bins lie near 0 and the figure is small: compare it between rankings of the
    same photos and tags, not with that of another task. Equal probabilities share
    their mean relevance, so that the order of the photos does not matter.
    Source: Naeini, Cooper and Hauskrecht, AAAI 2015, with equal-mass bins.
    """
    tally = Tally.of(relevant, probability)
    if not len(tally.n):
        return math.nan
    gap = np.repeat(tally.n_right / tally.n - tally.scores, tally.n)
    bins = np.array_split(gap[::-1], n_bins)
    return float(sum(abs(part.sum()) for part in bins) / len(gap))


def _table(relevant: ArrayLike, scores: ArrayLike) -> tuple[Bools, Floats]:
    """Return both as arrays of one shape; raises ValueError."""
    truth = np.asarray(relevant, dtype=np.bool_)
    table = np.asarray(scores, dtype=np.float64)
    if truth.shape != table.shape:
        raise ValueError(f"relevant is {truth.shape} and scores are {table.shape}")
    if np.isnan(table).any():
        raise ValueError("a score is NaN")
    return truth, table


def _mean(figures: Sequence[float] | Floats) -> float:
    """Return the mean of the figures that are not nan; nan of none."""
    known = np.asarray(figures, dtype=np.float64)
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else math.nan


def without_nan(value: Any) -> Any:
    """Return a value for JSON, with None for each nan in it."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [without_nan(item) for item in value]
    if isinstance(value, float):
        return None if math.isnan(value) else float(value)
    return value


def calibrated_quality(
    logits: Floats, relevant: Bools, sources: Sequence[str]
) -> float:
    """Judge logits (N, T) by these photos, which calibrate them: the rule of choices.

    Macro AP plus image MAP, summed over the sources.
    """
    probability = Calibration.fit(logits, relevant).probability(logits)
    *of_sources, _ = evaluate(relevant, probability, None, sources)
    qualities = (
        report.macro_average_precision + report.mean_average_precision
        for report in of_sources
    )
    # Undefined where no photo of the source has a tag.
    return sum(quality for quality in qualities if not math.isnan(quality))
