"""Squared Mahalanobis distances of photos to many Gaussians at once.

A precision matrix P is symmetric, so its quadratic form is one dot product: of its
d (d + 1) / 2 packed numbers with the packed products of x. Several hundred tags are
one matrix product that reads half of what their matrices would take.

Ten thousand would still read most of a gigabyte for each photo. Their precision
matrices are close to each other, as every covariance is shrunk toward the same one,
so they share a basis of K symmetric matrices, and only their weights differ::

    P_g ~ sum_k w_gk B_k
    D2_g(x) = x^T P_g x - 2 x . P_g m_g + m_g . P_g m_g
            ~ (x^T B_1 x, ..., x^T B_K x, x, 1) . (w_g, -2 P_g m_g, m_g . P_g m_g)

Again one matrix product, of K + d + 1 numbers a Gaussian. Only the quadratic term
is approximate. The basis are the leading right singular vectors of the precision
matrices, found by random projection (Halko, Martinsson and Tropp, "Finding structure
with randomness", SIAM Review 53, 2011). A few hundred Gaussians are their own basis,
and nothing is approximate.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from lablr.errors import FitError
from lablr.system.arrays import Bools, Float32s, Floats, Reals

# Beyond so many Gaussians they share a basis, of so many matrices.
MAX_OWN = 300
N_BASIS = 64

# How many float32 are held while scoring: 16 MiB.
NUMBERS_AT_ONCE = 1 << 22


class ManyGaussians:
    """G Gaussians with `means` (G, d) and `covariances` (d, d), made for scoring.

    Latents are first taken to the axes in which the mean of all covariances is the
    identity, around the mean of all means: there the precision matrices differ
    least, and float32 loses least.

    Attributes
    ----------
    log_determinants : (G,) of the covariances, exact.

    Raises `FitError` when a covariance is not positive definite.
    """

    def __init__(
        self, means: Floats, covariances: Iterable[Floats], n_basis: int | None = None
    ) -> None:
        n_groups, d = means.shape
        self._lower = np.tril_indices(d)
        # Off the diagonal a symmetric matrix holds each number twice: scaled so,
        # the packed numbers keep its Frobenius norm.
        self._scale = np.where(self._lower[0] == self._lower[1], 1, np.sqrt(2))
        packed = np.empty((n_groups, len(self._scale)), np.float32)
        for group, covariance in enumerate(covariances):
            packed[group] = covariance[self._lower] * self._scale
        self._origin = means.mean(axis=0)
        factor = _cholesky(self._unpacked(packed.mean(axis=0, dtype=np.float64)))
        self._whitener = np.linalg.inv(factor)
        centred = (means - self._origin) @ self._whitener.T
        self.log_determinants = np.full(n_groups, _log_determinant(factor))
        linear, constant = np.empty((n_groups, d)), np.empty((n_groups, 1))
        for group, mean in enumerate(centred):
            covariance = self._whitener @ self._unpacked(packed[group])
            factor = _cholesky(covariance @ self._whitener.T)
            self.log_determinants[group] += _log_determinant(factor)
            inverse = np.linalg.inv(factor)
            precision_matrix = inverse.T @ inverse
            packed[group] = precision_matrix[self._lower] * self._scale
            linear[group] = precision_matrix @ mean
            constant[group] = linear[group] @ mean
        if n_basis is None:
            n_basis = n_groups if n_groups <= MAX_OWN else N_BASIS
        weights, basis = _basis(packed, n_basis)
        self._basis = np.ascontiguousarray(basis.T)
        numbers = np.hstack([weights, -2 * linear, constant])
        self._numbers = np.ascontiguousarray(numbers.T, np.float32)

    def squared_mahalanobis(self, latents: Reals) -> Floats:
        """Return (N, G) of latents (N, d), in float32 but for the result."""
        squares = np.empty((len(latents), self._numbers.shape[1]))
        n_at_once = max(1, NUMBERS_AT_ONCE // sum(self._basis.shape))
        for start in range(0, len(latents), n_at_once):
            photos = slice(start, start + n_at_once)
            centred = np.asarray(latents[photos], np.float64) - self._origin
            x = (centred @ self._whitener.T).astype(np.float32)
            products = x[:, self._lower[0]] * x[:, self._lower[1]]
            products *= self._scale.astype(np.float32)
            ones = np.ones((len(x), 1), np.float32)
            terms = np.hstack([products @ self._basis, x, ones])
            squares[photos] = terms @ self._numbers
        # An approximate precision matrix need not be positive definite.
        return np.maximum(squares, 0, out=squares)

    def squared_mahalanobis_of(self, group: int, latents: Reals) -> Floats:
        """Return the same to one Gaussian: (N, d) -> (N,), its matrix unpacked."""
        d, n_basis = len(self._origin), self._basis.shape[1]
        numbers = self._numbers[:, group]
        precision_matrix = self._unpacked(self._basis @ numbers[:n_basis])
        linear, constant = numbers[n_basis : n_basis + d], numbers[-1]
        x = (np.asarray(latents, np.float64) - self._origin) @ self._whitener.T
        squares: Floats = ((x @ precision_matrix + linear) * x).sum(axis=1) + constant
        return np.maximum(squares, 0, out=squares)

    def _unpacked(self, packed: Reals) -> Floats:
        """Return the symmetric matrix (d, d) of packed numbers (d (d+1) / 2,)."""
        d = self._lower[0][-1] + 1
        matrix = np.empty((d, d))
        matrix[self._lower] = matrix.T[self._lower] = packed / self._scale
        return matrix


def log_densities(
    means: Floats, covariances: Iterable[Floats], latents: Floats, wanted: Bools
) -> Floats:
    """Return ``-1/2 (D2 + log det Sigma)`` (N, G) of G Gaussians, 0 where not `wanted`.

    For few photos once: to solve is ten times quicker than to prepare `ManyGaussians`.
    Raises `FitError` when a covariance is not positive definite.
    """
    found = np.zeros(wanted.shape)
    for column, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
        rows = wanted[:, column]
        centred = latents[rows] - mean
        log_determinant = _log_determinant(_cholesky(covariance))
        squares = (centred * np.linalg.solve(covariance, centred.T).T).sum(axis=1)
        found[rows, column] = -0.5 * (squares + log_determinant)
    return found


def _basis(rows: Float32s, k: int) -> tuple[Float32s, Float32s]:
    """Return weights (G, K) and basis (K, M) with ``weights @ basis ~ rows``.

    One power iteration sharpens the random projection.
    """
    if k >= len(rows):
        return np.eye(len(rows), dtype=np.float32), rows
    k = min(k, rows.shape[1])
    rng = np.random.default_rng(0)
    probe = rng.standard_normal((rows.shape[1], k), np.float32)
    for _ in range(2):
        columns, _ = np.linalg.qr(rows @ probe)
        probe, _ = np.linalg.qr(rows.T @ columns)
    return rows @ probe, np.ascontiguousarray(probe.T)


def _log_determinant(factor: Floats) -> float:
    return float(2 * np.log(np.diagonal(factor)).sum())


def _cholesky(covariance: Floats) -> Floats:
    """Return the lower triangular factor (d, d) of a covariance; raises `FitError`."""
    try:
        factor = np.asarray(np.linalg.cholesky(covariance), np.float64)
    except np.linalg.LinAlgError:
        factor = np.full(covariance.shape, np.nan)
    if not np.isfinite(factor).all():
        raise FitError(
            "a covariance is not positive definite: the latents are not finite, or "
            "there are too few photos for so little shrinkage and ridge"
        )
    return factor
