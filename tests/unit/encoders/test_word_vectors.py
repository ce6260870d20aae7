"""Word vectors are read strictly, and a phrase is the mean of its words."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lablr.encoders.text import WordVectors
from lablr.errors import TextError

GLOVE = """\
sea 3 0 4
blue 0 2 0
. . . 1 1 1
2007 0 0 1
Sea 9 9 9
naïve -1e-3 0.5 .25
"""


@pytest.fixture
def vectors(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text(GLOVE, encoding="utf-8")
    return WordVectors.load(path)


def load(tmp_path, content: bytes, **options) -> WordVectors:
    path = tmp_path / "glove.txt"
    path.write_bytes(content)
    return WordVectors.load(path, **options)


def test_a_word_is_its_vector_at_unit_length(vectors: WordVectors):
    found = vectors.embed(["sea", "SEA", " Naïve\n", "2007"])
    assert vectors.n_dimensions == 3
    assert found.dtype == np.float32
    expected = np.array([-0.001, 0.5, 0.25]) / np.linalg.norm([-0.001, 0.5, 0.25])
    assert_allclose(
        found, [[0.6, 0, 0.8], [0.6, 0, 0.8], expected, [0, 0, 1]], atol=1e-6
    )


def test_a_phrase_is_the_mean_of_the_words_that_are_known(vectors: WordVectors):
    (found,) = vectors.embed(["the blue, BLUE-grey sea?"])
    mean = np.array([3, 4, 4]) / 3
    assert_allclose(found, mean / np.linalg.norm(mean), atol=1e-6)


def test_it_knows_which_texts_it_can_read(vectors: WordVectors):
    assert "blue mountains" in vectors
    assert "mountains" not in vectors
    with pytest.raises(TextError, match="no word of 'mountains' has a vector"):
        vectors.embed(["sea", "mountains"])


def test_empty_texts_are_refused(vectors: WordVectors):
    with pytest.raises(TextError, match="text 2 of 2 is empty"):
        vectors.embed(["sea", ""])


def test_the_first_words_are_kept(tmp_path):
    few = load(tmp_path, GLOVE.encode(), max_words=1)
    assert "sea" in few
    assert "blue" not in few


def test_the_digest_tells_files_apart(tmp_path, vectors: WordVectors):
    assert load(tmp_path, GLOVE.encode()).digest == vectors.digest
    assert load(tmp_path, GLOVE.encode()[:-3] + b"6\n").digest != vectors.digest


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "glove.txt holds no word"),
        (b"400000 300\n", "line 1: expected a word and 2 numbers, found '400000 300'"),
        (b"sea 1 2\nblue 1\n", "line 2: expected a word and 2 numbers, found 'blue 1'"),
        (b"sea 1 2\nblue 1 2 3 4\n", "line 2: expected a word and 2 numbers"),
        (b"sea 1 2\nx one 2\n", "line 2: could not convert"),
        (b"sea 1 nan\n", "line 1: a number is not finite"),
        (b"sea 1 2\nblue 1 1e99\n", "line 2: a number is not finite"),
        (b"sea 1 2\n\n", "line 2: expected a word"),
        (b"sea 1 2\n 3 4\n", "line 2: expected a word"),
        (b"sea 1 2\n\xff 3 4\n", "line 2: not UTF-8"),
        (b"sea " + b"1 " * 40_000, "line 1: longer than 65536 bytes"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path, content: bytes, why: str):
    with pytest.raises(TextError, match=why):
        load(tmp_path, content)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TextError, match=r"none\.txt: No such file"):
        WordVectors.load(tmp_path / "none.txt")
