"""The training photos that are dots of the map: up to 200 of each tag.

A photo is chosen by a hash of its file name and a seed: the 200 smallest of a tag.
So the choice is as good as random and depends neither on the order of the photos nor
on who met them, and two halves of a corpus merge by keeping the smallest of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lablr.corpus.records import hash64
from lablr.system.arrays import Bools, Float32s, Ints, Names

MAX_PHOTOS_PER_TAG = 200


@dataclass(frozen=True, eq=False)
class MapDots:
    """The chosen photos, by tag and then by hash; M dots, T tags.

    Attributes
    ----------
    tags : T names, sorted.
    tag_of : (M,) int64, the number of each dot's tag.
    keys : (M,) int64, the hash of each dot's photo, never negative.
    latents : (M, d) float32.
    """

    tags: tuple[str, ...]
    tag_of: Ints
    keys: Ints
    latents: Float32s

    @classmethod
    def of(
        cls,
        latents: Float32s,
        membership: Bools,
        files: Names,
        tags: tuple[str, ...],
        seed: int = 0,
    ) -> MapDots:
        """Choose from photos with latents (N, d), membership (N, T), files (N,)."""
        # 63 bits, which the seed changes altogether.
        keys = [hash64(f"{seed}\0{file}") >> 1 for file in files]
        photo_keys = np.array(keys, np.int64)
        photos, tag_of = np.nonzero(membership)
        chosen = _smallest(tag_of, photo_keys[photos])
        photos = photos[chosen]
        return cls(tags, tag_of[chosen], photo_keys[photos], latents[photos])

    @classmethod
    def joined(cls, parts: Sequence[MapDots]) -> MapDots:
        """Choose from the dots of all parts; their tags are united."""
        tags = tuple(sorted({tag for part in parts for tag in part.tags}))
        number = {tag: place for place, tag in enumerate(tags)}
        places = [np.array([number[tag] for tag in p.tags], np.int64) for p in parts]
        tag_of = np.concatenate(
            [place[part.tag_of] for place, part in zip(places, parts, strict=True)]
        )
        keys = np.concatenate([part.keys for part in parts])
        latents = np.concatenate([part.latents for part in parts])
        chosen = _smallest(tag_of, keys)
        return cls(tags, tag_of[chosen], keys[chosen], latents[chosen])

    @property
    def starts(self) -> Ints:
        """Return where each tag's dots begin and, last, where they end: (T + 1,)."""
        return np.searchsorted(self.tag_of, np.arange(len(self.tags) + 1))


def _smallest(tag_of: Ints, keys: Ints) -> Ints:
    """Return the places of each tag's smallest keys, by tag and then by key."""
    order = np.lexsort((keys, tag_of))
    ordered = tag_of[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    return order[rank < MAX_PHOTOS_PER_TAG]
