"""The classifier: dense layers on what the encoder says, a logit for each tag.

Binary relevance: every tag is a question of its own, answered by
``P(tag | x) = sigmoid(logit)`` (Boutell et al., "Learning multi-label scene
classification", Pattern Recognition 37(9), 2004).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from lablr.errors import BundleError
from lablr.ranking.methods.layers import Layers
from lablr.system.arrays import Arrays, Floats, Reals


@dataclass(frozen=True)
class Classifier:
    """A tag's logit for each of T tags.

    Attributes
    ----------
    layers : x (N, p) -> logits (N, T).
    tags : T names, in the order of the logits.
    """

    name: ClassVar[str] = "classifier"

    layers: Layers
    tags: tuple[str, ...]

    @property
    def n_inputs(self) -> int:
        """Return p."""
        return self.layers.n_inputs

    def logits(self, x: Reals) -> Floats:
        """Return (N, T) of x (N, p); raises `ValueError` when x has another p."""
        return self.layers(x)

    def to_arrays(self) -> Arrays:
        """Return arrays for a run or a bundle, float32."""
        return self.layers.to_arrays()

    @classmethod
    def from_arrays(cls, arrays: Arrays, tags: Sequence[str]) -> Classifier:
        """Read back `to_arrays`; raises `BundleError` when shapes make no sense."""
        layers = Layers.from_arrays(arrays, f"{cls.name}.npz")
        if layers.n_outputs != len(tags):
            raise BundleError(
                f"{cls.name}.npz: it has logits of {layers.n_outputs} tags, not of"
                f" {len(tags)}"
            )
        return cls(layers, tuple(tags))
