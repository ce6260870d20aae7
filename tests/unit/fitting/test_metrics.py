"""Our figures against scikit-learn's, naive loops and worked examples."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from lablr.fitting.metrics import (
    average_precision,
    calibration_error,
    evaluate,
    macro_average_precision,
    mean_average_precision,
    precision_at_k,
    rank_relevance,
    recall_at_k,
    roc_auc,
)


def table(
    n_photos: int, n_tags: int, seed: int = 0, n_levels: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw who carries what, and scores that know a little of it."""
    rng = np.random.default_rng(seed)
    relevant = rng.random((n_photos, n_tags)) < 0.15
    scores = rng.normal(size=relevant.shape) + relevant
    if n_levels is not None:
        scores = np.floor(scores * n_levels)
    return relevant, scores


cases = st.lists(
    st.tuples(
        st.booleans(),
        st.integers(-3, 3).map(float) | st.floats(-1e6, 1e6),
    ),
    min_size=1,
    max_size=30,
)


@given(cases)
def test_average_precision_is_scikit_learns(rows: list[tuple[bool, float]]) -> None:
    relevant, score = zip(*rows, strict=True)
    if not any(relevant):
        assert math.isnan(average_precision(relevant, score))
    else:
        expected = average_precision_score(relevant, score)
        assert average_precision(relevant, score) == pytest.approx(expected, abs=1e-12)


@given(cases)
def test_roc_auc_is_scikit_learns(rows: list[tuple[bool, float]]) -> None:
    relevant, score = zip(*rows, strict=True)
    if len(set(relevant)) < 2:
        assert math.isnan(roc_auc(relevant, score))
    else:
        expected = roc_auc_score(relevant, score)
        assert roc_auc(relevant, score) == pytest.approx(expected, abs=1e-12)


@given(cases)
def test_roc_auc_counts_pairs(rows: list[tuple[bool, float]]) -> None:
    above = [score for own, score in rows if own]
    below = [score for own, score in rows if not own]
    if above and below:
        wins = sum((a > b) + 0.5 * (a == b) for a in above for b in below)
        expected = wins / (len(above) * len(below))
        relevant, score = zip(*rows, strict=True)
        assert roc_auc(relevant, score) == pytest.approx(expected, abs=1e-12)


def test_infinite_scores_rank_first_and_last() -> None:
    relevant, score = [True, False, False], [math.inf, 0.0, -math.inf]
    assert average_precision(relevant, score) == 1
    assert roc_auc(relevant, score) == 1
    assert rank_relevance([relevant], [score]).tolist() == [[True, False, False]]


def test_of_nothing_there_is_nothing() -> None:
    assert math.isnan(average_precision([], []))
    assert math.isnan(roc_auc([], []))
    assert math.isnan(calibration_error([], []))
    assert math.isnan(mean_average_precision(np.zeros((0, 3), bool)))
    assert math.isnan(mean_average_precision(np.zeros((2, 3), bool)))


@pytest.mark.parametrize(
    "figure", [average_precision, roc_auc, calibration_error, macro_average_precision]
)
def test_shapes_and_nan_are_refused(figure: Callable[..., float]) -> None:
    with pytest.raises(ValueError, match="relevant is"):
        figure([True, False], [1.0])
    with pytest.raises(ValueError, match="NaN"):
        figure([True, False], [1.0, math.nan])


def test_macro_average_precision_is_over_tags_that_occur() -> None:
    relevant, scores = table(60, 8, n_levels=3)
    relevant[:, 3] = False
    expected = [
        average_precision_score(relevant[:, t], scores[:, t])
        for t in range(8)
        if relevant[:, t].any()
    ]
    assert len(expected) == 7
    found = macro_average_precision(relevant, scores)
    assert found == pytest.approx(np.mean(expected), abs=1e-12)


@pytest.mark.parametrize("n_levels", [None, 2])
def test_per_photo_figures_against_loops(n_levels: int | None) -> None:
    relevant, scores = table(80, 12, n_levels=n_levels)
    relevant[5] = False
    ranked = rank_relevance(relevant, scores)
    mean_of = []
    for n in range(80):
        # Python's sort keeps equal scores in the order of the tags.
        order = sorted(range(12), key=lambda t: -scores[n, t])
        own = [bool(relevant[n, t]) for t in order]
        assert ranked[n].tolist() == own
        assert precision_at_k(ranked, 5)[n] == sum(own[:5]) / 5
        assert precision_at_k(ranked, 50)[n] == pytest.approx(sum(own) / 12)
        if any(own):
            places = [place for place, hit in enumerate(own, 1) if hit]
            ap = np.mean([r / place for r, place in enumerate(places, 1)])
            mean_of.append(ap)
            assert recall_at_k(ranked, 5)[n] == pytest.approx(sum(own[:5]) / sum(own))
        else:
            assert math.isnan(recall_at_k(ranked, 5)[n])
    assert mean_average_precision(ranked) == pytest.approx(np.mean(mean_of))


