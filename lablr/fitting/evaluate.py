"""A bundle's figures on the photos of a corpus, source by source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from lablr.bundle import Bundle
from lablr.corpus import Corpus
from lablr.encoders.encoding import EncodedPhotos, See, encode_corpus
from lablr.fitting.metrics import Report, evaluate
from lablr.latent_space.calibration import cross_fitted
from lablr.latent_space.gaussians import GaussianStatistics
from lablr.ranking.tagger import Tagger
from lablr.system.arrays import Bools, Floats, Pixels
from lablr.system.progress import Progress, silent


def evaluate_bundle(
    bundle: Bundle,
    corpus: Corpus,
    split: str | None = "val",
    ranking: str = "calibrated",
    cross_fit: bool = False,
    min_photos: int = 0,
    progress: Progress = silent,
) -> list[Report]:
    """Judge a bundle on the photos of one split (None: all), per source.

    With `cross_fit` the calibration error is that of probabilities which the other
    photos calibrated: honest on the photos the bundle was calibrated on. Tags are
    ranked by the bundle as it is, since two photos calibrated by different parts
    could not be compared. With `min_photos` the means over tags leave out those of
    which the bundle has seen fewer training photos in the source: their few
    validation photos say little.
    """
    rankings = (ranking,)
    (reports,) = evaluate_rankings(
        Tagger(bundle), bundle, corpus, rankings, split, cross_fit, min_photos, progress
    )
    return reports


def evaluate_rankings(
    tagger: Tagger,
    bundle: Bundle,
    corpus: Corpus,
    rankings: Sequence[str],
    split: str | None,
    cross_fit: bool,
    min_photos: int,
    progress: Progress,
) -> Iterator[list[Report]]:
    """Judge several rankings as `evaluate_bundle`, in one pass over the photos."""
    see = partial(_numbers, tagger, rankings)
    encoded = encoded_split(tagger, corpus, split, progress, see)
    membership, sources = encoded.membership, encoded.sources.tolist()
    known = _well_known(bundle, set(sources), min_photos)
    for numbers in np.split(encoded.latents.astype(np.float64), len(rankings), axis=1):
        ranked_by, probability, logits = np.split(numbers, 3, axis=1)
        if cross_fit:
            probability = cross_fitted(logits, membership, encoded.files)
        yield evaluate(membership, ranked_by, probability, sources, known)


def encoded_split(
    tagger: Tagger,
    corpus: Corpus,
    split: str | None,
    progress: Progress,
    see: See | None = None,
) -> EncodedPhotos:
    """Encode the photos of one split (None: all) by the tagger's encoder and tags."""
    splits, tags = [split] if split else [], tagger.tags
    return encode_corpus(
        corpus, tagger.encoder, splits=splits, tags=tags, see=see, progress=progress
    )


def _numbers(tagger: Tagger, rankings: Sequence[str], images: Pixels) -> Floats:
    """Return each ranking's order, probabilities and logits: (N, R * 3T)."""
    described, numbers = tagger.encode(images), []
    for name in rankings:
        scores = tagger.ranker.scores(described, name, images)
        numbers += [scores.ranking(name), scores.probability, scores.logits]
    return np.hstack(numbers)


def _well_known(bundle: Bundle, sources: set[str], min_photos: int) -> dict[str, Bools]:
    """Tell which tags (T,) have so many training photos, per source and for "all"."""
    statistics = GaussianStatistics.from_arrays(bundle.gaussians, bundle.tags)
    seen = dict(zip(statistics.sources, statistics.counts, strict=True))
    none = np.zeros(len(bundle.tags))
    counts = {source: seen.get(source, none) for source in sources}
    counts["all"] = statistics.counts.sum(axis=0)
    return {source: n_photos >= min_photos for source, n_photos in counts.items()}
