"""Photos in the space of word embeddings, beside the texts of their tags.

Frome et al., "DeViSE: a deep visual-semantic embedding model" (NeurIPS 2013): dense
layers bring a photo to where the texts of its tags lie. A text never trained on has a
place there too, so any vocabulary can be scored (`scores_of`), and photos found by any
text (`vectors`). How well a text u fits a photo v, both of length 1, is their cosine in
units of what is usual for this text::

    (v . u - mean . u) / sqrt(u . covariance u)

with the mean and the covariance of all training photos' v. Without that, texts that
lie where most photos do would be near to everything (Dinu et al., "Improving zero-shot
learning by mitigating the hubness problem", ICLR workshop 2015). It changes no search
by one text, and nothing that is calibrated for each tag.

Sentence embeddings all lean one way, so that any two texts seem alike. The mean of the
tags it was trained on, the `centre`, is taken off every text before its length is made
1 (Mu and Viswanath, "All-but-the-top", ICLR 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lablr.latent_space.arrays import checked
from lablr.ranking.methods.layers import Layers
from lablr.system.arrays import Arrays, Floats, Reals

# What is recognized from training is recognized with more confidence than what is only
# understood: in standard deviations (Chao et al., "An empirical study and analysis of
# generalized zero-shot learning for object recognition in the wild", ECCV 2016).
NOVELTY = 0.5

# Least variance of a cosine: below are roundings.
SMALLEST = 1e-10


@dataclass(frozen=True)
class Semantic:
    """The fit of texts to photos in a space of e dimensions.

    Attributes
    ----------
    layers : x (N, p) -> (N, e), of any length.
    embeddings : (T, e) of the tags' texts, as the text model gives them.
    centre : (e,), taken off every embedding.
    mean, covariance : (e,) and (e, e), of the training photos' vectors.
    tags : T names, in the order of the embeddings.
    """

    name: ClassVar[str] = "semantic"

    layers: Layers
    embeddings: Floats
    centre: Floats
    mean: Floats
    covariance: Floats
    tags: tuple[str, ...]

    @property
    def n_inputs(self) -> int:
        """Return p."""
        return self.layers.n_inputs

    def vectors(self, x: Reals) -> Floats:
        """Return unit vectors (N, e) of photos x (N, p); `ValueError` for another p."""
        return unit_rows(self.layers(x))

    def vectors_of(self, embeddings: Reals) -> Floats:
        """Return unit vectors (M, e) of texts, comparable with those of photos."""
        return unit_texts(embeddings, self.centre)

    def scores_of(
        self, x: Reals, embeddings: Reals, novel: npt.ArrayLike = False
    ) -> Floats:
        """Score how well any texts' embeddings (M, e) fit photos x (N, p): (N, M).

        In standard deviations: 0 is as well as a text fits a photo of the training.
        `novel` (M,) says which of them are not among the tags of training: those get
        `NOVELTY` more, to stand a chance beside tags that the photos have shaped.
        """
        texts = self.vectors_of(embeddings)
        usual = np.sum(texts @ self.covariance * texts, axis=1)
        # A text in a direction that no photo ever takes fits none.
        factor = 1 / np.sqrt(np.maximum(usual, SMALLEST))
        cosines = (self.vectors(x) - self.mean) @ texts.T
        return np.asarray(cosines * factor + NOVELTY * np.asarray(novel), np.float64)

    def logits(self, x: Reals) -> Floats:
        """Score how well the tags fit photos x (N, p): (N, T)."""
        return self.scores_of(x, self.embeddings)

    def to_arrays(self) -> Arrays:
        """Return arrays for a run or a bundle, float32."""
        names = ("embeddings", "centre", "mean", "covariance")
        own = {name: getattr(self, name).astype(np.float32) for name in names}
        return self.layers.to_arrays() | own

    @classmethod
    def from_arrays(cls, arrays: Arrays, tags: Sequence[str]) -> Semantic:
        """Read back `to_arrays`; raises `BundleError` when shapes make no sense."""
        file = f"{cls.name}.npz"
        layers = Layers.from_arrays(arrays, file)
        e = layers.n_outputs
        embeddings = checked(arrays, "embeddings", (len(tags), e), file)
        centre = checked(arrays, "centre", (e,), file)
        mean = checked(arrays, "mean", (e,), file)
        covariance = checked(arrays, "covariance", (e, e), file)
        return cls(layers, embeddings, centre, mean, covariance, tuple(tags))


def unit_texts(embeddings: npt.ArrayLike, centre: Floats) -> Floats:
    """Return unit vectors (M, e) of embeddings, their `centre` (e,) taken off."""
    rows = np.asarray(embeddings, np.float64)
    if rows.ndim != 2 or rows.shape[1] != len(centre):
        raise ValueError(f"expected (texts, {len(centre)}), found {rows.shape}")
    return unit_rows(rows - centre)


def unit_rows(rows: Floats) -> Floats:
    """Divide rows (N, e) by their lengths; rows of zeros stay zero."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), np.float64)