def test_image_map_without_ties_is_scikit_learns() -> None:
    relevant, scores = table(50, 20)
    expected = [
        average_precision_score(relevant[n], scores[n])
        for n in range(50)
        if relevant[n].any()
    ]
    found = mean_average_precision(rank_relevance(relevant, scores))
    assert found == pytest.approx(np.mean(expected), abs=1e-12)


# --- calibration


def test_calibration_error_of_a_worked_example() -> None:
    probability = [[0.1, 0.2], [0.8, 0.9]]
    relevant = [[False, False], [True, False]]
    # Two bins: |0 - 0.15| and |0.5 - 0.85|, half of the cases each.
    assert calibration_error(relevant, probability, n_bins=2) == pytest.approx(0.25)
    # A bin a case: the mean of 0.1, 0.2, 0.2 and 0.9.
    assert calibration_error(relevant, probability, n_bins=4) == pytest.approx(0.35)
    assert calibration_error(relevant, probability) == pytest.approx(0.35)


def test_the_base_rate_is_calibrated() -> None:
    relevant, _ = table(300, 10)
    rate = np.full(relevant.shape, relevant.mean())
    assert calibration_error(relevant, rate) == pytest.approx(0, abs=1e-12)
    assert calibration_error(relevant, rate + 0.1) == pytest.approx(0.1)


def test_true_probabilities_are_nearly_calibrated_and_squared_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    probability = rng.random((1000, 50))
    relevant = rng.random(probability.shape) < probability
    assert calibration_error(relevant, probability) < 0.01
    # E|p - p^2| = 1/2 - 1/3
    squared = calibration_error(relevant, probability**2)
    assert squared == pytest.approx(1 / 6, abs=0.01)


@given(cases, st.randoms(use_true_random=False))
def test_calibration_error_does_not_know_the_order(
    rows: list[tuple[bool, float]], rng: object
) -> None:
    rows = [(own, abs(math.sin(score))) for own, score in rows]
    shuffled = list(rows)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    one = calibration_error(*zip(*rows, strict=True), n_bins=4)
    two = calibration_error(*zip(*shuffled, strict=True), n_bins=4)
    assert one == pytest.approx(two, abs=1e-9)
    assert 0 <= one <= 1


# --- reports


def test_reports_per_source_and_of_all() -> None:
    relevant, scores = table(90, 6, seed=3)
    relevant[40] = False
    relevant[:30, 2] = False
    sources = ["b"] * 30 + ["a"] * 60
    probability = 1 / (1 + np.exp(-scores))
    reports = evaluate(relevant, scores, probability, sources)
    assert [(report.source, report.n_photos) for report in reports] == [
        ("a", 60),
        ("b", 30),
        ("all", 90),
    ]
    of_a, of_b, of_all = reports
    for report, rows in ((of_a, slice(30, 90)), (of_b, slice(30)), (of_all, slice(90))):
        truth, table_ = relevant[rows], scores[rows]
        tagged = truth.any(axis=1)
        ranked = rank_relevance(truth[tagged], table_[tagged])
        tags = [t for t in range(6) if truth[:, t].any()]
        expected = {
            "macro_average_precision": np.mean(
                [average_precision_score(truth[:, t], table_[:, t]) for t in tags]
            ),
            "mean_average_precision": mean_average_precision(ranked),
            "precision_at_1": precision_at_k(ranked, 1).mean(),
            "precision_at_5": precision_at_k(ranked, 5).mean(),
            "recall_at_5": recall_at_k(ranked, 5).mean(),
            "recall_at_10": 1.0,
            "roc_auc": np.mean(
                [roc_auc_score(truth[:, t], table_[:, t]) for t in tags]
            ),
            "calibration_error": calibration_error(truth, probability[rows]),
        }
        for name, figure in expected.items():
            assert getattr(report, name) == pytest.approx(figure), name


def test_a_report_is_json_even_where_a_figure_is_undefined() -> None:
    reports = evaluate([[True, False]], [[2.0, 1.0]], None, ["a"])
    figures = reports[0].to_dict()
    assert figures["calibration_error"] is None
    assert figures["roc_auc"] is None
    assert figures["precision_at_1"] == 1.0
    json.dumps(figures, allow_nan=False)


def test_untagged_photos_and_none_at_all() -> None:
    (report, _) = evaluate(np.zeros((2, 3), bool), np.ones((2, 3)), None, ["a", "a"])
    assert report.n_photos == 2
    assert math.isnan(report.mean_average_precision)
    (nothing,) = evaluate(np.zeros((0, 3), bool), np.ones((0, 3)), None, [])
    assert nothing.to_dict()["n_photos"] == 0
    with pytest.raises(ValueError, match="1 sources of 2 photos"):
        evaluate(np.zeros((2, 3), bool), np.ones((2, 3)), None, ["a"])


@pytest.mark.alone
def test_twelve_thousand_photos_take_seconds() -> None:
    relevant, scores = table(12_000, 60)
    began = time.process_time()
    evaluate(relevant, scores, 1 / (1 + np.exp(-scores)), ["a", "b"] * 6_000)
    assert time.process_time() - began < 5  # 0.5 when nothing else runs
