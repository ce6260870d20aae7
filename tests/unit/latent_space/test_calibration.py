"""Platt scaling against scikit-learn, and thresholds against a loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from lablr.errors import BundleError
from lablr.latent_space import calibration
from lablr.latent_space.calibration import Calibration, threshold_at_precision


def draw(
    n_photos: int, n_tags: int, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Ratios that are too sure of themselves, and who carries the tags."""
    rng = np.random.default_rng(seed)
    ratios = rng.normal(-20, 12, size=(n_photos, n_tags))
    slopes = rng.uniform(0.1, 0.4, size=n_tags)
    truth = 1 / (1 + np.exp(-slopes * ratios - rng.uniform(1, 5, size=n_tags)))
    return ratios, rng.random(ratios.shape) < truth


def most_likely(
    ratio: NDArray[np.float64], own: NDArray[np.bool_]
) -> tuple[float, ...]:
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000)
    model.fit(ratio[:, None], own)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def test_a_weak_prior_gives_scikit_learns_logistic_regression(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calibration, "PRIOR_STRENGTH", 1e-9)
    ratios, membership = draw(600, 6)
    fitted = Calibration.fit(ratios, membership)
    for t in range(6):
        expected = most_likely(ratios[:, t], membership[:, t])
        found = fitted.slopes[t], fitted.intercepts[t]
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_many_photos_outweigh_the_prior() -> None:
    ratios, membership = draw(20_000, 3)
    fitted = Calibration.fit(ratios, membership)
    for t in range(3):
        expected = most_likely(ratios[:, t], membership[:, t])
        found = fitted.slopes[t], fitted.intercepts[t]
        assert found == pytest.approx(expected, rel=0.05)


def test_tags_with_few_photos_are_drawn_to_all_tags() -> None:
    ratios, membership = draw(400, 12)
    # One photo carries tag 0, by accident one that its ratio speaks against.
    membership[:, 0] = False
    membership[np.argsort(ratios[:, 0])[100], 0] = True
    membership[:, 1] = False
    fitted = Calibration.fit(ratios, membership)
    pooled = most_likely(ratios.ravel(), membership.ravel())
    alone = most_likely(ratios[:, 0], membership[:, 0])
    assert alone[0] < 0 < fitted.slopes[0]
    assert abs(fitted.slopes[0] - pooled[0]) < abs(alone[0] - pooled[0]) / 2
    # Nobody carries tag 1: it has no most likely pair, but a sensible one.
    assert 0 < fitted.slopes[1] < 3 * pooled[0]
    assert 0 < fitted.probability(ratios)[:, 1].mean() < membership.mean()


def test_a_tag_is_as_likely_as_it_is_frequent() -> None:
    ratios, membership = draw(3000, 8)
    fitted = Calibration.fit(ratios, membership).probability(ratios)
    np.testing.assert_allclose(fitted.mean(axis=0), membership.mean(axis=0), atol=3e-3)


def test_a_ratio_that_says_the_contrary_is_hardly_heard() -> None:
    ratios, membership = draw(2000, 5)
    membership[:, 2] = ~membership[:, 2]
    fitted = Calibration.fit(ratios, membership)
    probability = fitted.probability(ratios)[:, 2]
    assert 0 < fitted.slopes[2] < 0.01 * fitted.slopes[0]
    assert probability.mean() == pytest.approx(membership[:, 2].mean(), abs=3e-3)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 100.0), st.sampled_from([0, 1, 2]))
def test_the_fit_is_at_its_optimum(seed: int, scale: float, heavy: int) -> None:
    rng = np.random.default_rng(seed)
    ratios = rng.normal(-2, 1, size=(60, 1)) * np.exp(heavy * rng.normal(size=(60, 1)))
    membership = rng.random((60, 1)) < 0.3
    fitted = Calibration.fit(scale * ratios, membership)
    error = fitted.probability(scale * ratios) - membership
    # The likelihood's gradient: one tag is drawn to itself alone.
    assert abs(error.sum()) < 1e-2
    if fitted.slopes[0] * scale * ratios.std() > 2 * calibration.MIN_SLOPE:
        assert abs((error * ratios).sum()) < 1e-2 * np.abs(ratios).max()


