"""``lablr label`` in its own process: streams, kills and what it says."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy
from database_makers import database_url, postgresql
from label_makers import (
    bundle,
    files_of,
    ids_of,
    many_lines,
    read_objects,
    read_rows,
    write_lines,
    write_photos,
)
from places import ROOT

from lablr.annotation.database.database import Database
from lablr.annotation.labelling import FORMATS as FORMATS_OF_THE_LIBRARY
from lablr.cli.label import FORMATS

__all__ = ["database_url", "postgresql"]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A folder with a bundle whose encoder takes no time."""
    folder = tmp_path_factory.mktemp("model") / "bundle"
    bundle().save(folder)
    return folder


@pytest.fixture(scope="module")
def run_label(run_lablr, model):
    """Run ``lablr label WORD...`` with the small model."""

    def run(*words, **options):
        return run_lablr("label", *words, "--bundle", model, **options)

    return run


@pytest.fixture(scope="module")
def start_label(model):
    """Start ``lablr label WORD...`` with the small model, to be stopped."""

    def start(*words) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "lablr", "label", *words, "--bundle", model],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return start


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


def test_a_reader_that_has_seen_enough(model, tmp_path):
    source = many_lines(tmp_path, 200)
    words = [sys.executable, "-m", "lablr", "label", source, "--bundle", model]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.readline().startswith(b"id,link,")
        process.stdout.close()
        said = process.stderr.read().decode()
    assert process.returncode == 1
    assert "Traceback" not in said


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


# --- stopped


def wait_for_bytes(path: Path, n_bytes: int, process: subprocess.Popen) -> None:
    """Return when a file has so many bytes, or the process has ended."""
    while not (path.exists() and path.stat().st_size >= n_bytes):
        try:
            process.wait(0.001)  # the core is the process's meanwhile
        except subprocess.TimeoutExpired:
            continue
        return


def test_killed_at_random_moments_and_resumed_is_as_never_killed(
    run_label, start_label, tmp_path
):
    source = many_lines(tmp_path / "in", 1500)
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    whole, out = tmp_path / "whole/out.csv", tmp_path / "killed/out.csv"
    done = run_label(source, "-o", whole, "--json")
    expected = {**json.loads(done.stdout), "resumed": 0}
    journal = out.with_name("out.csv.journal")
    rng, target, n_killed = random.Random(1), 0, 0
    for _ in range(5):
        process = start_label(source, "-o", out, "--resume")
        wait_for_bytes(journal, target, process)
        process.kill()
        process.communicate()
        n_killed += process.returncode == -signal.SIGKILL
        if not journal.exists():
            break
        target = journal.stat().st_size + rng.randrange(80_000)
        assert not out.exists()
    assert n_killed >= 1
    with journal.open("ab") as file:  # as a write that was cut off leaves it
        file.write(b'[{"id":"7","li')
    done = run_label(source, "-o", out, "--resume", "--json")
    assert done.returncode == 1
    counts = json.loads(done.stdout)
    assert counts.pop("resumed") % 16 == 0
    assert {**counts, "resumed": 0} == expected
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")


def test_ctrl_c_says_how_to_go_on(run_label, start_label, tmp_path):
    source, out = many_lines(tmp_path / "in", 2000), tmp_path / "out.csv"
    process = start_label("-", "-o", out)
    process.stdin.write(source.read_bytes())  # and more may come: it cannot finish
    process.stdin.flush()
    wait_for_bytes(tmp_path / "out.csv.journal", 20_000, process)
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate()
    assert (process.returncode, printed) == (130, b"")
    assert said.decode().splitlines() == [
        "lablr: the same command with --resume goes on",
        "lablr: stopped; nothing that was finished is lost",
    ]
    assert not out.exists()
    lines = (tmp_path / "out.csv.journal").read_bytes()
    assert lines.endswith(b"\n")
    assert len(list(map(json.loads, lines.splitlines()))) > 2
    refused = run_label("-", "-o", out)
    assert "give --resume to go on" in refused.stderr.decode()


def test_a_disk_that_takes_no_more_stops_cleanly(run_label, model, tmp_path):
    source, out = many_lines(tmp_path / "in", 200), tmp_path / "out.csv"
    code = "import resource, sys; from lablr.cli import main\n"
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))\n"
    code += "main(['label', *sys.argv[1:]])"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", code, source, "-o", out, "--bundle", model],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "out.csv.journal: cannot be written: " in done.stderr
    resumed = run_label(source, "-o", out, "--resume", "--json")
    assert 0 < json.loads(resumed.stdout)["resumed"] < 200
    shutil.rmtree(tmp_path / "whole", ignore_errors=True)
    (tmp_path / "whole").mkdir()
    run_label(source, "-o", tmp_path / "whole/out.csv")
    assert (tmp_path / "whole/out.csv").read_bytes() == out.read_bytes()
