"""Fitting by Ray: the same bundle, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from fit_makers import assert_same_bundle
from model_makers import GREY, draw_photos, encoder_onnx, make_bundle
from places import ROOT
from ray_here import processes_of
from training_makers import Heard, make_corpus

from lablr.bundle import Bundle
from lablr.cli import main
from lablr.corpus import Corpus
from lablr.encoders import ray_engine
from lablr.encoders.ray_engine import RayEngine
from lablr.errors import BundleError, MissingExtra
from lablr.fitting.fit import FitConfig, fit

# Ray Data uses settings of its own that it has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")

BROKEN = ("003.jpg", "100.jpg")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    corpus = make_corpus(folder, n_train=90, n_val=24, side=64)
    for file in BROKEN:
        (folder / file).write_bytes(b"no photo")
    return corpus


def fitted(corpus: Corpus, **options: object) -> Bundle:
    config = FitConfig(shrinkage=30.0)
    made = {"created": "2025-01-01T00:00:00+00:00"}
    return fit(corpus, encoder_onnx(), GREY, config, provenance=made, **options)


def test_the_bundle_is_the_local_one(
    corpus: Corpus,
    two_cores: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    local = fitted(corpus)
    names = caplog.messages[:]
    assert [name.split(": ")[0] for name in names[:2]] == [
        f"left out {file}" for file in BROKEN
    ]
    caplog.clear()
    # Of eight blocks two are under way at a time, so Ray is asked four times.
    monkeypatch.setattr(ray_engine, "BLOCKS_AT_ONCE", 1)
    heard = Heard()
    by_ray = fitted(corpus, engine=RayEngine(), progress=heard)
    assert heard.labels == ["encoding photos"]
    assert_same_bundle(by_ray, local)
    assert caplog.messages == names
    import ray

    assert ray.is_initialized()  # it was not ours to end


def test_the_command_by_ray(corpus: Corpus, short_folder: Path, tmp_path: Path) -> None:
    """As a person runs it: Ray starts, says nothing, and is gone."""
    make_bundle(draw_photos()).save(tmp_path / "encoder")
    words = ["fit", corpus.root, "--encoder", tmp_path / "encoder", "--no-mirror"]
    options = ["--shrinkage", "30", "--engine", "ray", "--out", tmp_path / "by-ray"]
    own = short_folder / "c"
    own.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "lablr", *words, *options],
        cwd=ROOT,
        env={**os.environ, "RAY_TMPDIR": str(own), "HOME": str(own)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    said = [line.partition(": ") for line in done.stderr.splitlines()]
    assert [who for who, _, _ in said] == ["lablr"] * (len(BROKEN) + 2), done.stderr
    assert processes_of(own) == []
    local = fit(corpus, encoder_onnx(), GREY, FitConfig(shrinkage=30.0, mirror=False))
    assert_same_bundle(Bundle.load(tmp_path / "by-ray"), local)


def test_a_broken_encoder_is_named_before_ray_starts(corpus: Corpus) -> None:
    with pytest.raises(BundleError, match=r"encoder\.onnx"):
        fit(corpus, b"no graph", GREY, FitConfig(), engine=RayEngine("nowhere:1"))


def test_without_ray_the_extra_is_named(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"pip install lablr\[scale\]"):
        fitted(corpus, engine=RayEngine())


def test_an_address_without_ray_is_a_mistake(tmp_path: Path) -> None:
    make_bundle(draw_photos()).save(tmp_path / "bundle")
    words = [str(tmp_path), "--encoder", str(tmp_path / "bundle"), "-o", "out"]
    done = CliRunner().invoke(main, ["fit", *words, "--ray-address", "head:6379"])
    assert done.exit_code == 2
    assert "--ray-address needs --engine ray" in done.stderr
