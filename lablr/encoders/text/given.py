"""The bounds on texts that somebody typed, and unit rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from lablr.errors import TextError
from lablr.system.arrays import Float32s

# A model reads some 1,000 characters; what is longer was never meant for it.
MAX_CHARACTERS = 2_000
MAX_TEXTS = 100_000


class TextModel(Protocol):
    """A model that makes points of texts."""

    digest: str
    n_dimensions: int

    def embed(self, texts: Sequence[str]) -> Float32s:
        """Return unit rows (N, n_dimensions) of N texts."""


def checked(texts: Sequence[str]) -> list[str]:
    """Return the texts without the space around them.

    Raises TextError for one that is empty or too long, naming its number, for too
    many, and for a single str, which is a sequence of letters.
    """
    if isinstance(texts, str):
        raise TextError("give a list of texts, not one text")
    if len(texts) > MAX_TEXTS:
        raise TextError(f"{len(texts):,} texts are more than {MAX_TEXTS:,} at once")
    stripped = [text.strip() for text in texts]
    for number, text in enumerate(stripped, 1):
        where = f"text {number} of {len(stripped)}" if len(stripped) > 1 else "the text"
        if not text:
            raise TextError(f"{where} is empty")
        if len(text) > MAX_CHARACTERS:
            raise TextError(
                f"{where} has {len(text):,} characters; at most {MAX_CHARACTERS:,}"
            )
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise TextError(f"{where} is not Unicode: it holds half a character")
    return stripped


def unit_rows(rows: Float32s) -> Float32s:
    """Divide rows (N, d) by their lengths; a row of zeros stays one."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)
