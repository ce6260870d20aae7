"""Saliency: cover parts of a photo, and see what that takes from a tag.

A square patch of the encoder's mean colour slides over the image, and the photo is
encoded anew for each place. With r_t(x) the log-likelihood ratio of tag t::

    drop_ij = r_t(x) - r_t(x with the patch at row i, column j covered)

A positive drop is what spoke for the tag there, a negative one what spoke against it
(Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014).
The image is `GRID` x `GRID` cells; a patch is two cells wide, in the middle of its
cell, and cut off at the image's edge: half as wide as that changes too little to be
told from the rest, twice as wide covers whole things.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lablr.system.arrays import Bools, Floats, Pixels

GRID = 8
N_PATCHES = GRID * GRID
# A region holds most of the positive drops from this share of them on.
MOST = 0.6
SPEAKS_FOR = (255, 140, 0)
SPEAKS_AGAINST = (30, 110, 255)
# Of sRGB's red, green and blue in what the eye sees as light, ITU-R BT.601.
LUMINANCE = np.array([0.299, 0.587, 0.114])
# Of the strongest cell; the photo must stay to be seen under it.
MAX_OPACITY = 0.7


@dataclass(frozen=True, eq=False)
class Saliency:
    """The part of a tag's evidence that each part of a photo holds.

    Attributes
    ----------
    drops : (GRID, GRID) nats, the first row that of the image's top; the image is
        what the encoder sees, the photo's centre of side ratio at most 2:1.
    """

    drops: Floats

    @property
    def where(self) -> str | None:
        """Name the region, of `regions`, with most of what speaks for the tag, or None.

        The smallest that will do; of those alike, the one with the largest share.
        """
        found = [(name, self.share(name)) for name in regions()]
        for group in (found[:5], found[5:]):
            name, share = max(group, key=lambda pair: pair[1])
            if share >= MOST:
                return name
        return None

    def share(self, region: str) -> float:
        """Return the part of all positive drops that lies in a region, 0 to 1."""
        speaks_for = np.maximum(self.drops, 0)
        total = float(speaks_for.sum())
        return float(speaks_for[regions()[region]].sum()) / total if total else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return its JSON form."""
        where = self.where
        return {
            "drops": np.round(self.drops, 4).tolist(),
            "where": where,
            "share": None if where is None else round(self.share(where), 4),
        }


def regions() -> dict[str, Bools]:
    """Return names and cells (GRID, GRID): five quarters, then four halves."""
    low, high = np.arange(GRID) < GRID // 2, np.arange(GRID) >= GRID // 2
    middle = np.abs(np.arange(GRID) - (GRID - 1) / 2) < GRID / 4
    every = np.ones(GRID, np.bool_)
    sides = {
        "upper left": (low, low),
        "upper right": (low, high),
        "lower left": (high, low),
        "lower right": (high, high),
        "centre": (middle, middle),
        "left half": (every, low),
        "right half": (every, high),
        "upper half": (low, every),
        "lower half": (high, every),
    }
    return {name: np.outer(rows, columns) for name, (rows, columns) in sides.items()}


def covered(image: Pixels, color: tuple[int, int, int]) -> Iterator[Pixels]:
    """Yield copies of an image (S, S, 3), a patch of `color` on each, row by row."""
    edges = np.linspace(0, len(image), 2 * GRID + 1).round().astype(int)
    # In half cells: cell i reaches from 2 i to 2 i + 2, its patch half a cell further.
    first = edges[np.maximum(2 * np.arange(GRID) - 1, 0)]
    last = edges[np.minimum(2 * np.arange(GRID) + 3, 2 * GRID)]
    for top, bottom in zip(first, last, strict=True):
        for left, right in zip(first, last, strict=True):
            copy = image.copy()
            copy[top:bottom, left:right] = color
            yield copy


def painted(photo: Pixels, drops: Floats) -> Pixels:
    """Paint a photo (H, W, 3) with its drops (GRID, GRID), as the page does.

    Orange speaks for the tag and blue against it, the more the stronger. The photo is
    made grey: on an orange flower nobody would see the orange.
    """
    height, width = photo.shape[:2]
    seen = (min(height, 2 * width), min(width, 2 * height))
    top, left = (height - seen[0]) // 2, (width - seen[1]) // 2
    part = (slice(top, top + seen[0]), slice(left, left + seen[1]))
    strength = _stretched(drops, *seen)[..., np.newaxis]
    strength = strength / max(float(np.abs(drops).max()), 1e-12)
    color = np.where(strength > 0, SPEAKS_FOR, SPEAKS_AGAINST)
    opacity = MAX_OPACITY * np.abs(strength)
    grey = np.repeat(photo @ LUMINANCE[:, np.newaxis], 3, axis=2)
    grey[part] = (1 - opacity) * grey[part] + opacity * color
    painted_photo: Pixels = grey.round().astype(np.uint8)
    return painted_photo


def _stretched(drops: Floats, height: int, width: int) -> Floats:
    """Stretch the drops to (height, width) pixels, linear between cells' middles."""
    rows, columns = (
        np.clip((np.arange(n) + 0.5) / n * GRID - 0.5, 0, GRID - 1)
        for n in (height, width)
    )
    cells = np.arange(GRID)
    across = np.array([np.interp(columns, cells, row) for row in drops])
    lower = np.minimum(rows.astype(int), GRID - 2)
    weight = (rows - lower)[:, np.newaxis]
    return np.asarray((1 - weight) * across[lower] + weight * across[lower + 1])
