"""Ratios of judged photos by Gaussians that did not learn from them.

Each Gaussian meets a few dozen photos once, see `mahalanobis.log_densities`.
"""

from __future__ import annotations

import numpy as np

from lablr.annotation.update.model import CorpusModel, Groups
from lablr.annotation.update.photos import Bools, Columns, Floats, JudgedPhotos
from lablr.latent_space.calibration import Calibration, out_of_fold
from lablr.latent_space.mahalanobis import log_densities
from lablr.latent_space.moments import Moments

__all__ = ["cross_calibrated", "cross_fitted_ratios", "ratios"]


def ratios(
    model: CorpusModel, groups: Groups, latents: Floats, wanted: Bools
) -> Floats:
    """Log-likelihood ratios (N, T) of latents (N, d), 0 where not `wanted`.

    As `TagGaussians` has them, but without prior odds. Raises `FitError` when a
    covariance is not positive definite.
    """
    tied = groups.tag.within_covariance()
    columns = np.flatnonzero(wanted.any(axis=0))
    tag, rest = (
        log_densities(
            own.means, model.covariances(own, tied), latents, wanted[:, columns]
        )
        for own in (_chosen(part, columns) for part in (groups.tag, groups.rest))
    )
    found = np.zeros(wanted.shape)
    found[:, columns] = tag - rest
    return found


def cross_fitted_ratios(
    model: CorpusModel, photos: JudgedPhotos, weight: float
) -> Floats:
    """Ratios (N, T) of the decided pairs, each photo's learned from the other parts."""
    everything = photos.sums(weight)

    def predict(_: Bools, own: Bools) -> Floats:
        part = photos.rows(own)
        others = model.groups(everything - part.sums(weight))
        return ratios(model, others, part.latents.astype(np.float64), part.decided)

    return out_of_fold(photos.folds, len(photos.tags), predict)


def cross_calibrated(prior: Calibration, ratio: Floats, photos: JudgedPhotos) -> Floats:
    """Probabilities (N, T) of ratios, each photo's calibrated by the other parts."""

    def predict(others: Bools, own: Bools) -> Floats:
        learned = photos.rows(others)
        calibration = prior.updated(ratio[others], learned.accepted, learned.asked)
        return calibration.probability(ratio[own])

    return out_of_fold(photos.folds, ratio.shape[1], predict)


def _chosen(groups: Moments, columns: Columns) -> Moments:
    if len(columns) == len(groups.n):
        return groups
    return Moments(*(part[columns] for part in vars(groups).values()))
