"""Make a bundle that has learned from annotated photos, save it, and undo that."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lablr.annotation.update.annotated_photos import (
    AnnotatedPhotos,
    Floats,
    columns_of,
)
from lablr.annotation.update.corpus_model import (
    CorpusModel,
    TagMoments,
    coupling_arrays,
    select_calibration,
)
from lablr.annotation.update.cross_fitting import (
    cross_calibrate,
    cross_fit_ratios,
    log_likelihood_ratios,
)
from lablr.annotation.update.report import (
    Comparison,
    TagChange,
    UpdateReport,
    compare,
    decided_precisions,
)
from lablr.bundle import Bundle
from lablr.errors import LearningError
from lablr.latent_space.calibration import Calibration
from lablr.latent_space.dots import MAX_PHOTOS_PER_TAG
from lablr.latent_space.gaussians import MIN_PHOTOS
from lablr.latent_space.plane import LatentMap
from lablr.system.npz import Arrays

# The encoder has learned from the corpus's photos: others tell more of new ones.
DEFAULT_WEIGHT = 3.0


@dataclass(frozen=True)
class Update:
    """The bundle that has learned, and what changed in it."""

    bundle: Bundle
    report: UpdateReport

    def compared(self, figure: Comparison) -> Update:
        """Return the same update with one more figure in the report."""
        figures = (*self.report.figures, figure)
        report = dataclasses.replace(self.report, figures=figures)
        return dataclasses.replace(self, report=report)


@dataclass(frozen=True)
class _Scores:
    """Scores of the annotated photos for the corpus's tags, before and after.

    before, after : ratios (N, T) with their prior odds, `after` cross-fitted.
    prior : the corpus's calibration, shifted to the prior odds of `after`.
    """

    photos: AnnotatedPhotos
    before: Floats
    after: Floats
    prior: Calibration

    def figures(self, calibration: Calibration) -> tuple[Comparison, ...]:
        """Compare by the corpus's `calibration` before and cross-fitted ones after."""
        after = cross_calibrate(self.prior, self.after, self.photos)
        before = calibration.probability(self.before)
        return compare(self.photos, (self.before, before), (self.after, after))


def learn(
    bundle: Bundle, photos: AnnotatedPhotos, weight: float = DEFAULT_WEIGHT
) -> Update:
    """Learn from annotated photos that the bundle's own encoder has encoded.

    `weight` is how many of the corpus's photos an annotated one counts for. What the
    bundle learned before is replaced. Raises `LearningError` when no tag that was
    decided can be learned, `FitError` when latents are not finite.
    """
    corpus = CorpusModel.of(bundle)
    tags = tuple(sorted({*corpus.tags, *_new_tags(corpus, photos, weight)}))
    known, photos = photos.with_tags(corpus.tags), photos.with_tags(tags)
    if not photos.decided.any():
        raise LearningError("nobody has judged a tag that can be learned")
    model, sums = corpus.with_tags(tags), photos.sums(weight)
    after = model.moments(sums)
    prior_odds = after.log_prior_odds[columns_of(corpus.tags, tags)]
    scores = _score(corpus, prior_odds, known, weight)
    learned = scores.prior.updated(scores.after, known.accepted, known.asked)
    report = UpdateReport(
        n_photos=len(photos.names),
        n_decisions=int(photos.decided.sum()),
        weight=weight,
        tags=tuple(_tag_changes(corpus, after, photos, scores)),
        figures=scores.figures(corpus.calibration),
    )
    calibration = select_calibration(learned, columns_of(tags, corpus.tags))
    updated = dataclasses.replace(
        bundle,
        tags=tags,
        gaussians=model.statistics.to_arrays()
        | sums.to_arrays()
        | coupling_arrays(bundle, model.statistics.sources, tags),
        calibration=_calibration_arrays(calibration, model.calibration),
        latent_map=_updated_map(bundle, model, after, photos).to_arrays(),
        provenance=_provenance(bundle, report),
    )
    if tags != bundle.tags:  # other methods know nothing of new tags
        updated = dataclasses.replace(updated, methods={}, networks={})
    return Update(updated, report)


def _new_tags(corpus: CorpusModel, photos: AnnotatedPhotos, weight: float) -> list[str]:
    """Return the tags that the corpus lacks and enough photos were given."""
    n_photos = photos.accepted.sum(axis=0)
    # A Gaussian needs five photos, and five photos' worth.
    enough = (n_photos >= MIN_PHOTOS) & (weight * n_photos >= MIN_PHOTOS)
    known = set(corpus.tags)
    pairs = zip(photos.tags, enough, strict=True)
    return [tag for tag, is_enough in pairs if is_enough and tag not in known]


def _score(
    corpus: CorpusModel, prior_odds: Floats, photos: AnnotatedPhotos, weight: float
) -> _Scores:
    """Score the decided pairs; `prior_odds` (T) are those after the update."""
    moments = corpus.moments()
    latents = photos.latents.astype(np.float64)
    before = log_likelihood_ratios(corpus, moments, latents, photos.decided)
    after = cross_fit_ratios(corpus, photos, weight)
    slopes, intercepts = corpus.calibration.slopes, corpus.calibration.intercepts
    shift = slopes * (moments.log_prior_odds - prior_odds)
    return _Scores(
        photos=photos,
        before=before + moments.log_prior_odds,
        after=after + prior_odds,
        prior=Calibration(slopes, intercepts + shift),
    )


