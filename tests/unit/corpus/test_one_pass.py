"""A fit and a training run open the list of photos once, whatever they need of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from model_makers import GREY, encoder_onnx
from openings import openings
from training_makers import make_corpus, one_core  # noqa: F401

from lablr.cli import main
from lablr.corpus import Corpus
from lablr.encoders import quantization
from lablr.errors import CorpusError
from lablr.fitting.fit import FitConfig, fit


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpus"), 30, 6, side=32).root


def test_a_fit_opens_the_list_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Quantizing takes its ranges from the photos, too; what it makes is of no matter.
    monkeypatch.setattr(
        quantization, "quantized", lambda model, inputs: (list(inputs), model)[1]
    )
    config = FitConfig(quantize=True)
    with openings(folder / "photos.jsonl") as opened:
        bundle = fit(Corpus.open(folder), encoder_onnx(), GREY, config)
    assert opened == [1]
    assert bundle.provenance["corpus_digest"] == Corpus.open(folder).digest


@pytest.mark.parametrize("tags", [(), ("--tags", "sky,portrait,flower")])
def test_a_run_opens_the_list_once(
    folder: Path, tmp_path: Path, tags: tuple[str, ...]
) -> None:
    words = ("--backbone", "scratch", "--latent", "4", "--epochs", "1")
    with openings(folder / "photos.jsonl") as opened:
        done = CliRunner().invoke(
            main, ["train", str(folder), "-o", str(tmp_path / "run"), *words, *tags]
        )
    assert done.exit_code == 0, done.output
    assert opened == [1]


def test_what_is_held_is_what_was_read(folder: Path) -> None:
    read, held = Corpus.open(folder), Corpus.open(folder).read()
    with openings(folder / "photos.jsonl") as opened:
        assert list(held) == list(held)
        assert held.count("val") == 6
    assert opened == [0]
    assert list(held) == list(read)
    assert [photo.others for photo in held] == [photo.others for photo in read]
    assert held.count_records() == read.count_records() == 36
    assert held.digest == read.digest


def test_a_record_of_no_use_is_an_error_of_every_pass(tmp_path: Path) -> None:
    (tmp_path / "photos.jsonl").write_text('{"file": "a.jpg", "tags": []}\nno record\n')
    corpus = Corpus.open(tmp_path).read()
    for _ in range(2):
        with pytest.raises(CorpusError, match=r"photos\.jsonl:2"):
            list(corpus)
    assert corpus.count() == 1
    assert corpus.count_records() == 2


def test_held_records_take_less_than_their_lines(tmp_path: Path) -> None:
    lines = "".join(
        f'{{"file": "photos/{n * 7919 % 999_983:06}_c.jpg", "tags": ["sea", "sky"], '
        f'"split": "train", "source": "flickr", "owner": "{n % 97}@N00"}}\n'
        for n in range(5000)
    )
    (tmp_path / "photos.jsonl").write_text(lines)
    held = Corpus.open(tmp_path).read()._held
    assert sum(map(len, held._blocks)) < len(lines) / 3
