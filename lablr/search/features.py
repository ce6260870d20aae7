"""What an index keeps of a photo, and how a query is brought to the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from lablr.errors import MissingExtra, RankingError
from lablr.ranking.tagger import Tagger
from lablr.search.index import Rows

__all__ = ["Viewer"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Viewer:
    """The model that looks at photos, and at queries.

    tagger : suggests the tags that are kept, by the ranking "blend" where it has one.
    """

    tagger: Tagger

    @property
    def digest(self) -> str:
        """Names the model: rows of two models must never meet."""
        return self.tagger.bundle_digest

    @property
    def tags(self) -> tuple[str, ...]:
        """T names."""
        return self.tagger.tags

    @property
    def ranking(self) -> str:
        """What the probabilities of the tags are by."""
        return "blend" if "blend" in self.tagger.rankings else "calibrated"

    @property
    def semantic(self) -> Any:
        """The method that places photos among texts; None if the model has none."""
        return self.tagger.ranker.methods.get("semantic")

    def rows(self, images: npt.NDArray[np.uint8]) -> Rows:
        """What is kept of images (N, S, S, 3)."""
        described = self.tagger.encode(images)
        scores = self.tagger.ranker.scores(described, self.ranking)
        meaning = np.zeros((len(images), 0))
        if self.semantic is not None:
            meaning = self.semantic.vectors(described[:, : self.semantic.n_inputs])
        return Rows(
            self.unit_latents(described),
            scores.probability.astype(np.float16),
            meaning.astype(np.float16),
        )

    def no_rows(self) -> Rows:
        """Of no image."""
        size = self.tagger.encoder.size
        return self.rows(np.zeros((0, size, size, 3), np.uint8))

    def unit_latents(self, described: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Standardized latents of length 1, (N, d), of descriptions (N, d + F).

        In units of the training photos' spread every number counts alike.
        """
        mean, scale = self._spread
        rows = (described[:, : len(mean)] - mean) / scale
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.maximum(length, 1e-12), np.float32)

    @cached_property
    def _spread(self) -> tuple[Floats, Floats]:
        return self.tagger.ranker.spread

    def text_vectors(self, texts: Sequence[str]) -> Floats:
        """Unit vectors (M, e) of texts, comparable with the rows' meaning.

        Raises `RankingError` when the model places no photos among texts,
        `MissingExtra` without the text model.
        """
        if self.semantic is None:
            raise RankingError(
                "the model knows no words but its tags: it has no semantic method"
            )
        return np.asarray(self.semantic.vectors_of(self._text_model.embed(texts)))

    @cached_property
    def _text_model(self) -> Any:
        try:
            from lablr.encoders.text import SentenceEncoder
        except ImportError as error:
            raise MissingExtra("text", "search by words") from error
        return SentenceEncoder.load()
