"""The README's examples run: Python blocks, and the ``lablr`` lines of its consoles.

A console block is marked ``console``; a line that starts with ``$ `` is typed, the
others are what it prints. Files that an example may name: photo.jpg, holiday/ with
photos, and corpus/ with tagged photos.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
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


(INDEX_LINE,) = [line for line in LABLR_LINES if line.startswith("lablr index")]


@pytest.fixture
def folder(tmp_path, china_jpg, flower_jpg) -> Path:
    """A working folder with what the examples name, and a ``lablr`` to type."""
    shutil.copy(china_jpg, tmp_path / "photo.jpg")
    for place in ("holiday", "corpus"):
        (tmp_path / place).mkdir()
        shutil.copy(china_jpg, tmp_path / place / "temple.jpg")
        shutil.copy(flower_jpg, tmp_path / place / "dahlia.jpg")
    records = [
        {"file": "temple.jpg", "tags": ["sky"], "split": "val", "source": "mine"},
        {"file": "dahlia.jpg", "tags": ["flower"], "split": "val", "source": "mine"},
    ]
    lines = [json.dumps(record) + "\n" for record in records]
    (tmp_path / "corpus" / "photos.jsonl").write_text("".join(lines))
    command = tmp_path / "bin" / "lablr"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m lablr "$@"\n')
    command.chmod(0o755)
    return tmp_path


def run(words: list[str], folder: Path) -> None:
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    # The exit code of a pipe is that of its last command.
    assert done.returncode == 0, done.stderr
    assert "lablr: error" not in done.stderr


def test_there_are_examples():
    assert blocks("python")
    assert {"suggest", "serve"} <= {line.split()[1] for line in LABLR_LINES}


@pytest.mark.parametrize("code", blocks("python"))
def test_a_python_block_runs(code, folder):
    run([sys.executable, "-W", "error", "-c", code], folder)


@pytest.mark.parametrize("line", LABLR_LINES)
def test_a_lablr_line_runs(line, folder):
    name, *words = shlex.split(line, comments=True)[1:]
    if name in NOT_RUN:
        # Raises a usage error when a word of it is wrong; nothing is run.
        main.commands[name].make_context(name, words)
    else:
        if "--index" in words:
            run(["bash", "-c", INDEX_LINE], folder)
        run(["bash", "-c", line], folder)