def test_the_unit_of_the_ratios_does_not_matter() -> None:
    ratios, membership = draw(300, 4)
    one = Calibration.fit(ratios, membership)
    ten = Calibration.fit(10 * ratios, membership)
    np.testing.assert_allclose(10 * ten.slopes, one.slopes, rtol=1e-6)
    np.testing.assert_allclose(ten.intercepts, one.intercepts, rtol=1e-6)


def test_separated_equal_and_no_photos() -> None:
    ratios, membership = draw(200, 3)
    separated = Calibration.fit(ratios, ratios > -10)
    assert np.isfinite([separated.slopes, separated.intercepts]).all()
    assert ((separated.probability(ratios) > 0.5) == (ratios > -10)).mean() > 0.98
    equal = Calibration.fit(np.full_like(ratios, 3.0), membership)
    assert (equal.slopes > 0).all()
    assert np.isfinite(equal.probability(ratios)).all()
    nothing = Calibration.fit(ratios[:0], membership[:0])
    assert nothing.slopes.tolist() == [1.0] * 3
    assert nothing.intercepts.tolist() == [0.0] * 3


@given(
    st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=20),
    st.floats(1e-3, 10),
    st.floats(-50, 50),
)
def test_probabilities_rise_with_the_ratio_and_never_overflow(
    ratio: list[float], slope: float, intercept: float
) -> None:
    fitted = Calibration(np.array([slope]), np.array([intercept]))
    ratios = np.sort(np.array(ratio))[:, None]
    probability = fitted.probability(ratios)
    assert ((probability >= 0) & (probability <= 1)).all()
    assert (np.diff(probability, axis=0) >= 0).all()


def test_probabilities_next_to_nothing_are_still_in_order() -> None:
    fitted = Calibration(np.ones(1), np.zeros(1))
    ratios = np.linspace(-600, 20, 400)[:, None]
    probability = fitted.probability(ratios)
    assert (np.diff(probability, axis=0) > 0).all()
    np.testing.assert_allclose(np.log(probability[0]), ratios[0], rtol=1e-12)


def test_a_bundle_gives_back_what_went_in() -> None:
    fitted = Calibration.fit(*draw(100, 5))
    back = Calibration.from_arrays(fitted.to_arrays(), 5)
    assert np.array_equal(back.slopes, fitted.slopes)
    assert np.array_equal(back.intercepts, fitted.intercepts)


@pytest.mark.parametrize("name", ["slopes", "intercepts"])
@pytest.mark.parametrize(
    "wrong", [None, np.ones(4), np.ones((5, 1)), np.ones(()), np.full(5, np.nan)]
)
def test_other_arrays_are_refused(name: str, wrong: NDArray[np.float64] | None) -> None:
    given = Calibration(np.ones(5), np.zeros(5)).to_arrays()
    if wrong is None:
        del given[name]
    else:
        given[name] = wrong
    with pytest.raises(BundleError, match=rf"calibration\.npz: .*{name}"):
        Calibration.from_arrays(given, 5)


# --- thresholds

tables = st.integers(1, 25).flatmap(
    lambda n: st.tuples(
        arrays(np.bool_, (n, 2)),
        arrays(np.int64, (n, 2), elements=st.integers(0, 8)).map(lambda i: i / 8),
    )
)


@given(tables, st.sampled_from([0.0, 0.25, 0.5, 0.75, 0.9, 1.0]))
def test_the_threshold_against_a_loop(
    table: tuple[NDArray[np.bool_], NDArray[np.float64]], precision: float
) -> None:
    membership, probability = table
    expected = 1.0
    for threshold in sorted(set(probability.ravel()), reverse=True):
        accepted = membership[probability >= threshold]
        if accepted.sum() / len(accepted) >= precision:
            expected = threshold
    assert threshold_at_precision(membership, probability, precision) == expected


def test_no_threshold_makes_wrong_tags_right() -> None:
    probability = np.array([[0.9, 0.1]])
    wrong = np.zeros((1, 2), bool)
    assert threshold_at_precision(wrong, probability, 0.5) == 1.0
    assert threshold_at_precision(wrong, probability, 0.0) == 0.1
    assert threshold_at_precision(wrong[:0], probability[:0], 0.5) == 1.0
