"""Many Gaussians at once, with a basis of their own or a shared one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import distance

from lablr.errors import FitError
from lablr.latent_space import mahalanobis
from lablr.latent_space.mahalanobis import ManyGaussians

D = 6


def draw(n_groups: int, spread: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Means (G, d) far from the origin, covariances (G, d, d) shrunk to one."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(D, D))
    tied = shared @ shared.T + np.eye(D)
    own = rng.normal(size=(n_groups, D, 2 * D))
    covariances = tied + spread * own @ own.transpose(0, 2, 1) / D
    return 20 + 3 * rng.normal(size=(n_groups, D)), covariances


def naive(
    latents: np.ndarray, means: np.ndarray, covariances: np.ndarray
) -> np.ndarray:
    return np.array(
        [
            [
                distance.mahalanobis(x, mean, np.linalg.inv(covariance)) ** 2
                for mean, covariance in zip(means, covariances, strict=True)
            ]
            for x in latents
        ]
    )


def latents_near(means: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(1)
    return (means[:15] + 3 * rng.normal(size=(15, D))).astype(np.float32)


@pytest.mark.parametrize("n_basis", [None, 21])
def test_squared_distances_are_scipys(n_basis):
    # 21 = d (d + 1) / 2 matrices are a basis of all, so nothing is approximate.
    means, covariances = draw(40)
    latents = latents_near(means)
    model = ManyGaussians(means, covariances, n_basis)
    found = model.squared_mahalanobis(latents)
    np.testing.assert_allclose(
        found, naive(latents, means, covariances), rtol=1e-3, atol=1e-3
    )
    _, expected = np.linalg.slogdet(covariances)
    np.testing.assert_allclose(model.log_determinants, expected, rtol=1e-6)


def test_a_larger_basis_is_nearer():
    means, covariances = draw(60, spread=1.0)
    latents = latents_near(means)
    expected = naive(latents, means, covariances)
    errors = [
        np.abs(
            ManyGaussians(means, covariances, k).squared_mahalanobis(latents) - expected
        ).mean()
        for k in (1, 4, 12, 21)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-3 < errors[0]


def test_equal_covariances_need_one_matrix():
    means, covariances = draw(30)
    covariances[:] = covariances[0]
    latents = latents_near(means)
    found = ManyGaussians(means, covariances, 1).squared_mahalanobis(latents)
    np.testing.assert_allclose(found, naive(latents, means, covariances), rtol=1e-3)


def test_no_square_is_negative():
    means, covariances = draw(60, spread=5.0)
    model = ManyGaussians(means, covariances, 1)
    assert (model.squared_mahalanobis(means) >= 0).all()


def test_the_basis_is_shared_beyond_a_number(monkeypatch):
    means, covariances = draw(30, spread=5.0)
    latents = latents_near(means)
    exact = ManyGaussians(means, covariances).squared_mahalanobis(latents)
    monkeypatch.setattr(mahalanobis, "MAX_OWN", 29)
    monkeypatch.setattr(mahalanobis, "N_BASIS", 3)
    shared = ManyGaussians(means, covariances).squared_mahalanobis(latents)
    assert not np.allclose(shared, exact, rtol=1e-2)


def test_many_photos_go_in_parts(monkeypatch):
    means, covariances = draw(40)
    model = ManyGaussians(means, covariances)
    latents = np.tile(latents_near(means), (20, 1))
    at_once = model.squared_mahalanobis(latents)
    monkeypatch.setattr(mahalanobis, "NUMBERS_AT_ONCE", 7 * 42)
    in_parts = model.squared_mahalanobis(latents)
    np.testing.assert_allclose(in_parts, at_once, rtol=1e-4, atol=1e-3)


def test_a_flat_covariance_is_refused():
    means, covariances = draw(3)
    covariances[1] = 0
    covariances[1, 0, 0] = -1e6
    with pytest.raises(FitError, match="not positive definite"):
        ManyGaussians(means, covariances)
