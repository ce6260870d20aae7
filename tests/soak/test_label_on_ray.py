"""Labelling by Ray writes the file that this machine writes, to the last byte."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from label_makers import bundle, labeller, many_lines

from lablr.annotation.labelling.on_ray import on_ray
from lablr.annotation.labelling.run import Output, label
from lablr.cli import main
from lablr.corpus.inputs import open_input

# Ray Data uses settings of its own that it has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")


def test_the_file_is_the_local_one(two_cores: None, tmp_path: Path) -> None:
    source = open_input(str(many_lines(tmp_path / "in", 700)), stdin=io.BytesIO())
    here, there = Output(tmp_path / "here.csv"), Output(tmp_path / "there.csv")
    counts = label(source, here, labeller())
    assert counts == label(
        source, there, labeller(), engine=on_ray(bundle(), 3, "calibrated")
    )
    assert counts.attempted == 700
    assert there.path.read_bytes() == here.path.read_bytes()
    assert there.failures.read_bytes() == here.failures.read_bytes()


def test_without_ray_nothing_is_begun(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    lines, out = many_lines(tmp_path / "in", 7), tmp_path / "out"
    out.mkdir()
    words = [str(lines), "-o", str(out / "labels.csv"), "--engine", "ray"]
    done = CliRunner().invoke(main, ["label", *words])
    assert done.exit_code == 1
    assert "pip install lablr[scale]" in done.stderr
    assert list(out.iterdir()) == []


def test_an_address_without_ray_is_a_mistake(tmp_path: Path) -> None:
    lines = many_lines(tmp_path / "in", 7)
    words = [str(lines), "-o", str(tmp_path / "out.csv"), "--ray-address", "head:6379"]
    done = CliRunner().invoke(main, ["label", *words])
    assert done.exit_code == 2
    assert "--ray-address needs --engine ray" in done.stderr
