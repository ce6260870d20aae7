"""Score annotated photos by Gaussians that did not learn from them.

Each Gaussian meets a few dozen photos once, see `mahalanobis.log_densities`.
"""

from __future__ import annotations

import numpy as np

from lablr.annotation.update.annotated_photos import AnnotatedPhotos, Bools, Floats
from lablr.annotation.update.corpus_model import CorpusModel, TagMoments
from lablr.latent_space.calibration import Calibration, out_of_fold
from lablr.latent_space.mahalanobis import log_densities
from lablr.latent_space.moments import Moments


def log_likelihood_ratios(
    model: CorpusModel, moments: TagMoments, latents: Floats, decided: Bools
) -> Floats:
    """Return ratios (N, T) of latents (N, d), 0 where nothing was `decided` (N, T).

    They are those of `TagGaussians`, without prior odds. Raises `FitError` when a
    covariance is not positive definite.
    """
    tied = moments.tag.within_covariance()
    columns = np.flatnonzero(decided.any(axis=0))
    groups = (
        Moments(*(part[columns] for part in vars(moment).values()))
        for moment in (moments.tag, moments.rest)
    )
    tag, rest = (
        log_densities(
            group.means, model.covariances(group, tied), latents, decided[:, columns]
        )
        for group in groups
    )
    ratio = np.zeros(decided.shape)
    ratio[:, columns] = tag - rest
    return ratio


def cross_fit_ratios(
    model: CorpusModel, photos: AnnotatedPhotos, weight: float
) -> Floats:
    """Return ratios (N, T) of decided pairs, each photo's fitted on other parts."""
    total = photos.sums(weight)

    def predict(_: Bools, held_out: Bools) -> Floats:
        part = photos.rows(held_out)
        others = model.moments(total - part.sums(weight))
        latents = part.latents.astype(np.float64)
        return log_likelihood_ratios(model, others, latents, part.decided)

    return out_of_fold(photos.folds, len(photos.tags), predict)


def cross_calibrate(
    prior: Calibration, ratio: Floats, photos: AnnotatedPhotos
) -> Floats:
    """Return probabilities (N, T), each photo's calibrated on the other parts."""

    def predict(others: Bools, held_out: Bools) -> Floats:
        known = photos.rows(others)
        calibration = prior.updated(ratio[others], known.accepted, known.asked)
        return calibration.probability(ratio[held_out])

    return out_of_fold(photos.folds, ratio.shape[1], predict)
