"""The rules of the tests: none is skipped in CI, and which run side by side."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import SUPPORT


def run_pytest(plugin: str, folder: Path, *words: str, ci: str = "") -> str:
    """Run the tests of a folder with one of our plugins; returns what pytest prints."""
    # the plugins of other packages cost seconds to load
    settings = {"PYTHONPATH": str(SUPPORT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", plugin, "--rootdir", ".", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **settings, "CI": ci},
        cwd=folder,
        check=False,
    )
    return done.stdout + done.stderr


SKIPS = """
import pytest

def test_inside():
    pytest.skip("no tool")

@pytest.mark.skipif(True, reason="no tool")
def test_marked(): ...

@pytest.mark.xfail(strict=True)
def test_known_to_fail():
    assert False
"""


@pytest.mark.parametrize(("ci", "counts"), [("true", (3, 0)), ("", (0, 3))])
def test_a_skip_fails_in_ci(tmp_path, ci, counts):
    (tmp_path / "test_skips.py").write_text(SKIPS)
    (tmp_path / "test_all.py").write_text("import pytest\npytest.importorskip('x_y')\n")
    said = run_pytest("no_skips", tmp_path, "--continue-on-collection-errors", ci=ci)
    n_failed = sum(map(int, re.findall(r"(\d+) (?:failed|error)", said)))
    n_skipped = sum(map(int, re.findall(r"(\d+) skipped", said)))
    assert (n_failed, n_skipped) == counts, said
    assert "1 xfailed" in said
    assert ("skipped, which fails in CI" in said) == bool(ci)


NEIGHBOURS = """
import os
from pathlib import Path
import pytest

def note(word):
    with Path("log").open("a") as log:
        log.write(f"{word} {os.environ['PYTEST_XDIST_WORKER']} {__name__}\\n")

@pytest.mark.parametrize("number", range(10))
@pytest.mark.parametrize("kind", [pytest.param("alone", marks=pytest.mark.alone), "_"])
def test_something(kind, number):
    note(f"{kind} begins")
    sum(range(100_000))
    note(f"{kind} ends")
"""


def test_who_measures_is_alone_and_a_file_stays_in_one_process(tmp_path):
    # a plugin of its own, whose locks are not those of the tests that run now
    shutil.copy(SUPPORT / "side_by_side.py", tmp_path)
    words = ("-n", "2", "-o", "markers=alone")
    names = ["test_one", "test_two", "test_label_on_ray", "test_ray_engine"]
    for name in names:
        (tmp_path / f"{name}.py").write_text(NEIGHBOURS)
    said = run_pytest("side_by_side", tmp_path, "-p", "xdist", *words)
    assert "80 passed" in said, said
    log = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    for begun, ended in itertools.pairwise(log):
        if begun[:2] == ["alone", "begins"]:
            assert ended == ["alone", "ends", *begun[2:]]
    workers = {name: {line[2] for line in log if line[3] == name} for name in names}
    assert {len(own) for own in workers.values()} == {1}
    assert workers["test_label_on_ray"] == workers["test_ray_engine"]
