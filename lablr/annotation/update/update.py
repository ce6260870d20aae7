"""From judged photos to a bundle that has learned from them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lablr.annotation.update.cross_fitting import (
    cross_calibrated,
    cross_fitted_ratios,
    ratios,
)
from lablr.annotation.update.geometry import mean_shifts, updated_map
from lablr.annotation.update.model import CorpusModel, Groups, chosen, listening_arrays
from lablr.annotation.update.photos import Floats, JudgedPhotos, columns_of
from lablr.annotation.update.report import (
    Comparison,
    LearningReport,
    TagLesson,
    compared,
    tag_precisions,
)
from lablr.bundle import Bundle
from lablr.errors import LearningError
from lablr.latent_space.calibration import Calibration
from lablr.latent_space.gaussians import MIN_PHOTOS
from lablr.system.npz import Arrays

__all__ = ["DEFAULT_WEIGHT", "Update", "learn"]

DEFAULT_WEIGHT = 3.0


@dataclass(frozen=True)
class Update:
    """The bundle that has learned, and what changed in it."""

    bundle: Bundle
    report: LearningReport

    def compared(self, figure: Comparison) -> Update:
        """The same with one more figure in the report."""
        figures = (*self.report.figures, figure)
        report = dataclasses.replace(self.report, figures=figures)
        return dataclasses.replace(self, report=report)


@dataclass(frozen=True)
class _Scored:
    """The judged photos by the corpus's tags, as scored before and after.

    old, new : ratios (N, T) with their prior odds, the new ones cross-fitted.
    prior : what the corpus's calibration says of the new ratios.
    """

    known: JudgedPhotos
    old: Floats
    new: Floats
    prior: Calibration

    def figures(self, calibration: Calibration) -> tuple[Comparison, ...]:
        """Of the corpus's `calibration` before, and of cross-fitted ones after."""
        after = cross_calibrated(self.prior, self.new, self.known)
        before = calibration.probability(self.old)
        return compared(self.known, (self.old, before), (self.new, after))


def learn(
    bundle: Bundle, photos: JudgedPhotos, weight: float = DEFAULT_WEIGHT
) -> Update:
    """Learn from judged photos that the bundle's own encoder has encoded.

    `weight` is how many of the corpus's photos a judged one counts for; the encoder
    has learned from those, so a judged one tells more of new photos. What the bundle
    learned before is replaced. Raises `LearningError` when no tag that was decided can
    be learned, `FitError` when latents are not finite.
    """
    corpus = CorpusModel.of(bundle)
    tags = tuple(sorted({*corpus.tags, *_new_tags(corpus, photos, weight)}))
    known, photos = photos.with_tags(corpus.tags), photos.with_tags(tags)
    if not photos.decided.any():
        raise LearningError("nobody has judged a tag that can be learned")
    model, sums = corpus.with_tags(tags), photos.sums(weight)
    before, after = corpus.groups(), model.groups(sums)
    odds = after.log_prior_odds[columns_of(corpus.tags, tags)]
    scored = _score(corpus, before, known, weight, odds)
    learned = scored.prior.updated(scored.new, known.accepted, known.asked)
    report = LearningReport(
        n_photos=len(photos.names),
        n_decisions=int(photos.decided.sum()),
        weight=weight,
        tags=tuple(_lessons(corpus, before, after, photos, scored)),
        figures=scored.figures(corpus.calibration),
    )
    made = dataclasses.replace(
        bundle,
        tags=tags,
        gaussians=model.statistics.to_arrays()
        | sums.to_arrays()
        | listening_arrays(bundle, model.statistics.sources, tags),
        calibration=_calibrations(
            chosen(learned, columns_of(tags, corpus.tags)), model.calibration
        ),
        latent_map=updated_map(bundle, model, after, photos).to_arrays(),
        provenance=_provenance(bundle, report),
        # Other methods know nothing of new tags.
        methods=bundle.methods if tags == bundle.tags else {},
        networks=bundle.networks if tags == bundle.tags else {},
    )
    return Update(made, report)


def _new_tags(corpus: CorpusModel, photos: JudgedPhotos, weight: float) -> list[str]:
    """Tags that the corpus does not have and enough photos were given."""
    n_photos = photos.accepted.sum(axis=0)
    # A Gaussian needs five photos, and five photos' worth.
    enough = (n_photos >= MIN_PHOTOS) & (weight * n_photos >= MIN_PHOTOS)
    there = set(corpus.tags)
    pairs = zip(photos.tags, enough, strict=True)
    return [tag for tag, is_enough in pairs if is_enough and tag not in there]


def _score(
    corpus: CorpusModel,
    before: Groups,
    known: JudgedPhotos,
    weight: float,
    odds: Floats,
) -> _Scored:
    """Score what was decided; `odds` (T) are the prior odds with the judgements."""
    latents = known.latents.astype(np.float64)
    old = ratios(corpus, before, latents, known.decided)
    new = cross_fitted_ratios(corpus, known, weight)
    slopes, intercepts = corpus.calibration.slopes, corpus.calibration.intercepts
    shift = slopes * (before.log_prior_odds - odds)
    return _Scored(
        known=known,
        old=old + before.log_prior_odds,
        new=new + odds,
        prior=Calibration(slopes, intercepts + shift),
    )


def _lessons(
    corpus: CorpusModel,
    before: Groups,
    after: Groups,
    photos: JudgedPhotos,
    scored: _Scored,
) -> Iterator[TagLesson]:
    """What changes for each tag; of a new one nobody was asked yet."""
    columns = columns_of(corpus.tags, photos.tags)
    figures = {
        "n_before": before.tag.n,
        "shift": mean_shifts(corpus, before, after.tag.means[columns]),
        "precision_before": tag_precisions(scored.known, scored.old),
        "precision_after": tag_precisions(scored.known, scored.new),
    }
    absent = dict.fromkeys(figures, math.nan) | {"n_before": 0.0}
    place = columns_of(photos.tags, corpus.tags)
    for column, (tag, number) in enumerate(zip(photos.tags, place, strict=True)):
        known = number >= 0
        yield TagLesson(
            tag=tag,
            new=not known,
            n_after=float(after.tag.n[column]),
            n_accepted=int(photos.accepted[:, column].sum()),
            n_rejected=int(photos.rejected[:, column].sum()),
            **({n: float(f[number]) for n, f in figures.items()} if known else absent),
        )


def _calibrations(learned: Calibration, corpus: Calibration) -> Arrays:
    """Both for the bundle: learning again starts from the corpus's."""
    of_corpus = {f"corpus_{name}": a for name, a in corpus.to_arrays().items()}
    return learned.to_arrays() | of_corpus


def _provenance(bundle: Bundle, report: LearningReport) -> dict[str, object]:
    """That of the bundle, and what was learned.

    Probabilities are others now: judgements that once gave the bundle a threshold
    (`lablr.annotation.thresholds`) are of another model's.
    """
    kept = {k: v for k, v in bundle.provenance.items() if k != "judged_threshold"}
    figures = {k: v for k, v in report.to_dict().items() if k != "tags"}
    new_tags = [tag.tag for tag in report.tags if tag.new]
    learned = {"from_bundle": bundle.digest, "new_tags": new_tags, **figures}
    return kept | {"learned": learned}