def _tag_changes(
    corpus: CorpusModel, after: TagMoments, photos: AnnotatedPhotos, scores: _Scores
) -> Iterator[TagChange]:
    """Yield the change of each tag; a new one has no figures from before."""
    columns = columns_of(corpus.tags, photos.tags)
    figures = {
        "n_before": corpus.moments().tag.n,
        "shift": _mean_shifts(corpus, after.tag.means[columns]),
        "precision_before": decided_precisions(scores.photos, scores.before),
        "precision_after": decided_precisions(scores.photos, scores.after),
    }
    absent = dict.fromkeys(figures, math.nan) | {"n_before": 0.0}
    place = columns_of(photos.tags, corpus.tags)
    for column, (tag, number) in enumerate(zip(photos.tags, place, strict=True)):
        known = number >= 0
        yield TagChange(
            tag=tag,
            new=not known,
            n_after=float(after.tag.n[column]),
            n_accepted=int(photos.accepted[:, column].sum()),
            n_rejected=int(photos.rejected[:, column].sum()),
            **({n: float(f[number]) for n, f in figures.items()} if known else absent),
        )


def _mean_shifts(corpus: CorpusModel, means: Floats) -> Floats:
    """Return how far (T,) means (T, d) moved, in standard deviations from before.

    That is ``sqrt((m' - m)^T Sigma^-1 (m' - m))`` with m and Sigma those before.
    """
    before = corpus.moments().tag
    covariances = corpus.covariances(before, before.within_covariance())
    squared = [
        shift @ np.linalg.solve(covariance, shift)
        for shift, covariance in zip(means - before.means, covariances, strict=True)
    ]
    return np.sqrt(np.maximum(squared, 0.0))


def _updated_map(
    bundle: Bundle, model: CorpusModel, after: TagMoments, photos: AnnotatedPhotos
) -> LatentMap:
    """Return the same plane and dots with the circles of the new Gaussians.

    A tag that the corpus does not have shows the annotated photos that have it.
    """
    old = LatentMap.from_arrays(bundle.latent_map)
    covariances = model.covariances(after.tag, after.tag.within_covariance())
    log_determinants = np.array(
        [np.linalg.slogdet(matrix)[1] for matrix in covariances]
    )
    dots = []
    place = columns_of(model.tags, bundle.tags)
    in_corpus = model.statistics.tag_moments.n > 0
    for number, known, accepted in zip(
        place, in_corpus, photos.accepted.T, strict=True
    ):
        own = photos.latents[accepted][:MAX_PHOTOS_PER_TAG]
        dots.append(old.photos_of(int(number)) if known else old.locate(own))
    starts = np.cumsum([0, *(len(positions) for positions in dots)], dtype=np.int64)
    return dataclasses.replace(
        old,
        centroids=old.locate(after.tag.means),
        dispersion_radii=np.exp(log_determinants / (2 * len(old.mean))),
        photo_positions=np.concatenate(dots).astype(np.float32),
        photo_starts=starts,
    )


def _calibration_arrays(learned: Calibration, corpus: Calibration) -> Arrays:
    """Return both for the bundle: learning again starts from the corpus's."""
    of_corpus = {f"corpus_{name}": a for name, a in corpus.to_arrays().items()}
    return learned.to_arrays() | of_corpus


def _provenance(bundle: Bundle, report: UpdateReport) -> dict[str, object]:
    """Return the provenance of the bundle with what was learned.

    The probabilities change, so a threshold from judgements of the old ones
    (`lablr.annotation.thresholds`) is no longer theirs.
    """
    entries = {k: v for k, v in bundle.provenance.items() if k != "judged_threshold"}
    figures = {k: v for k, v in report.to_dict().items() if k != "tags"}
    new_tags = [tag.tag for tag in report.tags if tag.new]
    learned = {"from_bundle": bundle.digest, "new_tags": new_tags, **figures}
    return entries | {"learned": learned}


def previous_folder(folder: Path) -> Path:
    """Return where the replaced bundle of a folder is kept: ``NAME.previous``."""
    place = folder.resolve()
    return place.with_name(f"{place.name}.previous")


def save_learned(bundle: Bundle, folder: Path) -> Bundle:
    """Write a bundle; one that lies there is kept beside it first, and named in it.

    Returns the bundle as it was written. Raises `BundleError` when it cannot be.
    """
    previous = None
    if (folder / "manifest.json").exists():
        replaced = Bundle.load(folder)
        replaced.save(previous_folder(folder))
        previous = replaced.digest
    learned = dict(bundle.provenance["learned"]) | {"previous": previous}
    provenance = dict(bundle.provenance) | {"learned": learned}
    named = dataclasses.replace(bundle, provenance=provenance)
    named.save(folder)
    return named


def undo(folder: Path) -> Bundle:
    """Put the previous bundle back in the place of the one that learned.

    Returns the previous one, whose copy beside it stays. Raises `LearningError` when
    there is none, `BundleError` when it is broken.
    """
    learned = Bundle.load(folder).provenance.get("learned")
    digest = learned.get("previous") if isinstance(learned, dict) else None
    if not isinstance(digest, str):
        raise LearningError(f"{folder} has taken the place of no other bundle")
    place = previous_folder(folder)
    previous = Bundle.load(place)
    if previous.digest != digest:
        raise LearningError(
            f"{place} is not the bundle of which {folder} took the place: expected "
            f"digest {digest[:12]}, found {previous.digest[:12]}"
        )
    previous.save(folder)
    return previous
