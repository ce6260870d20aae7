"""What judgements say about a model: the same figures as scikit-learn and SciPy."""

from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest
from database_makers import MODEL, clock, database, database_url, postgresql
from model_makers import draw_photos, make_bundle
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

from lablr.bundle import Bundle
from lablr.cli import export as export_cli
from lablr.cli.options import database_option
from lablr.errors import JudgementError
from lablr.judging import DEFAULT_DATABASE, open_database
from lablr.judging.curves import (
    Curves,
    Share,
    cohen_kappa,
    threshold_by_precision,
    threshold_by_youden,
)
from lablr.judging.database import Database
from lablr.judging.export import COLUMNS, FORMATS, export_lines, write_export
from lablr.judging.records import Model, StoredPhoto
from lablr.judging.results import results_of
from lablr.judging.tables import VERDICTS
from lablr.judging.thresholds import apply_threshold, judged_digest

__all__ = ["clock", "database", "database_url", "postgresql"]

TAGS = tuple(f"tag{number}" for number in range(6))


def drawn_pairs(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """``n`` outcomes with probabilities that know something, in ties."""
    rng = np.random.default_rng(seed)
    probability = rng.integers(0, 40, n) / 40
    return rng.random(n) < 0.2 + 0.6 * probability, probability


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


def judge(database: Database, n: int = 60, seed: int = 0) -> dict[str, dict]:
    """Three raters judge drawn photos; returns what was drawn.

    Ann judges every tag of every photo, ben and cat only every second photo and only
    by verdicts, wrongly one time in four.
    """
    rng = np.random.default_rng(seed)
    drawn = {}
    for number in range(n):
        p = -np.sort(-rng.random(3))
        tags = rng.permutation(TAGS)[:3].tolist()
        drawn[f"photo-{number}"] = {
            "tags": list(zip(tags, p.tolist(), strict=True)),
            "right": dict(zip(tags, (rng.random(3) < p).tolist(), strict=True)),
        }
    database.store_predictions(
        MODEL,
        [(StoredPhoto(name, "x.jpg"), row["tags"]) for name, row in drawn.items()],
    )
    for rater in ("ann", "ben", "cat"):
        database.add_rater(rater)
    for number, (name, row) in enumerate(drawn.items()):
        row["verdicts"] = {"ann": verdict_of(row)}
        words = {tag: "yes" if yes else "no" for tag, yes in row["right"].items()}
        database.rate("ann", name, row["verdicts"]["ann"], words, k=3)
        for rater in ("ben", "cat") if number % 2 else ():
            said = verdict_of(row) if rng.random() < 0.75 else str(rng.choice(VERDICTS))
            row["verdicts"][rater] = said
            database.rate(rater, name, said, k=3)
    return drawn


def verdict_of(row: dict) -> str:
    first, *others = row["right"].values()
    return VERDICTS[0] if first else VERDICTS[1] if any(others) else VERDICTS[2]


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
    with pytest.raises(JudgementError, match="no threshold can be recommended"):
        results.threshold()
    with pytest.raises(JudgementError, match=r"a precision of 0\.9"):
        results.threshold(precision=0.9)


# --- export


def test_the_export_holds_everything_but_passwords(database):
    drawn = judge(database, n=4)
    database.add_rater("dan", "a secret word")
    database.store_predictions(
        MODEL, [(StoredPhoto("tab\there", 'a "b",\n.jpg', "s"), [("dog", 0.1)])]
    )
    database.skip("dan", "photo-0")
    database.rate("dan", "photo-1", "none_right", {"lake": "typed"}, k=3)
    lines = list(export_lines(database))
    # 3 tags of 4 photos, judged by 1, 4, 1 and 3 raters; unjudged; typed; skipped.
    assert len(lines) == 3 * (1 + 4 + 1 + 3) + 1 + 1 + 1
    said = {
        (line.photo, line.tag): line.decision for line in lines if line.rater == "ann"
    }
    assert said == {
        (name, tag): "yes" if right else "no"
        for name, row in drawn.items()
        for tag, right in row["right"].items()
    }
    assert [line.verdict for line in lines if line.tag is None] == ["skipped"]
    (typed,) = [line for line in lines if line.decision == "typed"]
    assert (typed.tag, typed.rank, typed.probability) == ("lake", None, None)
    for kind in FORMATS:
        file = io.StringIO(newline="")
        assert write_export(database, file, kind) == len(lines)
        assert "secret" not in file.getvalue()
        assert "scrypt" not in file.getvalue()
        assert read_back(file.getvalue(), kind) == [as_text(line) for line in lines]


def as_text(line) -> dict[str, str]:
    return {k: "" if v is None else str(v) for k, v in line.to_dict().items()}


def read_back(written: str, kind: str) -> list[dict[str, str]]:
    if kind == "json":
        rows = [json.loads(line) for line in written.splitlines()]
        return [
            {k: "" if v is None else str(v) for k, v in row.items()} for row in rows
        ]
    delimiter = "\t" if kind == "tsv" else ","
    reader = csv.DictReader(io.StringIO(written, newline=""), delimiter=delimiter)
    assert tuple(reader.fieldnames) == COLUMNS
    return list(reader)


# --- the commands


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return make_bundle(draw_photos())


@pytest.fixture
def judged(database_url, bundle, tmp_path):
    """The URL of a database with judgements of a bundle, and the bundle's folder."""
    folder = tmp_path / "bundle"
    bundle.save(folder)
    model = Model.of(bundle, "drawn")
    right, probability = drawn_pairs(40)
    with open_database(database_url) as database:
        database.add_rater("ann")
        for number, (is_right, p) in enumerate(zip(right, probability, strict=True)):
            photo = StoredPhoto(f"photo-{number}", "x.jpg")
            database.store_predictions(model, [(photo, [("dog", float(p))])])
            verdict = "top_right" if is_right else "none_right"
            database.rate("ann", photo.name, verdict)
        expected = results_of(database)
    return database_url, folder, expected


def test_results_on_the_command_line(judged, run_lablr):
    url, _, expected = judged
    done = run_lablr("results", "--database", url, "--json", "--threshold", "0.5")
    assert (done.returncode, done.stderr) == (0, b"")
    found = json.loads(done.stdout)
    assert found.pop("at_threshold") == expected.at(0.5).to_dict()
    assert found == expected.to_dict()
    table = run_lablr("results", env={"LABLR_DATABASE": url}).stdout.decode()
    share = expected.top_1
    assert f"top 1 right    {share.share:.3f}" in table
    assert f"{share.n_right} of 40 photos" in table


@pytest.mark.parametrize("words", [["--precision", "0.7"], ["--youden"]])
def test_a_threshold_is_written_to_the_bundle(judged, run_lablr, words):
    url, folder, expected = judged
    before = Bundle.load(folder)
    wanted = expected.threshold(0.7 if "0.7" in words else None)
    command = ["thresholds", "--database", url, *words]
    dry = run_lablr(*command, "--json")
    assert json.loads(dry.stdout)["threshold"] == wanted
    assert Bundle.load(folder).digest == before.digest
    # Twice: the bundle's digest is another one after the first time.
    for _ in range(2):
        done = run_lablr(*command, "--apply", str(folder))
        assert done.returncode == 0, done.stderr
    after = Bundle.load(folder)
    assert after.settings == {**before.settings, "threshold": wanted}
    assert after.digest != before.digest
    assert judged_digest(after) == before.digest
    assert after.provenance["judged_threshold"]["rule"] == " ".join(words).lstrip("-")


def test_judgements_of_another_model_set_no_threshold(judged, run_lablr, tmp_path):
    url, _, expected = judged
    other = make_bundle(draw_photos(seed=1))
    other.save(tmp_path / "other")
    done = run_lablr(
        "thresholds", "--database", url, "--youden", "--apply", str(tmp_path / "other")
    )
    assert done.returncode == 1
    assert b"no model in the database has the digest" in done.stderr
    with pytest.raises(JudgementError, match="the bundle is"):
        apply_threshold(tmp_path / "other", expected, 0.5, "by hand")
    assert Bundle.load(tmp_path / "other").digest == other.digest


def test_thresholds_wants_one_rule(run_lablr, tmp_path):
    for words in ([], ["--youden", "--precision", "0.5"]):
        done = run_lablr("thresholds", "--database", str(tmp_path / "x"), *words)
        assert done.returncode == 2
        assert b"one of --precision and --youden" in done.stderr


def test_export_on_the_command_line(judged, run_lablr, tmp_path):
    url, _, _ = judged
    done = run_lablr("export", "--database", url, "--format", "csv")
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(list(csv.DictReader(io.StringIO(done.stdout.decode())))) == 40
    out = tmp_path / "all.csv"
    words = ["export", "--database", url, "--format", "csv", "--out", str(out)]
    assert b"40 lines in" in run_lablr(*words).stderr
    assert out.read_bytes() == done.stdout


@pytest.mark.parametrize("command", ["results", "export"])
def test_a_database_that_is_not_there_is_not_made(run_lablr, tmp_path, command):
    done = run_lablr(command, "--database", str(tmp_path / "new.sqlite"))
    assert done.returncode == 1
    assert b"new.sqlite: there is no such file" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_the_commands_write_again_is_equal():
    @database_option
    def command(database: str) -> None: ...

    (option,) = command.__click_params__
    assert option.default == DEFAULT_DATABASE
    assert export_cli.FORMATS == FORMATS
