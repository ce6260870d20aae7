"""The Gaussians against naive loops, SciPy and scikit-learn."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

import numpy as np
import pytest
from model_makers import draw_photos, statistics_of
from scipy.spatial import distance
from scipy.stats import multivariate_normal
from sklearn.covariance import EmpiricalCovariance
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)

from lablr.corpus.label_weights import evidence
from lablr.encoders.encoding import EncodedPhotos
from lablr.errors import FitError
from lablr.latent_space import mahalanobis
from lablr.latent_space.gaussians import TagGaussians, shrunk_covariances

UNKNOWN = 0.1
TIED = 1e15  # a shrinkage beside which no tag's photos count


def fitted(
    photos: EncodedPhotos, shrinkage: float = 20.0, ridge: float = 0.01
) -> TagGaussians:
    statistics = statistics_of(photos)
    return TagGaussians(statistics, statistics.absence(UNKNOWN), shrinkage, ridge)


def covariances_of(
    photos: EncodedPhotos, shrinkage: float = 20.0, ridge: float = 0.01
) -> np.ndarray:
    """The shrunk covariances (T, d, d) that `fitted` makes."""
    moments = statistics_of(photos).tag_moments
    tied = moments.within_covariance()
    return np.stack([*shrunk_covariances(moments, tied, shrinkage, ridge)])


def with_one_tag_each(photos: EncodedPhotos) -> tuple[EncodedPhotos, np.ndarray]:
    """Photos that have one tag each, as classifiers expect, and its number."""
    labels = np.arange(len(photos.latents)) % len(photos.tags)
    alone = labels[:, None] == np.arange(len(photos.tags))
    return replace(photos, membership=alone), labels


# --- distances and densities


@pytest.mark.parametrize("shrinkage", [0.0, 20.0, TIED])
def test_squared_mahalanobis_is_scipys(shrinkage: float) -> None:
    photos = draw_photos()
    model = fitted(photos, shrinkage)
    found = model.squared_mahalanobis(photos.latents[:40])
    for t, (mean, covariance) in enumerate(
        zip(model.means_, covariances_of(photos, shrinkage), strict=True)
    ):
        precision_matrix = np.linalg.inv(covariance)
        expected = [
            distance.mahalanobis(x, mean, precision_matrix) ** 2
            for x in photos.latents[:40]
        ]
        np.testing.assert_allclose(found[:, t], expected, rtol=1e-4, atol=1e-4)


def test_the_density_is_scipys() -> None:
    photos = draw_photos()
    model = fitted(photos)
    latents = photos.latents[:40]
    squares = model.squared_mahalanobis(latents)
    constant = latents.shape[1] * np.log(2 * np.pi)
    for t, covariance in enumerate(covariances_of(photos)):
        normal = multivariate_normal(model.means_[t], covariance)
        log_density = -0.5 * (squares[:, t] + model.log_determinants_[t] + constant)
        np.testing.assert_allclose(
            log_density, normal.logpdf(latents), rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize("shrinkage", [0.5, 20.0, 1e4])
def test_the_log_likelihood_ratio_against_a_loop(shrinkage: float) -> None:
    photos = draw_photos(sources=("a", "b", "c"))
    ridge = 0.02
    points, latents = photos.latents.astype(float), photos.latents[:30].astype(float)
    weights = evidence(photos.membership, photos.sources, UNKNOWN).astype(float)
    own = [points[members] for members in photos.membership.T]
    tied = sum(len(x) * np.cov(x.T, bias=True) for x in own) / sum(map(len, own))
    floor = ridge * np.trace(tied) / len(tied) * np.eye(len(tied))

    def log_density(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        alpha = shrinkage / (w.sum() + shrinkage)
        empirical = np.cov(x.T, bias=True, aweights=w)
        covariance = (1 - alpha) * empirical + alpha * tied + floor
        mean = np.average(x, axis=0, weights=w)
        return multivariate_normal(mean, covariance).logpdf(latents)

    found = fitted(photos, shrinkage, ridge).log_likelihood_ratio(latents)
    for t, members in enumerate(photos.membership.T):
        ones = np.ones(members.sum())
        rest, of_rest = points[~members], weights[~members, t]
        expected = (
            log_density(own[t], ones)
            - log_density(rest, of_rest)
            + np.log(len(ones) / of_rest.sum())
        )
        np.testing.assert_allclose(found[:, t], expected, rtol=1e-3, atol=2e-3)


def test_scoring_gives_both_at_once() -> None:
    photos = draw_photos()
    model = fitted(photos)
    squares, ratio = model.score(photos.latents)
    assert np.array_equal(squares, model.squared_mahalanobis(photos.latents))
    assert np.array_equal(ratio, model.log_likelihood_ratio(photos.latents))
    assert squares.shape == ratio.shape == photos.membership.shape
    assert [table.shape for table in model.score(photos.latents[:0])] == [(0, 7)] * 2


def test_scores_do_not_depend_on_the_latents_axes() -> None:
    photos = draw_photos()
    rng = np.random.default_rng(1)
    A = np.eye(6) + 0.2 * rng.normal(size=(6, 6))
    moved = replace(photos, latents=(photos.latents @ A.T + 5).astype(np.float32))
    one = fitted(photos, ridge=0.0).score(photos.latents)
    two = fitted(moved, ridge=0.0).score(moved.latents)
    for before, after in zip(one, two, strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-2)


# --- shrinkage


def test_without_shrinkage_a_tag_has_its_empirical_covariance() -> None:
    photos = draw_photos()
    covariances = covariances_of(photos, shrinkage=0.0, ridge=0.05)
    tied = covariances_of(photos, TIED, ridge=0.0)[0]
    ridge = 0.05 * np.diag(tied).mean() * np.eye(6)
    for t, members in enumerate(photos.membership.T):
        own = photos.latents[members].astype(float)
        expected = EmpiricalCovariance().fit(own).covariance_ + ridge
        np.testing.assert_allclose(covariances[t], expected, rtol=1e-9, atol=1e-9)


def test_with_all_shrinkage_every_tag_has_the_within_covariance_of_lda() -> None:
    photos, labels = with_one_tag_each(draw_photos())
    points = photos.latents.astype(float)
    lda = LinearDiscriminantAnalysis(solver="lsqr").fit(points, labels)
    model = fitted(photos, TIED, ridge=0.0)
    for covariance in covariances_of(photos, TIED, ridge=0.0):
        np.testing.assert_allclose(covariance, lda.covariance_, rtol=1e-9, atol=1e-9)
    # A constant of each photo differs; softmax takes it away.
    logits = -0.5 * model.squared_mahalanobis(points) + np.log(model.n_photos_)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    probability = odds / odds.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probability, lda.predict_proba(points), atol=1e-4)


def test_of_two_tags_the_ratio_is_ldas_decision() -> None:
    photos, labels = with_one_tag_each(draw_photos(n_tags=2, sources=("a",)))
    points = photos.latents.astype(float)
    lda = LinearDiscriminantAnalysis(solver="lsqr").fit(points, labels)
    ratio = fitted(photos, TIED, ridge=0.0).log_likelihood_ratio(points)
    np.testing.assert_allclose(ratio[:, 1], lda.decision_function(points), atol=2e-3)
    np.testing.assert_allclose(ratio[:, 0], -ratio[:, 1], atol=2e-3)


def test_without_shrinkage_the_covariances_are_qdas() -> None:
    photos, labels = with_one_tag_each(draw_photos())
    qda = QuadraticDiscriminantAnalysis(store_covariance=True)
    qda.fit(photos.latents.astype(float), labels)
    covariances = covariances_of(photos, shrinkage=0.0, ridge=0.0)
    for own, theirs in zip(covariances, qda.covariance_, strict=True):
        # Before scikit-learn 1.8 theirs was divided by n - 1.
        theirs = theirs * np.trace(own) / np.trace(theirs)
        np.testing.assert_allclose(own, theirs, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("shrinkage", [5.0, 300.0])
def test_tags_with_fewer_photos_than_dimensions(shrinkage: float) -> None:
    photos = draw_photos(n_photos=120, n_tags=12, n_latent=40)
    assert photos.membership.sum(axis=0).min() < 40
    model = fitted(photos, shrinkage)
    assert np.isfinite(model.log_determinants_).all()
    squares, ratio = model.score(photos.latents)
    assert np.isfinite(squares).all()
    assert np.isfinite(ratio).all()
    # They learn: a photo's own tags fit it better than the others.
    assert ratio[photos.membership].mean() > ratio[~photos.membership].mean() + 1


# --- what is refused


def test_tags_with_fewer_than_five_photos_are_refused_by_name() -> None:
    photos = draw_photos()
    membership = photos.membership.copy()
    membership[np.flatnonzero(membership[:, 2])[4:], 2] = False
    membership[:, 4] = False
    with pytest.raises(FitError) as refusal:
        fitted(replace(photos, membership=membership))
    assert str(refusal.value).endswith("too few of: tag00002 (4), tag00004 (0)")


def test_five_photos_are_enough() -> None:
    photos = draw_photos()
    membership = photos.membership.copy()
    membership[np.flatnonzero(membership[:, 2])[5:], 2] = False
    assert fitted(replace(photos, membership=membership)).n_photos_[2] == 5


def test_a_tag_of_every_photo_is_refused() -> None:
    photos = draw_photos()
    membership = photos.membership.copy()
    membership[:, 0] = True
    with pytest.raises(FitError, match="nothing to compare"):
        fitted(replace(photos, membership=membership))


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_latents_without_a_spread_are_refused(value: float) -> None:
    photos = draw_photos()
    latents = photos.latents.copy()
    latents[:, 3] = value
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(FitError, match="not positive definite"),
    ):
        fitted(replace(photos, latents=latents), ridge=0.0)


# --- what scoring costs


def test_scoring_holds_a_bounded_number_of_photos(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photos = draw_photos(n_photos=400, n_tags=20)
    model = fitted(photos)
    latents = np.tile(photos.latents, (10, 1))
    at_once = model.squared_mahalanobis(latents)
    monkeypatch.setattr(mahalanobis, "NUMBERS_AT_ONCE", 6 * 20 * 50)  # fifty photos
    tracemalloc.start()
    in_parts = model.squared_mahalanobis(latents)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_allclose(in_parts, at_once, rtol=1e-5)
    all_at_once = len(latents) * 20 * 6 * 4
    assert peak < in_parts.nbytes + all_at_once / 4


def lines_run(function: Callable[[], object]) -> int:
    """How many lines of Python a call runs, in comprehensions and callees too."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("sizes", [(5, 300), (900, 2000)])
def test_scoring_has_no_loop_over_tags(sizes: tuple[int, int]) -> None:
    lines = []
    for n_tags in sizes:
        photos = draw_photos(n_photos=10 * n_tags, n_tags=5)
        membership = np.tile(photos.membership[:50], (1, n_tags // 5))
        many = replace(
            photos,
            latents=photos.latents[:50],
            sources=photos.sources[:50],
            membership=membership,
            tags=tuple(f"tag{number}" for number in range(n_tags)),
        )
        model = fitted(many)
        assert model.squared_mahalanobis(many.latents).shape == (50, n_tags)
        lines.append(lines_run(lambda m=model, x=many.latents[:3]: m.score(x)))
    assert lines[0] == lines[1] < 150
