"""Where the tags' Gaussians went: how far their means moved, and the new map."""

from __future__ import annotations

import numpy as np

from lablr.annotation.update.model import CorpusModel, Groups
from lablr.annotation.update.photos import Floats, JudgedPhotos, columns_of
from lablr.bundle import Bundle
from lablr.latent_space.plane import LatentMap

__all__ = ["mean_shifts", "updated_map"]

MAX_DOTS = 200


def mean_shifts(model: CorpusModel, before: Groups, means: Floats) -> Floats:
    """How far (T,) means (T, d) are from those before, in standard deviations.

    That is ``sqrt((m' - m)^T Sigma^-1 (m' - m))`` with m and Sigma those before.
    """
    moved = means - before.tag.means
    covariances = model.covariances(before.tag, before.tag.within_covariance())
    squares = [
        way @ np.linalg.solve(covariance, way)
        for way, covariance in zip(moved, covariances, strict=True)
    ]
    return np.sqrt(np.maximum(squares, 0.0))


def updated_map(
    bundle: Bundle, model: CorpusModel, after: Groups, photos: JudgedPhotos
) -> LatentMap:
    """The same plane and dots with the circles of the Gaussians after learning.

    A tag that the corpus does not have shows the judged photos that have it.
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
        own = photos.latents[accepted][:MAX_DOTS]
        dots.append(old.photos_of(int(number)) if known else old.locate(own))
    starts = np.cumsum([0, *(len(positions) for positions in dots)], dtype=np.int64)
    return LatentMap(
        mean=old.mean,
        axes=old.axes,
        explained_variance_ratio=old.explained_variance_ratio,
        centroids=old.locate(after.tag.means),
        dispersion_radii=np.exp(log_determinants / (2 * len(old.mean))),
        photo_positions=np.concatenate(dots).astype(np.float32),
        photo_starts=starts,
    )
