"""``lablr label``: streams, files and what it says."""

from __future__ import annotations

import json
import re

import pytest
import sqlalchemy
from database_makers import database_url, postgresql
from label_makers import (
    bundle,
    ids_of,
    many_lines,
    model,  # noqa: F401
    read_objects,
    read_rows,
    write_lines,
    write_photos,
)
from places import ROOT

from lablr.annotation.database.database import Database
from lablr.annotation.labelling.formats import FORMATS as FORMATS_OF_THE_LIBRARY
from lablr.cli.label import FORMATS

__all__ = ["database_url", "postgresql"]


@pytest.fixture(scope="module")
def run_label(run_lablr, model):
    """Run ``lablr label WORD...`` with the small model."""

    def run(*words, **options):
        return run_lablr("label", *words, "--bundle", model, **options)

    return run


def test_the_formats_are_those_of_the_library():
    assert set(FORMATS) == set(FORMATS_OF_THE_LIBRARY)


def test_a_stream_of_a_thousand_lines(run_label, tmp_path):
    text = many_lines(tmp_path, 1000).read_bytes()
    done = run_label("-", stdin=text)
    assert done.returncode == 1
    rows = [line.split(",") for line in done.stdout.decode().splitlines()]
    assert ids_of(rows) == [str(n) for n in range(1000) if n % 7 != 3]
    assert {len(row) for row in rows} == {12}
    said = done.stderr.decode().splitlines()
    assert said[0].startswith("lablr: line 4: not a line of JSON")
    assert said[-1] == "lablr: attempted 1,000 = labelled 857 + failed 143"
    assert len(said) == 144


def test_a_file_with_a_summary(run_label, tmp_path):
    source, out = many_lines(tmp_path / "in", 30), tmp_path / "out.csv"
    done = run_label(source, "--out", out, "-k", "2", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "attempted": 30,
        "labelled": 26,
        "failed": 4,
        "resumed": 0,
    }
    assert "what failed is in" in done.stderr.decode()
    assert len(read_rows(out)) == 27
    assert len(read_objects(tmp_path / "out.csv.errors.jsonl")) == 4
    again = run_label(source, "--out", out, "-k", "2")
    assert (again.returncode, again.stdout) == (1, b"")
    assert "is there already" in again.stderr.decode()
    resumed = run_label(source, "--out", out, "-k", "2", "--resume")
    assert (resumed.returncode, resumed.stdout) == (0, b"")
    assert "is finished already" in resumed.stderr.decode()
    database = tmp_path / "j.sqlite"
    resumed = run_label(source, "-o", out, "--resume", "--json", "--to", database)
    assert set(json.loads(resumed.stdout).values()) == {0}
    assert "nothing was stored now" in resumed.stderr.decode()
    assert not database.exists()


def test_all_tags_of_a_folder_as_json_lines(run_label, tmp_path):
    names = write_photos(tmp_path / "photos")
    out = tmp_path / "labels.out"
    done = run_label(
        tmp_path / "photos", "-o", out, "-k", "0", "--format", "jsonl", cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == f"{out}: attempted 5 = labelled 5 + failed 0\n"
    objects = read_objects(out)
    assert [one["id"] for one in objects] == names
    assert {len(one["tags"]) for one in objects} == {len(bundle().tags)}


def test_fields_and_a_base_folder(run_label, tmp_path):
    name, *_ = write_photos(tmp_path / "base")
    line = {"tweet": 7, "file": name, "url": "https://x/7"}
    outside = {"tweet": 8, "file": "../" + name}
    source = write_lines(tmp_path / "in.jsonl", [line, outside])
    words = ["--photo-field", "file", "--id-field", "tweet", "--link-field", "url"]
    done = run_label(source, *words, "--base", tmp_path / "base", "--format", "jsonl")
    good, bad = map(json.loads, done.stdout.splitlines())
    assert (good["id"], good["link"], good["photo"]) == ("7", "https://x/7", name)
    assert "leads out of the folder" in bad["error"]["message"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-", "--out", "labels.txt"], "says no format"),
        (["-", "--format", "parquet"], "Parquet needs a file"),
        (["-", "--resume"], "need a file"),
        (["-", "--json"], "need a file"),
        (["-", "--base", "no such folder"], "does not exist"),
    ],
)
def test_a_wrong_command_line(run_label, words, message):
    done = run_label(*words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert message in done.stderr.decode()


def stored(url: str) -> list[tuple]:
    """Name, place, rank, tag and probability of all that a database holds."""
    query = (
        "SELECT name, place, rank, tag, probability FROM predictions"
        " JOIN photos ON photos.id = photo_id ORDER BY photos.id, rank"
    )
    with Database(url, create=False) as database, database.reading() as session:
        return [tuple(row) for row in session.execute(sqlalchemy.text(query))]


def test_predictions_go_into_a_database_once(run_label, tmp_path, database_url):
    source = many_lines(tmp_path / "in", 40)
    words = ["-k", "2", "--to", database_url]
    done = run_label(source, "-o", tmp_path / "a.csv", *words)
    assert b"labelled 34 + failed 6" in done.stdout
    rows = read_rows(tmp_path / "a.csv")[1:]
    found = stored(database_url)
    assert [(name, rank) for name, _, rank, _, _ in found] == [
        (row[0], rank) for row in rows for rank in (1, 2)
    ]
    place = str(tmp_path / "in" / "0.jpg")
    assert found[0] == ("0", place, 1, rows[0][2], float(rows[0][3]))
    run_label(source, "-o", tmp_path / "b.csv", *words)
    assert stored(database_url) == found


@pytest.mark.parametrize("page", ["judging_off.html", "_question.html"])
def test_the_pages_say_how_predictions_are_stored(run_lablr, model, tmp_path, page):
    said = (ROOT / "templates" / page).read_text("utf-8")
    words = re.search(r"lablr (label [^<\n]+)", said)[1].split()
    write_photos(tmp_path / "PHOTOS")
    done = run_lablr(*words, cwd=tmp_path, env={"LABLR_BUNDLE": str(model)})
    assert done.returncode == 0, done.stderr
    assert len(stored(str(tmp_path / words[-1]))) == 25


def test_a_database_that_cannot_be_used_is_refused_at_once(run_label, tmp_path):
    (tmp_path / "notes.sqlite").write_text("not a database")
    words = ["-o", tmp_path / "a.csv", "--to", tmp_path / "notes.sqlite"]
    done = run_label(many_lines(tmp_path / "in", 4), *words)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert not list(tmp_path.glob("a.csv*"))
