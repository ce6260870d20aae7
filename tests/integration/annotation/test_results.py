"""What judgements say about a model: the same figures as scikit-learn and SciPy."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from database_makers import MODEL, drawn_pairs, judge, on_both
from scipy.stats import binomtest
from sklearn.metrics import (
    auc,
    average_precision_score,
    cohen_kappa_score,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)

from lablr.annotation.curves import (
    Curves,
    Share,
    cohen_kappa,
    threshold_by_precision,
    threshold_by_youden,
)
from lablr.annotation.database.records import StoredPhoto
from lablr.annotation.database.tables import VERDICTS
from lablr.annotation.export import export_lines
from lablr.annotation.results import results_of
from lablr.errors import JudgementError

# --- figures of plain numbers


@pytest.mark.parametrize(("n_right", "n"), [(0, 7), (7, 7), (1, 2), (37, 50), (1, 999)])
def test_wilson_is_scipys(n_right, n):
    expected = binomtest(n_right, n).proportion_ci(method="wilson")
    assert Share(n_right, n).interval == pytest.approx(tuple(expected), abs=1e-12)


def test_nothing_is_known_without_a_case():
    assert math.isnan(Share(0, 0).share)
    assert Share(0, 0).interval == (0.0, 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_kappa_is_sklearns(seed):
    rng = np.random.default_rng(seed)
    first = rng.choice(VERDICTS, 60)
    second = np.where(rng.random(60) < 0.6, first, rng.choice(VERDICTS, 60))
    found = cohen_kappa(first.tolist(), second.tolist())
    assert found == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)


def test_kappa_where_chance_leaves_no_room():
    assert math.isnan(cohen_kappa([], []))
    assert math.isnan(cohen_kappa(["top_right"] * 3, ["top_right"] * 3))
    assert cohen_kappa(["top_right"] * 3, ["none_right"] * 3) == 0.0


def test_curves_are_sklearns():
    right, probability = drawn_pairs()
    curves = Curves(right, probability)
    fpr, tpr, thresholds = roc_curve(right, probability, drop_intermediate=False)
    # scikit-learn's first point accepts nothing.
    assert curves.thresholds == pytest.approx(thresholds[1:])
    assert curves.true_positive_rate == pytest.approx(tpr[1:])
    assert curves.false_positive_rate == pytest.approx(fpr[1:])
    precision, recall, thresholds = precision_recall_curve(right, probability)
    assert curves.thresholds[::-1] == pytest.approx(thresholds)
    assert curves.precision[::-1] == pytest.approx(precision[:-1])
    assert curves.true_positive_rate[::-1] == pytest.approx(recall[:-1])
    assert curves.roc_auc == pytest.approx(roc_auc_score(right, probability))
    assert curves.roc_auc == pytest.approx(auc(fpr, tpr))
    expected = average_precision_score(right, probability)
    assert curves.average_precision == pytest.approx(expected)


@pytest.mark.parametrize("threshold", [0.0, 0.31, 0.5, 0.975, 1.0])
def test_a_threshold_accepts_and_rejects_as_sklearn_counts(threshold):
    right, probability = drawn_pairs()
    effect = Curves(right, probability).at(threshold)
    accepted = probability >= threshold
    counts = (
        effect.accepted_right,
        effect.accepted_wrong,
        effect.rejected_right,
        effect.rejected_wrong,
    )
    assert sum(counts) == len(right)
    assert effect.recall == pytest.approx(recall_score(right, accepted))
    if accepted.any():
        assert effect.precision == pytest.approx(precision_score(right, accepted))
    else:
        assert math.isnan(effect.precision)
        assert effect.to_dict()["precision"] is None


def test_youdens_threshold_is_the_highest_of_the_best():
    right, probability = drawn_pairs()
    fpr, tpr, thresholds = roc_curve(right, probability, drop_intermediate=False)
    assert threshold_by_youden(Curves(right, probability)) == pytest.approx(
        thresholds[np.argmax(tpr - fpr)]
    )


@pytest.mark.parametrize("target", [0.3, 0.6, 0.7, 1.0])
def test_the_threshold_at_a_precision_is_the_lowest(target):
    right, probability = drawn_pairs()
    naive = [
        t
        for t in sorted(set(probability))
        if precision_score(right, probability >= t) >= target
    ]
    found = threshold_by_precision(Curves(right, probability), target)
    assert found == (naive[0] if naive else None)


@pytest.mark.parametrize("right", [[], [True, True], [False, False]])
def test_one_sided_judgements_have_no_curve(right):
    curves = Curves(right, np.linspace(0.2, 0.8, len(right)))
    assert threshold_by_youden(curves) is None
    assert math.isnan(curves.roc_auc)
    json.dumps(curves.to_dict(), allow_nan=False)


# --- from the database


def majority(votes: list[bool]) -> bool | None:
    n_yes = sum(votes)
    return None if 2 * n_yes == len(votes) else 2 * n_yes > len(votes)


def naive_truth(drawn: dict[str, dict]) -> list[tuple[bool, float]]:
    """What is known of each photo's tags by majority, with the probability."""
    known = []
    for row in drawn.values():
        for rank, (tag, p) in enumerate(row["tags"]):
            votes = [row["right"][tag]]
            if rank == 0:
                others = [v for rater, v in row["verdicts"].items() if rater != "ann"]
                votes += [verdict == "top_right" for verdict in others]
            right = majority(votes)
            if right is not None:
                known.append((right, p))
    return known


