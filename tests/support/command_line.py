"""The ``lablr`` command, in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner
from places import ROOT

from lablr.bundle import Bundle
from lablr.cli import main
from lablr.ranking.tagger import Tagger

__all__ = [
    "environment",
    "lablr_process",
    "loaded_once",
    "run_code",
    "run_lablr",
    "start_lablr",
]

Completed = subprocess.CompletedProcess[bytes]


def environment(**more: object) -> dict[str, str]:
    """Return what a process of the checkout's ``lablr`` is started with."""
    values = {name: str(value) for name, value in more.items()}
    return {**os.environ, "PYTHONPATH": str(ROOT), **values}


def start_lablr(*words: object, **options) -> subprocess.Popen[bytes]:
    """Start ``lablr WORD...`` in a process of its own, its three streams piped."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    options = {"cwd": ROOT, "env": environment(), **pipes, **options}
    return subprocess.Popen(
        [sys.executable, "-m", "lablr", *map(str, words)], **options
    )


def run_code(code: str, *words: object, cwd: Path = ROOT, **env: object) -> Completed:
    """Run Python code in a process of its own, with words as its arguments."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, words)],
        capture_output=True,
        cwd=cwd,
        env=environment(**env),
        timeout=120,
        check=False,
    )


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def loaded_once() -> Iterator[None]:
    """Let commands share the bundled model, which takes as long to load as all else."""

    def load(folder=None, limits=None) -> Tagger:
        named = folder is not None or "LABLR_BUNDLE" in os.environ
        return load_tagger(folder, limits) if named else bundled(limits)

    load_tagger, bundled = Tagger.load, _bundled
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tagger, "load", load)
        yield


@cache
def _bundled(limits) -> Tagger:
    return Tagger(Bundle.load(), limits)


@pytest.fixture(scope="session")
def run_lablr():
    """Run ``lablr WORD...`` in this process; return as a process does, in bytes."""

    def run(*words, stdin: bytes = b"", cwd: Path = ROOT, env=None) -> Completed:
        given = [os.fsdecode(word) for word in words]
        with working_in(cwd), loaded_once():
            done = CliRunner().invoke(
                main, given, input=stdin, env=env, catch_exceptions=False
            )
        return subprocess.CompletedProcess(
            given, done.exit_code, done.stdout_bytes, done.stderr_bytes
        )

    return run


@pytest.fixture(scope="session")
def lablr_process():
    """Run ``lablr WORD...`` in a process of its own; return it completed, in bytes.

    At 1 to 4 seconds each, for what only a process shows: names and streams that are
    not UTF-8, another Python, what is printed first or last.
    """

    def run(
        *words, stdin: bytes = b"", cwd: Path = ROOT, env=None, python=sys.executable
    ) -> Completed:
        return subprocess.run(
            [python, "-W", "error", "-m", "lablr", *words],
            input=stdin,
            cwd=cwd,
            env=environment(**(env or {})),
            capture_output=True,
            timeout=120,
            check=False,
        )

    return run
