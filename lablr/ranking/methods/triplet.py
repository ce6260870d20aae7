"""Photos and tags in one space, where a photo lies near its tags.

The space is learned by triplets of a photo a, a tag p of it and another tag n::

    max(d(a, p) - d(a, n) + margin, 0)        d Euclidean, margin .4

A tag is a point, so the list of tags is open: a new one is put where the photos
that carry it lie on average, and nothing else changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from lablr.latent_space.arrays import checked
from lablr.ranking.methods.layers import Layers
from lablr.system.arrays import Arrays, Floats, Reals


@dataclass(frozen=True)
class Triplet:
    """Distances from photos to T tags in a space of e dimensions.

    Attributes
    ----------
    layers : x (N, p) -> points (N, e).
    points : (T, e), where the tags lie.
    tags : T names, in the order of the points.
    """

    name: ClassVar[str] = "triplet"

    layers: Layers
    points: Floats
    tags: tuple[str, ...]

    @property
    def n_inputs(self) -> int:
        """Return p."""
        return self.layers.n_inputs

    def vectors(self, x: Reals) -> Floats:
        """Place photos x (N, p) in the space: (N, e); `ValueError` for another p."""
        return self.layers(x)

    def logits(self, x: Reals) -> Floats:
        """Return negative Euclidean distances (N, T) of photos x (N, p) to the tags."""
        return -distances(self.vectors(x), self.points)

    def with_tag(self, tag: str, x: Reals) -> Triplet:
        """Add one tag, in the middle of photos x (n, p) that fit.

        A tag that is there already is moved to them. Raises `ValueError` without
        photos.
        """
        if not len(x):
            raise ValueError(f"{tag!r} needs a photo that fits")
        point = self.vectors(x).mean(axis=0)
        if tag in self.tags:
            points = self.points.copy()
            points[self.tags.index(tag)] = point
            return replace(self, points=points)
        points = np.vstack([self.points, point])
        return replace(self, points=points, tags=(*self.tags, tag))

    def to_arrays(self) -> Arrays:
        """Return arrays for a run or a bundle, float32."""
        return self.layers.to_arrays() | {"points": self.points.astype(np.float32)}

    @classmethod
    def from_arrays(cls, arrays: Arrays, tags: Sequence[str]) -> Triplet:
        """Read back `to_arrays`; raises `BundleError` when shapes make no sense."""
        file = f"{cls.name}.npz"
        layers = Layers.from_arrays(arrays, file)
        points = checked(arrays, "points", (len(tags), layers.n_outputs), file)
        return cls(layers, points, tuple(tags))


def distances(a: Floats, b: Floats) -> Floats:
    """Return Euclidean distances (N, M) between rows of a (N, e) and b (M, e)."""
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    # Rounding makes the square of next to nothing negative.
    return np.asarray(np.sqrt(np.maximum(squares, 0)), np.float64)
