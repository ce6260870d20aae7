"""The features that an index holds of a photo, and those of a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from lablr.errors import MissingExtra, RankingError
from lablr.ranking.tagger import Tagger

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Features:
    """The features of N photos, a row each.

    latents : (N, d), standardized latents of length 1.
    probabilities : (N, T), of each tag.
    semantic : (N, e), vectors in a text model's space; e is 0 without one.
    """

    latents: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float16]
    semantic: npt.NDArray[np.float16]

    def select(self, rows: Sequence[int]) -> Features:
        """Return the features of some rows, in memory."""
        numbers = np.asarray(rows, np.int64)
        return Features(*(array[numbers] for array in vars(self).values()))

    @classmethod
    def concatenate(cls, parts: Sequence[Features]) -> Features:
        """Return the rows of all parts, one part after another."""
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return cls(*(np.concatenate(arrays) for arrays in columns))


@dataclass(frozen=True, eq=False)
class FeatureExtractor:
    """Extracts the features of photos and queries with one model.

    tagger : the model; tags are scored by its ranking "blend" where it has one.
    """

    tagger: Tagger

    @property
    def digest(self) -> str:
        """Return the digest of the model: features of two models must never meet."""
        return self.tagger.bundle_digest

    @property
    def semantic(self) -> Any:
        """Return the method that places photos among texts; None without one."""
        return self.tagger.ranker.methods.get("semantic")

    def extract(self, images: npt.NDArray[np.uint8]) -> Features:
        """Extract the features of images (N, S, S, 3)."""
        encoded = self.tagger.encode(images)
        ranking = "blend" if "blend" in self.tagger.rankings else "calibrated"
        scores = self.tagger.ranker.scores(encoded, ranking)
        semantic = np.zeros((len(images), 0))
        if self.semantic is not None:
            semantic = self.semantic.vectors(encoded[:, : self.semantic.n_inputs])
        return Features(
            self.unit_latents(encoded),
            scores.probability.astype(np.float16),
            semantic.astype(np.float16),
        )

    def no_features(self) -> Features:
        """Return features of no photo, with the right shapes."""
        size = self.tagger.encoder.size
        return self.extract(np.zeros((0, size, size, 3), np.uint8))

    def unit_latents(self, encoded: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return standardized latents of length 1, (N, d), of encodings (N, d + F).

        In units of the training photos' spread every number counts alike.
        """
        mean, scale = self.tagger.ranker.spread
        rows = (encoded[:, : len(mean)] - mean) / scale
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.maximum(length, 1e-12), np.float32)

    def text_vectors(self, texts: Sequence[str]) -> Floats:
        """Return unit vectors (M, e) of texts, comparable with `Features.semantic`.

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
