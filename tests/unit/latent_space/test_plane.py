"""The plane against scikit-learn's PCA, its circles, its dots and its arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from lablr.errors import BundleError, FitError
from lablr.latent_space.dots import MapDots
from lablr.latent_space.moments import Moments
from lablr.latent_space.plane import LatentMap
from lablr.system.npz import pack_arrays, unpack_arrays


def clouds(n_photos: int = 900, n_tags: int = 4, n_latent: int = 6) -> dict[str, Any]:
    """Draw photos around the means of their tags, and the tags' Gaussians."""
    rng = np.random.default_rng(0)
    means = 5 * rng.normal(size=(n_tags, n_latent))
    tag_of = rng.integers(0, n_tags, n_photos)
    return {
        "latents": (means[tag_of] + rng.normal(size=(n_photos, n_latent))).astype("f4"),
        "membership": tag_of[:, None] == np.arange(n_tags),
        "means": means,
        "log_determinants": np.linspace(-1, 1, n_tags),
    }


def map_of(
    latents: np.ndarray,
    membership: np.ndarray,
    means: np.ndarray,
    log_determinants: np.ndarray,
    seed: int = 0,
) -> LatentMap:
    """Lay a map through photos, of whom every other one is in another group."""
    halves = np.arange(len(latents))[:, None] % 2 == np.arange(2)
    tags = tuple(f"tag{number}" for number in range(membership.shape[1]))
    files = np.array([f"{number}.jpg" for number in range(len(latents))], np.str_)
    return LatentMap.fit(
        Moments.of(latents.astype(np.float64), halves),
        MapDots.of(latents, membership, files, tags, seed),
        means,
        log_determinants,
    )


@pytest.mark.parametrize("n_latent", [2, 3, 40])
@pytest.mark.parametrize("n_photos", [3, 25, 900])
def test_the_plane_is_scikit_learns(n_photos: int, n_latent: int) -> None:
    drawn = clouds(n_photos, n_latent=n_latent)
    latents = drawn["latents"].astype(np.float64)
    ours = map_of(**drawn)
    pca = PCA(2, svd_solver="full").fit(latents)
    np.testing.assert_allclose(ours.mean, pca.mean_)
    signs = np.sign(np.sum(ours.axes * pca.components_, axis=1))
    np.testing.assert_allclose(ours.axes, pca.components_ * signs[:, None], atol=1e-9)
    np.testing.assert_allclose(
        ours.explained_variance_ratio, pca.explained_variance_ratio_, atol=1e-12
    )
    np.testing.assert_allclose(
        ours.locate(latents), pca.transform(latents) * signs, atol=1e-9
    )


@given(st.integers(0, 10_000))
def test_the_axes_are_orthonormal_and_their_signs_fixed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = clouds(20, n_latent=5)
    drawn["latents"] = rng.normal(size=(20, 5))
    plane = map_of(**drawn)
    np.testing.assert_allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-12)
    for axis in plane.axes:
        assert axis[np.abs(axis).argmax()] > 0
    # The opposite photos lie on the same axes, opposite.
    opposite = map_of(**{**drawn, "latents": -drawn["latents"]})
    np.testing.assert_allclose(opposite.axes, plane.axes, atol=1e-9)


def test_centroids_lie_where_their_means_are() -> None:
    drawn = clouds()
    plane = map_of(**drawn)
    np.testing.assert_allclose(plane.centroids, plane.locate(drawn["means"]))
    np.testing.assert_allclose(plane.locate(plane.mean[None]), [[0, 0]], atol=1e-12)


def test_the_radius_is_the_standard_deviation_of_a_round_gaussian() -> None:
    drawn = clouds(n_latent=6)
    deviations = np.array([0.5, 1.0, 2.0, 1e80])  # det of the last is 1e960
    drawn["log_determinants"] = 2 * 6 * np.log(deviations)
    radii = map_of(**drawn).dispersion_radii
    np.testing.assert_allclose(radii, deviations)


def test_the_radius_is_the_geometric_mean_of_the_deviations() -> None:
    drawn = clouds(n_tags=1, n_latent=3)
    covariance = np.diag([1.0, 4.0, 9.0])
    drawn["log_determinants"] = [np.linalg.slogdet(covariance)[1]]
    (radius,) = map_of(**drawn).dispersion_radii
    assert radius == pytest.approx((1 * 2 * 3) ** (1 / 3))
    assert radius == pytest.approx(np.linalg.det(covariance) ** (1 / (2 * 3)))


