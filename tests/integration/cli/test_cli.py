"""The ``lablr`` command as a person and a program meet it: in its own process."""

from __future__ import annotations

import json
import runpy
import shutil
import socket

import click
import pytest
from click.testing import CliRunner
from places import ROOT

from lablr import bundle
from lablr.cli import main
from lablr.cli.messages import LablrGroup, shown
from lablr.cli.options import METHODS, RANKINGS
from lablr.errors import CorpusError
from lablr.ranking import tagger

COMMANDS = sorted(main.commands)


def lines_of(output: bytes) -> list[str]:
    return output.decode().splitlines()


# --- the group


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command):
    done = CliRunner().invoke(main, [command, "--help"])
    assert done.exit_code == 0
    assert f"\n    lablr {command} " in done.output.partition("Examples:")[2]


def test_the_reference_is_current():
    script = runpy.run_path(str(ROOT / "scripts" / "cli_reference.py"))
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert page == script["reference"](), "run `make docs`"


def test_the_rankings_are_those_of_the_tagger():
    assert tagger.RANKINGS == RANKINGS
    assert sorted(bundle.METHODS) == sorted(METHODS)


def invoke_raising(error: BaseException):
    @click.group(cls=LablrGroup)
    def group() -> None: ...

    @group.command()
    def command() -> None:
        raise error

    return CliRunner().invoke(group, ["command"])


@pytest.mark.parametrize(
    ("error", "exit_code", "message"),
    [
        (CorpusError("photos.jsonl:3: no tags"), 1, "error: photos.jsonl:3: no tags"),
        (
            FileNotFoundError(2, "No such file", "a\x1b.png"),
            1,
            "error: a�.png: No such",
        ),
        (KeyboardInterrupt(), 130, "stopped; nothing that was finished is lost"),
    ],
)
def test_an_error_is_a_message(error, exit_code, message):
    done = invoke_raising(error)
    assert done.exit_code == exit_code
    assert done.stdout == ""
    assert done.stderr.startswith(f"lablr: {message}")
    assert done.stderr.count("\n") == 1


def test_a_defect_is_not_hidden():
    assert isinstance(invoke_raising(ZeroDivisionError()).exception, ZeroDivisionError)


def test_names_are_safe_to_print():
    assert shown("写真 1.jpg") == "写真 1.jpg"
    assert shown("a\x1b[2Jb\n\udcff\u202e.jpg") == "a�[2Jb���.jpg"


# --- any command


@pytest.mark.parametrize(
    "words",
    [
        ["suggest"],
        ["suggest", "-k", "-1", "a.jpg"],
        ["suggest", "--ranking", "best", "a.jpg"],
        ["map", "--out", "map.jpg"],
        ["map"],
        ["serve", "--port", "65536"],
        ["evaluate"],
        ["evaluate", "corpus", "--split", "val", "more"],
        ["nonesuch"],
        ["--nonesuch"],
    ],
)
def test_a_wrong_command_line_shows_the_usage(words):
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Usage: ")


def test_a_bundle_that_is_not_there_is_a_message(run_lablr, china_jpg, tmp_path):
    by_flag = run_lablr("suggest", "--bundle", tmp_path / "x", china_jpg)
    by_variable = run_lablr("suggest", china_jpg, env={"LABLR_BUNDLE": "/nonesuch"})
    for done in (by_flag, by_variable):
        assert done.returncode == 1
        assert done.stdout == b""
        assert done.stderr.startswith(b"lablr: error: ")
        assert done.stderr.count(b"\n") == 1


# --- evaluate


@pytest.fixture
def corpus(tmp_path, china_jpg, flower_jpg):
    """Two real photos under three names, in two sources, all for validation."""
    rows = [
        ("a.jpg", china_jpg, ["sky"], "one"),
        ("b.jpg", flower_jpg, ["flower"], "one"),
        ("c.jpg", flower_jpg, ["flower"], "two"),
    ]
    with (tmp_path / "photos.jsonl").open("w") as lines:
        for file, photo, tags, source in rows:
            shutil.copy(photo, tmp_path / file)
            record = {"file": file, "tags": tags, "source": source, "split": "val"}
            lines.write(json.dumps(record) + "\n")
    return tmp_path


def test_evaluate_prints_a_line_per_source(run_lablr, corpus):
    done = run_lablr("evaluate", corpus)
    assert done.returncode == 0, done.stderr
    heading, *rows = lines_of(done.stdout)
    assert heading.split()[:2] == ["source", "photos"]
    assert [row.split()[:2] for row in rows] == [
        ["one", "2"],
        ["two", "1"],
        ["all", "3"],
    ]
    assert {len(row) for row in rows} == {len(heading)}


def test_evaluate_json_names_every_figure(run_lablr, corpus):
    done = run_lablr("evaluate", corpus, "--split", "val", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout, parse_constant=pytest.fail)
    assert (answer["split"], answer["ranking"]) == ("val", "calibrated")
    assert [report["source"] for report in answer["reports"]] == ["one", "two", "all"]
    assert {
        "n_photos",
        "macro_average_precision",
        "mean_average_precision",
        "precision_at_1",
        "precision_at_5",
        "recall_at_5",
        "recall_at_10",
        "roc_auc",
        "calibration_error",
    } <= set(answer["reports"][-1])


def test_evaluate_names_the_photos_it_leaves_out(run_lablr, corpus):
    (corpus / "b.jpg").write_bytes(b"no photo")
    done = run_lablr("evaluate", corpus)
    assert done.returncode == 0
    left_out, summary = lines_of(done.stderr)
    assert left_out.startswith("lablr: left out b.jpg: ")
    assert summary == "lablr: 1 of 3 photos left out"


def test_evaluate_refuses_a_corpus_that_is_not_there(run_lablr, tmp_path):
    done = run_lablr("evaluate", tmp_path / "nonesuch")
    assert done.returncode == 1
    assert done.stderr.startswith(b"lablr: error: ")


# --- serve


def test_serve_says_when_the_port_is_taken(run_lablr):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run_lablr("serve", "--port", str(port))
    assert done.returncode == 1
    expected = f"lablr: error: cannot listen on 127.0.0.1 port {port}: Address"
    assert done.stderr.decode().startswith(expected)
    assert done.stderr.endswith(b"in use; --port chooses another\n")
    assert done.stderr.count(b"\n") == 1
