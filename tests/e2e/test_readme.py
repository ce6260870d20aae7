"""The README's examples run: Python blocks, and the ``lablr`` lines of its consoles.

A console block is marked ``console``; a line that starts with ``$ `` is typed, the
others are what it prints. Files that an example may name: photo.jpg, holiday/ with
photos, and corpus/ with tagged photos.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from places import ROOT

from lablr.cli import main

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
README = (ROOT / "README.md").read_text(encoding="utf-8")

# These run for minutes or for ever; only their words are checked.
NOT_RUN = {"train", "fit", "serve"}


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(README) if found == language]


def typed(console: str) -> list[str]:
    """Return the typed lines of a console, those continued with a backslash joined."""
    lines = console.replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


LABLR_LINES = [
    line
    for console in blocks("console")
    for line in typed(console)
    if line.split()[0] == "lablr"
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, china_jpg, flower_jpg) -> Path:
    """A working folder with what the examples name."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copy(china_jpg, folder / "photo.jpg")
    for place in ("holiday", "corpus"):
        (folder / place).mkdir()
        shutil.copy(china_jpg, folder / place / "temple.jpg")
        shutil.copy(flower_jpg, folder / place / "dahlia.jpg")
    records = [
        {"file": "temple.jpg", "tags": ["sky"], "split": "val", "source": "mine"},
        {"file": "dahlia.jpg", "tags": ["flower"], "split": "val", "source": "mine"},
    ]
    lines = [json.dumps(record) + "\n" for record in records]
    (folder / "corpus" / "photos.jsonl").write_text("".join(lines))
    return folder


def test_there_are_examples():
    assert blocks("python")
    assert {"suggest", "serve"} <= {line.split()[1] for line in LABLR_LINES}


@pytest.mark.parametrize("code", blocks("python"))
def test_a_python_block_runs(code, folder, monkeypatch):
    monkeypatch.chdir(folder)
    exec(code, {"__name__": "__main__"})  # noqa: S102


def test_the_lablr_lines_run(folder, monkeypatch):
    """In their order: one searches what another has indexed."""
    monkeypatch.chdir(folder)
    for line in LABLR_LINES:
        name, *words = shlex.split(line, comments=True)[1:]
        if name in NOT_RUN:
            # Raises a usage error when a word of it is wrong; nothing is run.
            main.commands[name].make_context(name, words)
        else:
            done = CliRunner().invoke(main, [name, *words])
            assert done.exit_code == 0, (line, done.stderr)
            assert "lablr: error" not in done.stderr
