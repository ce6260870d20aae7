"""Figures of a head, on the validation photos and on tags it has never seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lablr.errors import TrainingError
from lablr.fitting.metrics import Report, evaluate
from lablr.latent_space.calibration import Calibration, cross_fitted
from lablr.ranking.methods.classifier import Classifier
from lablr.ranking.methods.semantic import Semantic
from lablr.ranking.methods.triplet import Triplet
from lablr.system.arrays import Floats, Ints
from lablr.training.heads.inputs import HeadPhotos

# A tag kept out of training should have been learnable.
MIN_PHOTOS = 20


@dataclass(frozen=True)
class Figures:
    """A head on the validation photos of one source, or of all.

    Attributes
    ----------
    report : of its probabilities, as of `lablr evaluate`.
    accuracy : share of all pairs of a photo and a tag on which "the probability is at
        least .5" agrees with whether the photo has the tag. So did the first taggers
        count, and so does Keras's binary accuracy. The probability of a photo is
        calibrated by photos of other parts (`calibration.cross_fitted`).
    accuracy_of_none : the same of never suggesting anything, which is most of it.
    """

    report: Report
    accuracy: float
    accuracy_of_none: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return self.report.to_dict() | {
            "accuracy": self.accuracy,
            "accuracy_of_none": self.accuracy_of_none,
        }


def figures(
    method: Classifier | Triplet | Semantic, photos: HeadPhotos
) -> list[Figures]:
    """Judge a method on the validation photos, of each source and of all.

    Tags are ranked by the logits as `lablr fit` calibrates them, on these photos.
    """
    rows = photos.validation_rows
    relevant, sources = photos.membership[rows], photos.sources[rows]
    logits = method.logits(photos.of(rows))
    ranked = Calibration.fit(logits, relevant).probability(logits)
    honest = cross_fitted(logits, relevant, rows)
    found = []
    for report in evaluate(relevant, ranked, honest, sources.tolist()):
        own = (sources == report.source) | (report.source == "all")
        agrees = (honest[own] >= 0.5) == relevant[own]
        found.append(
            Figures(report, float(agrees.mean()), float(1 - relevant[own].mean()))
        )
    return found


@dataclass(frozen=True)
class Unseen:
    """The ranks of tags that a head was not trained on.

    Attributes
    ----------
    tags : the tags kept out of training.
    ranks : from 1, of every pair of a validation photo and such a tag that it has,
        among all tags.
    n_tags : how many tags there are to rank.
    """

    tags: tuple[str, ...]
    ranks: tuple[int, ...]
    n_tags: int

    @property
    def median_rank(self) -> float:
        """Return the median over pairs; nan without any."""
        return float(np.median(self.ranks)) if self.ranks else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self) | {"median_rank": self.median_rank}


def choose_held_out(photos: HeadPhotos, n_tags: int, seed: int) -> Ints:
    """Draw columns of `n_tags` tags by `seed` from those with 20 training photos.

    Raises `TrainingError` when there are too few, or none would be left to train on.
    """
    counts = photos.membership[photos.train_rows].sum(axis=0)
    enough = np.flatnonzero(counts >= MIN_PHOTOS)
    if n_tags and n_tags > min(len(enough), len(photos.tags) - 2):
        raise TrainingError(
            f"{n_tags} of {len(photos.tags)} tags cannot be held out: "
            f"{len(enough)} have {MIN_PHOTOS} training photos"
        )
    drawn = np.random.default_rng(seed).choice(enough, n_tags, replace=False)
    return np.sort(drawn)


def rank_unseen(
    method: Semantic, photos: HeadPhotos, embeddings: Floats, held_out: Ints
) -> Unseen:
    """Rank all tags of `photos`, by their embeddings (T, e), for validation photos.

    `method` was trained without the columns `held_out`, which are novel to it. Scores
    are compared as they are: a tag without photos cannot be calibrated.
    """
    rows = photos.validation_rows
    novel = np.isin(np.arange(len(photos.tags)), held_out)
    scores = method.scores_of(photos.of(rows), embeddings, novel)
    ranks = _ranks(scores)[:, held_out][photos.membership[rows][:, held_out]]
    return Unseen(
        tuple(photos.tags[column] for column in held_out),
        tuple(ranks.tolist()),
        len(photos.tags),
    )


def _ranks(scores: Floats) -> Ints:
    """Return the place of every tag in each photo's ranking, from 1: (N, T)."""
    return np.argsort(-scores, axis=1, kind="stable").argsort(axis=1) + 1


def table(found: Sequence[Figures]) -> list[list[str]]:
    """Return rows of text: source, macro AP, image MAP, P@5, accuracies."""
    rows = [["photos", "macro AP", "image MAP", "P@5", "accuracy", "of no tag"]]
    for one in found:
        report = one.report
        numbers = (
            report.macro_average_precision,
            report.mean_average_precision,
            report.precision_at_5,
            one.accuracy,
            one.accuracy_of_none,
        )
        rows.append([report.source, *(f"{number:.3f}" for number in numbers)])
    return rows
