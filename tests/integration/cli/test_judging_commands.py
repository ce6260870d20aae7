"""Export, and the commands on a database of judgements."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from database_makers import (
    MODEL,
    clock,
    database,
    database_url,
    drawn_pairs,
    judge,
    postgresql,
)
from model_makers import draw_photos, make_bundle
from places import ROOT

from lablr.annotation import DEFAULT_DATABASE, open_database
from lablr.annotation.database.records import ModelRecord, StoredPhoto
from lablr.annotation.export import COLUMNS, FORMATS, export_lines, write_export
from lablr.annotation.results import results_of
from lablr.annotation.thresholds import apply_threshold, judged_digest
from lablr.bundle import Bundle
from lablr.cli import export as export_cli
from lablr.cli.options import database_option
from lablr.errors import JudgementError

__all__ = ["clock", "database", "database_url", "postgresql"]


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
        (line["photo"], line["tag"]): line["decision"]
        for line in lines
        if line["rater"] == "ann"
    }
    assert said == {
        (name, tag): "yes" if right else "no"
        for name, row in drawn.items()
        for tag, right in row["right"].items()
    }
    assert [line["verdict"] for line in lines if line["tag"] is None] == ["skipped"]
    (typed,) = [line for line in lines if line["decision"] == "typed"]
    assert (typed["tag"], typed["rank"], typed["probability"]) == ("lake", None, None)
    for kind in FORMATS:
        file = io.StringIO(newline="")
        assert write_export(database, file, kind) == len(lines)
        assert "secret" not in file.getvalue()
        assert "scrypt" not in file.getvalue()
        assert read_back(file.getvalue(), kind) == [as_text(line) for line in lines]


def test_an_export_shows_how_far_it_is(database):
    judge(database, n=4)
    seen = []

    def progress(items, total, label):
        return (seen.append(item) or item for item in items)

    n_lines = write_export(database, io.StringIO(), "csv", progress)
    assert len(seen) == n_lines > 0


def as_text(line) -> dict[str, str]:
    line = line | {"at": line["at"] and line["at"].isoformat()}
    return {k: "" if v is None else str(v) for k, v in line.items()}


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
    model = ModelRecord.of(bundle, "drawn")
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
    assert found.pop("at_threshold") == expected.curves.at(0.5).to_dict()
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
    words[-1] = str(tmp_path / "nowhere/all.csv")
    assert b"nowhere/all.csv: No such file" in run_lablr(*words).stderr


@pytest.mark.parametrize("command", ["results", "export"])
def test_a_database_that_is_not_there_is_not_made(run_lablr, tmp_path, command):
    done = run_lablr(command, "--database", str(tmp_path / "new.sqlite"))
    assert done.returncode == 1
    assert b"new.sqlite: there is no such file; store predictions" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_to_do_is_said_where_nothing_is_judged(database_url, run_lablr):
    url = ["--database", database_url]
    with open_database(database_url) as database:
        done = run_lablr("results", *url)
        assert done.returncode == 1
        assert b"store predictions with: lablr label" in done.stderr
        photo = StoredPhoto("a", "a.jpg")
        database.store_predictions(MODEL, [(photo, [("dog", 0.9)])])
    done = run_lablr("results", *url)
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"nobody has judged" in done.stderr
    assert b"lablr serve --judge" in done.stderr
    assert json.loads(run_lablr("results", *url, "--json").stdout)["n_ratings"] == 0
    assert b"nobody has judged" in run_lablr("thresholds", *url, "--youden").stderr


def test_the_page_of_results_says_how_to_write_a_threshold(judged, run_lablr):
    url, folder, _ = judged
    page = (ROOT / "templates/results.html").read_text("utf-8")
    said = re.search(r"<code>lablr (thresholds [^<]+)</code>", page)[1]
    words = said.replace("{{ target }}", "0.6").replace("BUNDLE", str(folder)).split()
    done = run_lablr(*words, env={"LABLR_DATABASE": url})
    assert done.returncode == 0, done.stderr
    assert "judged_threshold" in Bundle.load(folder).provenance


def test_what_the_commands_write_again_is_equal():
    @database_option
    def command(database: str) -> None: ...

    (option,) = command.__click_params__
    assert option.default == DEFAULT_DATABASE
    assert export_cli.FORMATS == FORMATS