@on_both
def test_figures_from_the_database(database):
    drawn = judge(database)
    results = results_of(database)
    top_1 = [
        majority([v == "top_right" for v in row["verdicts"].values()])
        for row in drawn.values()
    ]
    top_k = [
        majority([v != "none_right" for v in row["verdicts"].values()])
        for row in drawn.values()
    ]
    assert results.top_1 == Share(sum(filter(None, top_1)), 60 - top_1.count(None))
    assert results.top_k == Share(sum(filter(None, top_k)), 60 - top_k.count(None))
    assert results.n_ratings == 60 + 30 + 30
    truth = naive_truth(drawn)
    right, probability = zip(*truth, strict=True)
    assert results.curves.roc_auc == pytest.approx(roc_auc_score(right, probability))
    assert sum(row.right.n for row in results.tags) == len(truth)
    assert sum(row.right.n_right for row in results.tags) == sum(right)
    json.dumps(results.to_dict(), allow_nan=False)


@on_both
def test_every_decision_is_exported(database):
    drawn = judge(database, n=4)
    lines = list(export_lines(database))
    # 3 tags of 4 photos, rated by 1, 3, 1 and 3 raters
    assert len(lines) == 3 * (1 + 3 + 1 + 3)
    decided = {
        (x["photo"], x["tag"]): x["decision"] for x in lines if x["rater"] == "ann"
    }
    assert decided == {
        (name, tag): "yes" if right else "no"
        for name, row in drawn.items()
        for tag, right in row["right"].items()
    }
    assert all(line["at"].tzinfo for line in lines)


def test_agreement_is_the_mean_of_the_pairs(database):
    drawn = judge(database)
    rows = [row["verdicts"] for row in drawn.values() if len(row["verdicts"]) == 3]
    pairs = [("ann", "ben"), ("ann", "cat"), ("ben", "cat")]
    expected = [
        cohen_kappa_score([row[a] for row in rows], [row[b] for row in rows])
        for a, b in pairs
    ]
    found = results_of(database).agreement
    assert [pair[:3] for pair in found.pairs] == [(a, b, 30) for a, b in pairs]
    assert [pair[3] for pair in found.pairs] == pytest.approx(expected)
    assert found.kappa == pytest.approx(np.mean(expected))


def test_evenly_split_raters_decide_nothing(database):
    photo = StoredPhoto("a", "a.jpg")
    database.store_predictions(MODEL, [(photo, [("dog", 0.9), ("cat", 0.5)])])
    for rater, verdict in (("ann", "top_right"), ("ben", "none_right")):
        database.add_rater(rater)
        database.rate(rater, "a", verdict)
    results = results_of(database)
    assert (results.top_1.n, results.top_k.n, results.n_split_photos) == (0, 0, 1)
    assert results.tags == ()


def test_tags_that_follow_only_from_none_right_are_not_counted(database):
    photo = StoredPhoto("a", "a.jpg")
    database.store_predictions(MODEL, [(photo, [("dog", 0.9), ("cat", 0.5)])])
    database.add_rater("ann")
    database.rate("ann", "a", "none_right", {"Old Town": "typed"})
    rows = results_of(database).tags
    assert [(row.tag, row.right.n, row.n_typed) for row in rows] == [
        ("dog", 1, 0),
        ("oldtown", 0, 1),
    ]


def test_a_database_without_judgements_has_no_figures(database):
    with pytest.raises(JudgementError, match="no predictions"):
        results_of(database)
    photo = StoredPhoto("a", "a.jpg")
    database.store_predictions(MODEL, [(photo, [("dog", 0.9)])])
    results = results_of(database)
    assert results.top_1.n == 0
    assert results.agreement.kappa is None
    for precision in (None, 0.9):
        with pytest.raises(JudgementError, match=r"nobody has judged .*: lablr serve"):
            results.threshold(precision)
    database.add_rater("ann")
    database.rate("ann", "a", "none_right", k=1)
    with pytest.raises(JudgementError, match="both right and wrong"):
        results_of(database).threshold()
    with pytest.raises(JudgementError, match=r"a precision of 0\.9"):
        results_of(database).threshold(precision=0.9)
