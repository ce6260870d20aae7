"""What learning changed, tag by tag, and whether it made the model better.

Figures are over the judged photos themselves: before by the corpus alone, after by
cross-fitting, so that no photo is judged by what it taught.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lablr.annotation.update.photos import Floats, JudgedPhotos
from lablr.fitting.metrics import average_precision

__all__ = ["Comparison", "LearningReport", "TagLesson", "compared", "tag_precisions"]

# A probability of 0 that turns out wrong would cost infinitely much.
LEAST = 1e-9


@dataclass(frozen=True)
class Comparison:
    """One figure before and after learning; nan where nothing can be said.

    error : the standard error of the difference, from the differences of the tags
        or pairs that the figure is a mean of.
    """

    figure: str
    before: float
    after: float
    error: float
    higher_is_better: bool

    @classmethod
    def of(
        cls, figure: str, before: Floats, after: Floats, higher_is_better: bool
    ) -> Comparison:
        """Of the terms (n,) of two means; terms that are nan are left out."""
        there = ~np.isnan(before) & ~np.isnan(after)
        one, two = before[there], after[there]
        n = len(one)
        error = float(np.std(two - one, ddof=1) / np.sqrt(n)) if n > 1 else math.nan
        means = [float(terms.mean()) if n else math.nan for terms in (one, two)]
        return cls(figure, means[0], means[1], error, higher_is_better)

    @property
    def worse(self) -> bool:
        """Whether it became worse by more than chance does: two standard errors."""
        gain = self.after - self.before
        loss = -gain if self.higher_is_better else gain
        return loss > (0.0 if math.isnan(self.error) else 2 * self.error)


@dataclass(frozen=True)
class TagLesson:
    """What changes for one tag.

    n_before, n_after : photos, counted by their weights.
    shift : of the mean, in standard deviations of the tag before along the way it
        moved; nan of a new tag.
    precision_before, precision_after : average precision, nan where undefined.
    """

    tag: str
    new: bool
    n_before: float
    n_after: float
    n_accepted: int
    n_rejected: int
    shift: float
    precision_before: float
    precision_after: float


@dataclass(frozen=True)
class LearningReport:
    """What changes, the tags in their order, and whether it is for the better."""

    n_photos: int
    n_decisions: int
    weight: float
    tags: tuple[TagLesson, ...]
    figures: tuple[Comparison, ...]

    @property
    def worse(self) -> list[Comparison]:
        """The figures that became worse."""
        return [figure for figure in self.figures if figure.worse]

    @property
    def changed(self) -> list[TagLesson]:
        """The tags that anything was said of."""
        return [tag for tag in self.tags if tag.n_accepted or tag.n_rejected]

    def to_dict(self) -> dict[str, Any]:
        """What JSON shows of it, None for nan."""
        shown = asdict(self) | {
            "tags": [asdict(tag) for tag in self.changed],
            "figures": [asdict(figure) for figure in self.figures],
        }
        return {key: _without_nan(value) for key, value in shown.items()}


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def tag_precisions(photos: JudgedPhotos, score: Floats) -> Floats:
    """Average precision (T,) over the photos where a tag was decided; or nan.

    `score` (N, T) is needed only there. A tag must have been accepted and rejected.
    """
    found = np.full(len(photos.tags), np.nan)
    for tag, (accepted, decided) in enumerate(
        zip(photos.accepted.T, photos.decided.T, strict=True)
    ):
        right = accepted[decided]
        if right.any() and not right.all():
            found[tag] = average_precision(right, score[decided, tag])
    return found


def log_losses(photos: JudgedPhotos, probability: Floats) -> Floats:
    """-log of the probability of what people said, of each pair that was asked."""
    asked = photos.asked
    chance = np.where(photos.accepted, probability, 1 - probability)[asked]
    return np.asarray(-np.log(np.maximum(chance, LEAST)))


def compared(
    photos: JudgedPhotos, before: tuple[Floats, Floats], after: tuple[Floats, Floats]
) -> tuple[Comparison, ...]:
    """Ranking and probabilities of judged photos; each given as (ratio, probability).

    Macro AP: mean over the tags that were both accepted and rejected, each over the
    photos where it was decided. Log loss: mean over what was asked, in nats.
    """
    return (
        Comparison.of(
            "macro AP of judged photos",
            tag_precisions(photos, before[0]),
            tag_precisions(photos, after[0]),
            higher_is_better=True,
        ),
        Comparison.of(
            "log loss of judged photos",
            log_losses(photos, before[1]),
            log_losses(photos, after[1]),
            higher_is_better=False,
        ),
    )
