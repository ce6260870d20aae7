"""The table of backbones: a row each, also where the weights are not here."""

from __future__ import annotations

import json
import runpy
import sys
import urllib.request
from pathlib import Path

import pytest
from places import ROOT
from training_makers import make_corpus, one_core  # noqa: F401

from lablr.corpus import Corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("corpus"))


def figures_of(folder: Path) -> dict:
    """Those of all validation photos."""
    found = json.loads((folder / "config.json").read_text())["validation"]
    return {figures["source"]: figures for figures in found}["all"]


def compared(monkeypatch, capsys, *words: object) -> list[list[str]]:
    script = ROOT / "scripts" / "compare_backbones.py"
    monkeypatch.setattr(sys, "argv", [str(script), *map(str, words)])
    runpy.run_path(str(script), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_backbones_side_by_side(corpus, tmp_path, monkeypatch, capsys):
    """Random weights, as torchvision's are not here; an Inception takes 96 px."""
    names = ["mobilenet_v3_small", "inception_v3"]
    words = [corpus.root, "--out", tmp_path, "--random", "--image-size", 96]
    for name in names:
        words += ["--backbone", name]
    header, _, *rows = compared(monkeypatch, capsys, *words)
    assert header[:3] == ["backbone", "macro AP", "image MAP"]
    assert [row[0] for row in rows] == names
    for name, row in zip(names, rows, strict=True):
        every = figures_of(tmp_path / name)
        assert row[2] == f"{every['mean_average_precision']:.3f}"
        assert row[4:] == [
            f"{every['accuracy']:.3f}",
            f"{every['accuracy_of_none']:.3f}",
        ]
    # What is there is read, and not made again.
    before = (tmp_path / names[0] / "config.json").stat().st_mtime_ns
    assert compared(monkeypatch, capsys, *words)[2:] == rows
    assert (tmp_path / names[0] / "config.json").stat().st_mtime_ns == before


def test_weights_that_are_not_here(corpus, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr(urllib.request, "_opener", None)
    words = [corpus.root, "--out", tmp_path / "out", "--backbone", "resnet18"]
    *_, row = compared(monkeypatch, capsys, *words)
    assert row[:2] == ["resnet18", "weights not here"]
