"""The Makefile, the CI script, and how CI runs tests: all, and side by side."""

from __future__ import annotations

import configparser
import itertools
import os
import re
import shutil
import subprocess
import sys

import pytest
from places import ROOT


def make(*words: str) -> str:
    return subprocess.run(
        ["make", "-C", ROOT, "--no-print-directory", *words],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_make_alone_prints_every_target():
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    listed = re.findall(r"^  make ([\w-]+)", make(), re.MULTILINE)
    assert listed == phony.group(1).split()


def test_serve_takes_host_and_port():
    typed = make("--dry-run", "serve", "HOST=0.0.0.0", "PORT=8123")
    assert "lablr serve --host 0.0.0.0 --port 8123" in typed


def test_serving_gets_the_text_model_and_nothing_that_its_package_asks_for():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extra = setup["options.extras_require"]["text"].split()
    names = [re.match(r"[\w-]+", requirement)[0] for requirement in extra]
    typed = make("--dry-run", "--always-make", ".venv/.base").splitlines()
    installs = [line.split() for line in typed if " pip install " in line]
    assert installs[0][-2:] == ["-e", "."]
    (alone,) = (words for words in installs if "--no-deps" in words)
    assert alone[alone.index("--no-deps") + 1 :] == names
    assert alone[alone.index("-c") + 1] == "constraints.txt"
    pinned = (ROOT / "constraints.txt").read_text()
    assert all(f"\n{name}==" in pinned for name in names)


def test_ci_checks_and_tests():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    lines = script.read_text().splitlines()
    assert lines[-3] == "make check"
    assert lines[-1] == 'make test ARGS="-n 2"'


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


@pytest.mark.parametrize(("ci", "counts"), [("true", (2, 0)), ("", (0, 2))])
def test_a_skip_fails_in_ci(tmp_path, ci, counts):
    shutil.copy(ROOT / "tests" / "no_skips.py", tmp_path)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ("no_skips",)')
    (tmp_path / "test_skips.py").write_text(SKIPS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--rootdir", tmp_path, tmp_path],
        capture_output=True,
        text=True,
        env={**os.environ, "CI": ci},
        cwd=tmp_path,
        check=False,
    )
    n_failed = sum(map(int, re.findall(r"(\d+) (?:failed|error)", done.stdout)))
    n_skipped = sum(map(int, re.findall(r"(\d+) skipped", done.stdout)))
    assert (n_failed, n_skipped) == counts, done.stdout
    assert "1 xfailed" in done.stdout


def test_a_module_that_skips_itself_fails_in_ci(tmp_path):
    shutil.copy(ROOT / "tests" / "no_skips.py", tmp_path)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ("no_skips",)')
    (tmp_path / "test_all.py").write_text("import pytest\npytest.importorskip('x_y')\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--rootdir", tmp_path, tmp_path],
        capture_output=True,
        text=True,
        env={**os.environ, "CI": "true"},
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode != 0
    assert "skipped, which fails in CI" in done.stdout


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
    shutil.copy(ROOT / "tests" / "side_by_side.py", tmp_path)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ("side_by_side",)')
    names = ["test_one", "test_two", "test_label_on_ray", "test_ray_engine"]
    for name in names:
        (tmp_path / f"{name}.py").write_text(NEIGHBOURS)
    words = ["-q", "-n", "2", "--rootdir", tmp_path, "-o", "markers=alone", tmp_path]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert "80 passed" in done.stdout, done.stdout + done.stderr
    log = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    for begun, ended in itertools.pairwise(log):
        if begun[:2] == ["alone", "begins"]:
            assert ended == ["alone", "ends", *begun[2:]]
    workers = {name: {line[2] for line in log if line[3] == name} for name in names}
    assert {len(own) for own in workers.values()} == {1}
    assert workers["test_label_on_ray"] == workers["test_ray_engine"]
