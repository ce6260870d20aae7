"""Embeddings of tags: by the text model, or from a file of word vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lablr.encoders.text import SentenceEncoder, WordVectors
from lablr.system.arrays import Floats

__all__ = ["TagTexts"]


@dataclass(frozen=True)
class TagTexts:
    """The meaning of tags as points.

    Attributes
    ----------
    embeddings : (T, e).
    digest : of the model that made them; those of another do not compare with them.
    """

    embeddings: Floats
    digest: str

    @classmethod
    def of(
        cls, tags: Sequence[str], prompt: str = "{}", vectors: Path | None = None
    ) -> TagTexts:
        """Embed the tags, each put into the `prompt` in place of ``{}``.

        By the sentence encoder, or by the word vectors of a file. Raises `MissingExtra`
        when the text model is not installed, `TextError` for a file that will not do or
        does not know a tag.
        """
        model = SentenceEncoder.load() if vectors is None else WordVectors.load(vectors)
        texts = [prompt.replace("{}", tag) for tag in tags]
        return cls(model.embed(texts).astype(np.float64), model.digest)
