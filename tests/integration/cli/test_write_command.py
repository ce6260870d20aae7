"""``lablr write`` in a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from photo_makers import jpeg

from lablr.cli import main
from lablr.cli.write import ORIGINS
from lablr.metadata import default_state
from lablr.metadata.keywords import ORIGINS as OF_THE_ROOM


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Where the command is run: a photo, and something else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LABLR_STATE", str(tmp_path / "state"))
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    (tmp_path / "notes.txt").write_text("no photo")
    return tmp_path


def lablr(*words: str):
    return CliRunner().invoke(main, ["write", *words])


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_write_list_and_undo(folder):
    done = lablr("photo.jpg", "notes.txt", "--tags", "sea, sky", "--tags", "a|b")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "photo.jpg: written",
        "  IPTC Keywords: +sea, +sky, +b",
        "  dc:subject: +sea, +sky, +b",
        "  lr:hierarchicalSubject: +sea, +sky, +a|b",
        "  digiKam:TagsList: +sea, +sky, +a/b",
        "  lablr:typed: +sea, +sky, +a|b",
    ]
    assert "lablr: error: notes.txt: Tags go into JPEG" in done.stderr
    assert "lablr: attempted 2 = written 1 + failed 1" in done.stderr
    (run,) = lines(lablr("--runs", "--json").stdout)
    assert run["files"] == run["to_undo"] == 1
    assert f"lablr write --undo {run['run']}" in done.stderr
    assert lablr("--runs").stdout == f"{run['run']}  1 file, 1 can be undone\n"
    undone = lablr("--undo", "--json")
    assert undone.exit_code == 0
    assert lines(undone.stdout)[0]["status"] == "restored"
    assert (folder / "photo.jpg").read_bytes() == jpeg()
    assert "nothing to undo" in lablr("--undo").stderr
    assert "no run 2025" in lablr("--undo", "2025").stderr


def test_json_says_what_was_there_and_what_was_added(folder):
    lablr("photo.jpg", "--tags", "sea")
    words = ("--tags", "sky", "--origin", "accepted", "--json", "--dry-run")
    done = lablr("photo.jpg", "notes.txt", *words)
    first, second = lines(done.stdout)
    assert first["status"] == "would be written"
    assert first["found"]["dc:subject"] == ["sea"]
    assert first["added"]["dc:subject"] == ["sky"]
    assert first["added"]["lablr:accepted"] == ["sky"]
    assert second["error"]["code"] == "writing_error"


def test_forget(folder):
    lablr("photo.jpg", "--tags", "sea", "--sidecar")
    (run,) = lines(lablr("--runs", "--json").stdout)
    assert "removed: 1" in lablr("--forget", run["run"]).stderr
    assert lablr("--undo").exit_code == 1
    assert (folder / "photo.jpg.xmp").exists()


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("photo.jpg",),
        ("--tags", "a"),
        ("photo.jpg", "--tags", "a", "--undo"),
        ("photo.jpg", "--undo"),
        ("--runs", "--undo"),
        ("--undo", "--dry-run"),
        ("photo.jpg", "--tags", "a", "--origin", "guessed"),
    ],
)
def test_a_wrong_command_line(folder, words):
    assert lablr(*words).exit_code == 2


def test_a_tag_that_no_file_can_hold(folder):
    done = lablr("photo.jpg", "--tags", "a,,b")
    assert done.exit_code == 1
    assert done.stderr == "lablr: error: the tag '' has an empty word\n"


def test_where_the_journal_is(monkeypatch):
    monkeypatch.delenv("LABLR_STATE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "/states")
    assert default_state() == Path("/states/lablr")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert default_state() == Path.home() / ".local" / "state" / "lablr"


def test_the_origins_are_those_of_the_room():
    assert ORIGINS == OF_THE_ROOM