def test_the_dots_are_photos_of_their_tag() -> None:
    drawn = clouds(900, 4)
    drawn["membership"][:, 3] = False
    drawn["membership"][:7, 3] = True
    drawn["membership"][:, 2] = False
    plane = map_of(**drawn)
    assert [len(plane.photos_of(t)) for t in range(4)] == [200, 200, 0, 7]
    for tag in range(4):
        photos = drawn["latents"][drawn["membership"][:, tag]]
        places = plane.locate(photos).astype(np.float32)
        dots = plane.photos_of(tag)
        assert len({tuple(dot) for dot in dots.tolist()}) == len(dots)
        assert {tuple(dot) for dot in dots.tolist()} <= {
            tuple(place) for place in places.tolist()
        }
    assert plane.photo_positions.dtype == np.float32


def test_the_dots_depend_on_the_seed_alone() -> None:
    one, same = map_of(**clouds()), map_of(**clouds(), seed=0)
    other = map_of(**clouds(), seed=1)
    np.testing.assert_array_equal(one.photo_positions, same.photo_positions)
    assert not np.array_equal(one.photo_positions, other.photo_positions)


@pytest.mark.parametrize(
    ("latents", "message"),
    [
        (np.zeros((1, 3)), "two photos"),
        (np.zeros((0, 3)), "two photos"),
        (np.arange(5.0)[:, None], "two dimensions"),
        (np.ones((5, 3)), "finite and differ"),
        (np.full((5, 3), math.nan), "finite and differ"),
    ],
)
def test_what_no_plane_can_be_laid_through(latents: np.ndarray, message: str) -> None:
    with pytest.raises(FitError, match=message):
        map_of(
            latents,
            np.ones((len(latents), 1), bool),
            np.zeros((1, latents.shape[1])),
            [0.0],
        )


# --- arrays


def test_the_arrays_go_through_a_bundle_and_back() -> None:
    plane = map_of(**clouds())
    packed = pack_arrays(plane.to_arrays(), "map.npz")
    back = LatentMap.from_arrays(unpack_arrays(packed, "map.npz"))
    for name, array in plane.to_arrays().items():
        found = getattr(back, name)
        np.testing.assert_array_equal(found, array)
        assert found.dtype == array.dtype
    latents = clouds()["latents"]
    np.testing.assert_array_equal(back.locate(latents), plane.locate(latents))


@pytest.mark.parametrize("name", [*LatentMap.__dataclass_fields__])
def test_arrays_missing_or_of_the_wrong_shape_are_refused(name: str) -> None:
    arrays = map_of(**clouds()).to_arrays()
    good = arrays.pop(name)
    with pytest.raises(BundleError, match=f"missing or unknown: {name}"):
        LatentMap.from_arrays(arrays)
    for wrong in (good[..., None], good[:-1], good.astype("u1"), np.array(1.0)):
        with pytest.raises(BundleError, match=r"expected .* found|photo_starts"):
            LatentMap.from_arrays({**arrays, name: wrong})
    with pytest.raises(BundleError, match="unknown: more"):
        LatentMap.from_arrays({**arrays, name: good, "more": good})


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("mean", lambda a: a * math.nan),
        ("centroids", lambda a: a + math.inf),
        ("axes", lambda a: a * 2),
        ("axes", lambda a: np.stack([a[0], a[0]])),
        ("explained_variance_ratio", lambda a: a + 1),
        ("explained_variance_ratio", lambda a: -a),
        ("dispersion_radii", lambda a: -a),
        ("photo_starts", lambda a: a + 1),
        ("photo_starts", lambda a: a[::-1].copy()),
        ("photo_starts", lambda a: a * [1, 1, -1, 1, 1]),
        ("photo_positions", lambda a: a[:-1]),
    ],
)
def test_arrays_of_wrong_numbers_are_refused(name: str, wrong: Any) -> None:
    arrays = map_of(**clouds()).to_arrays()
    with pytest.raises(BundleError, match=f"{name}|photo_starts"):
        LatentMap.from_arrays({**arrays, name: wrong(arrays[name])})
