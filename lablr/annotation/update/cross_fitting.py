"""Ratios of judged photos by Gaussians that did not learn from them.

`lablr.latent_space.mahalanobis` prepares Gaussians for any number of photos. Here each
meets a few dozen photos once, for which to solve is ten times quicker than to invert.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lablr.annotation.update.model import CorpusModel, Groups
from lablr.annotation.update.photos import N_FOLDS, Bools, Columns, Floats, JudgedPhotos
from lablr.errors import FitError
from lablr.latent_space.calibration import Calibration
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
        _log_densities(
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
    found = np.zeros(photos.decided.shape)
    everything, folds = photos.sums(weight), photos.folds
    for fold in range(N_FOLDS):
        part = photos.rows(folds == fold)
        if part.decided.any():
            others = model.groups(everything - part.sums(weight))
            latents = part.latents.astype(np.float64)
            found[folds == fold] = ratios(model, others, latents, part.decided)
    return found


def cross_calibrated(prior: Calibration, ratio: Floats, photos: JudgedPhotos) -> Floats:
    """Probabilities (N, T) of ratios, each photo's calibrated by the other parts."""
    found = np.zeros(ratio.shape)
    for fold in range(N_FOLDS):
        own = photos.folds == fold
        others = photos.rows(~own)
        calibration = prior.updated(ratio[~own], others.accepted, others.asked)
        found[own] = calibration.probability(ratio[own])
    return found


def _chosen(groups: Moments, columns: Columns) -> Moments:
    if len(columns) == len(groups.n):
        return groups
    return Moments(*(part[columns] for part in vars(groups).values()))


def _log_densities(
    means: Floats, covariances: Iterator[Floats], latents: Floats, wanted: Bools
) -> Floats:
    """``-1/2 (D2 + log det Sigma)`` (N, G) of G Gaussians, 0 where not `wanted`."""
    found = np.zeros(wanted.shape)
    for column, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
        rows = wanted[:, column]
        centred = latents[rows] - mean
        try:
            factor = np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError as error:
            raise FitError("a covariance is not positive definite") from error
        log_determinant = 2 * np.log(np.diagonal(factor)).sum()
        squares = (centred * np.linalg.solve(covariance, centred.T).T).sum(axis=1)
        found[rows, column] = -0.5 * (squares + log_determinant)
    return found
