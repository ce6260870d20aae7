"""The changes of an update, tag by tag, and whether it made the model better.

Figures are over the annotated photos themselves: before by the corpus alone, after by
cross-fitting, so that no photo is judged by what it taught. `compare_on_validation`
adds one over the validation photos of a corpus.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lablr.annotation.update.annotated_photos import AnnotatedPhotos, Bools, Floats
from lablr.bundle import Bundle
from lablr.corpus import Corpus
from lablr.encoders.encoder import Encoder, Preprocessing
from lablr.encoders.encoding import EncodedPhotos, encode_corpus
from lablr.fitting.metrics import average_precision, without_nan
from lablr.ranking.ranker import Ranker
from lablr.system.progress import Progress, silent

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
        """Compare the means of terms (n,) and (n,); terms that are nan are left out."""
        defined = ~np.isnan(before) & ~np.isnan(after)
        one, two = before[defined], after[defined]
        n = len(one)
        error = float(np.std(two - one, ddof=1) / np.sqrt(n)) if n > 1 else math.nan
        means = [float(terms.mean()) if n else math.nan for terms in (one, two)]
        return cls(figure, means[0], means[1], error, higher_is_better)

    @property
    def worse(self) -> bool:
        """Say whether it fell by more than chance explains: two standard errors."""
        gain = self.after - self.before
        loss = -gain if self.higher_is_better else gain
        return loss > (0.0 if math.isnan(self.error) else 2 * self.error)


@dataclass(frozen=True)
class TagChange:
    """The change of one tag.

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
class UpdateReport:
    """The changes of all tags in their order, and the figures before and after."""

    n_photos: int
    n_decisions: int
    weight: float
    tags: tuple[TagChange, ...]
    figures: tuple[Comparison, ...]

    @property
    def worse(self) -> list[Comparison]:
        """Return the figures that became worse."""
        return [figure for figure in self.figures if figure.worse]

    @property
    def changed(self) -> list[TagChange]:
        """Return the tags about which anything was decided."""
        return [tag for tag in self.tags if tag.n_accepted or tag.n_rejected]

    def to_dict(self) -> dict[str, Any]:
        """Return the report for JSON, None for nan."""
        record = asdict(self) | {"tags": [asdict(tag) for tag in self.changed]}
        return {key: without_nan(value) for key, value in record.items()}


def compare(
    photos: AnnotatedPhotos,
    before: tuple[Floats, Floats],
    after: tuple[Floats, Floats],
) -> tuple[Comparison, ...]:
    """Compare ranking and probabilities, each given as (ratio, probability).

    Macro AP: mean over the tags that were both accepted and rejected, each over the
    photos where it was decided. Log loss: mean over what was asked, in nats.
    """
    return (
        Comparison.of(
            "macro AP of judged photos",
            decided_precisions(photos, before[0]),
            decided_precisions(photos, after[0]),
            higher_is_better=True,
        ),
        Comparison.of(
            "log loss of judged photos",
            _log_losses(photos, before[1]),
            _log_losses(photos, after[1]),
            higher_is_better=False,
        ),
    )


def decided_precisions(photos: AnnotatedPhotos, score: Floats) -> Floats:
    """Return the average precision (T,) of each tag over the photos that decided it.

    `score` (N, T) is read only there. nan for a tag that was only accepted, or only
    rejected.
    """
    tables = zip(photos.accepted.T, photos.decided.T, score.T, strict=True)
    return np.array(
        [
            math.nan if own[mask].all() else _precision(own[mask], scores[mask])
            for own, mask, scores in tables
        ]
    )


def _precision(right: Bools, score: Floats) -> float:
    return average_precision(right, score) if right.any() else math.nan


def _log_losses(photos: AnnotatedPhotos, probability: Floats) -> Floats:
    """Return -log of the probability of each decision that was asked for."""
    asked = photos.asked
    chance = np.where(photos.accepted, probability, 1 - probability)[asked]
    return np.asarray(-np.log(np.maximum(chance, LEAST)))


def compare_on_validation(
    before: Bundle, after: Bundle, corpus: Corpus, progress: Progress = silent
) -> Comparison:
    """Compare macro AP over the tags of both bundles on the split "val".

    Raises `FitError` when the corpus has no validation photo that can be read.
    """
    tags = tuple(tag for tag in before.tags if tag in set(after.tags))
    encoder = Encoder(
        before.encoder_onnx, Preprocessing.from_dict(before.preprocessing)
    )
    photos = encode_corpus(
        corpus, encoder, splits=["val"], tags=tags, progress=progress
    )
    return Comparison.of(
        "macro AP of validation photos",
        _validation_precisions(before, photos),
        _validation_precisions(after, photos),
        higher_is_better=True,
    )


def _validation_precisions(bundle: Bundle, photos: EncodedPhotos) -> Floats:
    """Return the average precision (T,) of each tag; nan where no photo has it."""
    probability = Ranker(bundle).scores(photos.latents).probability
    columns = [bundle.tags.index(tag) for tag in photos.tags]
    pairs = zip(photos.membership.T, probability[:, columns].T, strict=True)
    return np.array([_precision(right, score) for right, score in pairs])
