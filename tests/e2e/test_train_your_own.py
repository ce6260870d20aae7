"""docs/train-your-own.md as written, by the demo that types it.

The first two sections run, against the local Flickr, with the download killed on the
way; of the third, which takes hours, the words are checked.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import click
import pytest
from places import ROOT

from lablr.cli import main

PAGE = (ROOT / "docs" / "train-your-own.md").read_text("utf-8")
SMALL, _, EARNEST = PAGE.partition("## In earnest")
TYPED = re.findall(r"^\$ (.*)$", SMALL, re.MULTILINE)


def lines_in_earnest() -> list[str]:
    (block,) = re.findall(r"^```sh\n(.*?)^```$", EARNEST, re.MULTILINE | re.DOTALL)
    return block.replace("\\\n", " ").splitlines()


@pytest.fixture(scope="module")
def printed(tmp_path_factory) -> str:
    """What the demo prints, with the download killed twice."""
    folder = tmp_path_factory.mktemp("demo") / "all"
    demo = [sys.executable, "scripts/demo_flickr.py", "--kills", "2", "--out", folder]
    done = subprocess.run(
        demo, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def answer_to(line: str, printed: str) -> str:
    """What was printed after a line and before the next."""
    _, found, rest = printed.partition(f"\n$ {line}\n")
    assert found, f"the demo did not type {line!r}"
    return rest.partition("\n$ ")[0]


def test_every_line_of_the_page_is_typed(printed: str):
    assert {line.split()[1] for line in TYPED if line.startswith("lablr")} == {
        "download",
        "credits",
        "resize",
        "train",
        "fit",
        "evaluate",
        "suggest",
        "serve",
    }
    for line in TYPED:
        assert answer_to(line, printed)


def test_the_killed_download_equals_the_undisturbed(printed: str):
    (line,) = (line for line in TYPED if "download" in line and "--dry-run" not in line)
    assert "equals that of the undisturbed download" in printed
    assert "killed (SIGKILL) at 2 random moments" in answer_to(line, printed)


def test_the_new_model_knows_the_cat(printed: str):
    (line,) = (line for line in TYPED if line.startswith("lablr suggest"))
    tags = re.findall(r"^  (\w+) +[\d.]+%", answer_to(line, printed), re.MULTILINE)
    assert {*tags[:2]} == {"cat", "portrait"}
    (line,) = (line for line in TYPED if line.startswith("lablr serve"))
    served = re.search(r"^POST .* -> (\w+), (\w+)", printed, re.MULTILINE)
    assert {*served.groups()} == {"cat", "portrait"}


def test_tags_that_nobody_shares_are_left_out(printed: str):
    (line,) = (line for line in TYPED if line.startswith("lablr fit"))
    assert "12 tags in my-bundle" in answer_to(line, printed)


@pytest.mark.parametrize("line", lines_in_earnest())
def test_the_words_in_earnest_are_right(line: str):
    program, name, *words = shlex.split(line.partition(">")[0])
    assert program == "lablr"
    # Raises a usage error when a word of it is wrong; nothing is run.
    group = click.Context(main, info_name="lablr", **main.context_settings)
    main.commands[name].make_context(name, words, parent=group)


def test_the_options_of_the_table_exist():
    known = {
        flag
        for command in main.commands.values()
        for option in command.params
        for flag in option.opts
    }
    named = set(re.findall(r"(--[a-z][a-z-]+)", PAGE))
    assert named - known == set()
