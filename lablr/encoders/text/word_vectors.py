"""Word vectors from a text file, as GloVe's are published.

A line is a word and its numbers, ``word v1 ... vd`` (Pennington et al., "GloVe",
EMNLP 2014; https://nlp.stanford.edu/projects/glove/). A phrase is the mean of its
words, which loses their order and is still a strong beginning (Arora et al., "A
Simple but Tough-to-Beat Baseline for Sentence Embeddings", ICLR 2017).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lablr.encoders.text.given import checked, unit_rows
from lablr.errors import TextError
from lablr.system.arrays import Float32s

MAX_LINE_BYTES = 64 << 10
MAX_BYTES = 512 << 20  # of vectors in memory
MAX_WORDS = 400_000
# Fewer and more numbers a line than any published vectors have.
MIN_DIMENSIONS, MAX_DIMENSIONS = 2, 2_000
WORD = re.compile(r"\w+")


class WordVectors:
    """Phrases as the means of their words' vectors.

    Parameters
    ----------
    rows : the row of every word, in lower case, in `vectors`.
    vectors : (n_words, d) float32.
    digest : names the model, the SHA-256 of the lines that were read.

    Attributes
    ----------
    n_dimensions : d.
    """

    def __init__(self, rows: dict[str, int], vectors: Float32s, digest: str) -> None:
        self._rows = rows
        self._vectors = vectors
        self.digest = digest
        self.n_dimensions = int(vectors.shape[1])

    @classmethod
    def load(cls, path: str | Path, max_words: int = MAX_WORDS) -> WordVectors:
        """Read the first `max_words` words of a file, or as many as 512 MiB hold.

        Published files name the most frequent words first, so what is left out is
        rare. Of words that differ by their case only, the first counts. Raises
        `TextError`, naming file and line, for a line that is not a word and as many
        finite numbers as the first line has, and when there is none.
        """
        rows: dict[str, int] = {}
        found: list[Float32s] = []
        digest = hashlib.sha256()
        path = Path(path)
        for number, line in _lines(path):
            n_dimensions = len(found[0]) if found else None
            word, vector = _parse(line, n_dimensions, f"{path.name}, line {number}")
            digest.update(line)
            if word not in rows:
                rows[word] = len(found)
                found.append(vector)
            if len(found) >= min(max_words, MAX_BYTES // vector.nbytes):
                break
        if not found:
            raise TextError(f"{path.name} holds no word")
        return cls(rows, np.stack(found), digest.hexdigest())

    def __contains__(self, text: str) -> bool:
        """Tell whether at least one word of the text has a vector."""
        return bool(self._known(text))

    def embed(self, texts: Sequence[str]) -> Float32s:
        """Return unit rows (N, d) of N texts; words without a vector are left out.

        Raises `TextError` for a text none of whose words has one, and for an empty
        or overlong text, and for too many.
        """
        means = np.empty((len(texts), self.n_dimensions), np.float32)
        for row, text in enumerate(checked(texts)):
            known = self._known(text)
            if not known:
                raise TextError(f"no word of {text[:60]!r} has a vector")
            means[row] = self._vectors[known].mean(axis=0)
        return unit_rows(means)

    def _known(self, text: str) -> list[int]:
        words = WORD.findall(text.lower())
        return [self._rows[word] for word in words if word in self._rows]


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file with their numbers, none of them overlong."""
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise TextError(
                        f"{path.name}, line {number}: longer than {MAX_LINE_BYTES} "
                        "bytes: no file of word vectors"
                    )
                yield number, line
    except OSError as error:
        raise TextError(f"{path.name}: {error.strerror}") from error


def _parse(line: bytes, n_dimensions: int | None, where: str) -> tuple[str, Float32s]:
    """Return a line's word and vector.

    A few published words hold spaces (". . ."), so with `n_dimensions` known the
    numbers are counted from the end.
    """
    try:
        text = line.decode("utf-8").rstrip("\r\n ")
    except UnicodeDecodeError as error:
        raise TextError(f"{where}: not UTF-8") from error
    word, *numbers = text.rsplit(" ", n_dimensions or -1)
    n_expected = n_dimensions or max(MIN_DIMENSIONS, min(len(numbers), MAX_DIMENSIONS))
    has_too_many = " " in word and _is_number(word.rpartition(" ")[2])
    if not word or len(numbers) != n_expected or has_too_many:
        raise TextError(
            f"{where}: expected a word and {n_expected} numbers, found {text[:60]!r}"
        )
    try:
        with np.errstate(over="ignore"):
            vector = np.array([float(number) for number in numbers], np.float32)
    except ValueError as error:
        raise TextError(f"{where}: {error}") from error
    if not np.isfinite(vector).all():
        raise TextError(f"{where}: a number is not finite")
    return word.lower(), vector


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
