"""The tags of the nearest training photos, weighed by how near they are.

With unit rows ``u`` of standardized latents, the k nearest of the M photos vote::

    w_i = exp((cos(u, u_i) - 1) / tau)
    P(t) = (sum w_i y_it + s pi_t) / (sum w_i e_it + s)     s = smoothing * sum w_i

``y`` is whether photo i has the tag, ``e`` how much its word counts
(`lablr.corpus.label_weights`: little where its source never uses the tag), ``pi`` the
tag's share of all. After Makadia, Pavlovic and Kumar, "A New Baseline for Image
Annotation" (ECCV 2008), with distances turned into weights.

A bundle keeps at most `MAX_PHOTOS`, those with the smallest hash of their names: as
good as a random choice, and the same whatever the order they come in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt

from lablr.corpus.records import hash64
from lablr.errors import BundleError
from lablr.latent_space.arrays import checked
from lablr.system.arrays import Arrays, Bools, Float32s, Floats, Ints, Names

# 176 numbers in half precision each: 4.2 MB.
MAX_PHOTOS = 12_000
N_VOTES = 200
TEMPERATURE = 0.05
SMOOTHING = 0.02
# Photos compared at a time: bounds the memory of a large batch.
BLOCK = 256
# What `NeighbourPhotos` holds of each photo.
ROWS = ("keys", "latents", "membership", "sources", "flickr_ids")


@dataclass(frozen=True, eq=False)
class NeighbourPhotos:
    """Training photos kept to vote, ordered by key; parts of a corpus merge.

    Attributes
    ----------
    keys : (M,) int64, the hash of each photo's name.
    latents : (M, d) float32.
    membership : (M, T) bool.
    sources : (M,) str; flickr_ids : (M,) int64, 0 where there is none.
    tags : T names.
    """

    keys: Ints
    latents: Float32s
    membership: Bools
    sources: Names
    flickr_ids: Ints
    tags: tuple[str, ...]

    @classmethod
    def of(
        cls,
        latents: Float32s,
        membership: Bools,
        files: Sequence[str],
        sources: Names,
        flickr_ids: Sequence[str | None],
        tags: tuple[str, ...],
    ) -> NeighbourPhotos:
        """Choose from N photos, one row or entry each."""
        keys = np.array([hash64(file) >> 1 for file in files], np.int64)
        ids = np.array([_number(name) for name in flickr_ids], np.int64)
        return cls(keys, latents, membership, sources, ids, tags)._smallest()

    @classmethod
    def joined(cls, parts: Sequence[NeighbourPhotos]) -> NeighbourPhotos:
        """Choose from the photos of all parts, which have the same tags."""
        every: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ROWS
        }
        return cls(**every, tags=parts[0].tags)._smallest()

    def _smallest(self) -> NeighbourPhotos:
        """Keep those with the smallest keys, in the order of their keys."""
        chosen = np.argsort(self.keys, kind="stable")[:MAX_PHOTOS]
        return replace(self, **{name: getattr(self, name)[chosen] for name in ROWS})


@dataclass(frozen=True)
class Neighbour:
    """A training photo near another one.

    Attributes
    ----------
    similarity : cosine of the standardized latents, -1 to 1.
    tags : those it has.
    flickr_id : the number of its page on Flickr, or None.
    """

    similarity: float
    tags: tuple[str, ...]
    flickr_id: str | None

    @property
    def page(self) -> str | None:
        """Return the address of its page on Flickr."""
        if self.flickr_id is None:
            return None
        return f"https://www.flickr.com/photo.gne?id={self.flickr_id}"

    def to_dict(self) -> dict[str, Any]:
        """Return its JSON form."""
        return {
            "similarity": self.similarity,
            "tags": list(self.tags),
            "page": self.page,
        }


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Photos that vote.

    Attributes
    ----------
    latents : (M, d) float16; mean, scale : (d,) float32, of all of them.
    carries : (M, ceil(T / 8)) uint8, a bit a tag; source_of : (M,) int64.
    absence : (S, T) float32, how much a missing tag says in each source.
    flickr_ids : (M,) int64.
    tags : T names.
    """

    name = "neighbours"

    latents: npt.NDArray[np.float16]
    mean: Float32s
    scale: Float32s
    carries: npt.NDArray[np.uint8]
    source_of: Ints
    absence: Float32s
    flickr_ids: Ints
    tags: tuple[str, ...]

    @classmethod
    def fit(cls, photos: NeighbourPhotos, absence: Arrays) -> Neighbours:
        """Make neighbours of kept photos; `absence` (T,) by their sources' names."""
        names, source_of = np.unique(photos.sources, return_inverse=True)
        mean = photos.latents.mean(axis=0, dtype=np.float64)
        spread = photos.latents.std(axis=0, dtype=np.float64)
        return cls(
            latents=photos.latents.astype(np.float16),
            mean=mean.astype(np.float32),
            scale=np.maximum(spread, 1e-6).astype(np.float32),
            carries=np.packbits(photos.membership, axis=1),
            source_of=source_of.astype(np.int64),
            absence=np.array([absence[str(name)] for name in names], np.float32),
            flickr_ids=photos.flickr_ids,
            tags=photos.tags,
        )

    @property
    def n_inputs(self) -> int:
        """Return d: neighbours are found by latents alone."""
        return len(self.mean)

    def logits(self, x: Float32s) -> Floats:
        """Return log-odds (N, T) of the votes for photos x (N, d)."""
        found = np.empty((len(x), len(self.tags)))
        for start in range(0, len(x), BLOCK):
            share = self._votes(x[start : start + BLOCK])
            found[start : start + BLOCK] = np.log(share) - np.log1p(-share)
        return found

    def nearest(
        self, latent: Float32s, k: int = 5, tag: str | None = None
    ) -> list[Neighbour]:
        """Find the `k` photos nearest to a latent (d,), with a tag if given."""
        unit = self._unit_rows(latent[np.newaxis])[0]
        similarity = (self._units @ unit).astype(float)
        if tag is not None:
            has_tag = self._membership[:, self.tags.index(tag)]
            similarity = np.where(has_tag, similarity, -np.inf)
        order = np.argsort(-similarity, kind="stable")[:k]
        return [
            Neighbour(
                similarity=float(similarity[row]),
                tags=tuple(compress(self.tags, self._membership[row])),
                flickr_id=str(self.flickr_ids[row]) if self.flickr_ids[row] else None,
            )
            for row in order.tolist()
            if np.isfinite(similarity[row])
        ]

    def latents_with(self, tag: str) -> Float32s:
        """Return latents (m, d) of the photos with a tag."""
        has_tag = self._membership[:, self.tags.index(tag)]
        return self.latents[has_tag].astype(np.float32)

    def _votes(self, x: Float32s) -> Floats:
        """Return P(t) (n, T) of a few photos, strictly between 0 and 1."""
        similarity = self._unit_rows(x) @ self._units.T
        k = min(N_VOTES, similarity.shape[1])
        near = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
        weight = np.exp((np.take_along_axis(similarity, near, 1) - 1) / TEMPERATURE)
        prior = SMOOTHING * weight.sum(axis=1, keepdims=True)
        has_tag = self._membership[near].astype(np.float32)
        said = np.where(has_tag > 0, 1.0, self.absence[self.source_of[near]])
        votes = np.einsum("nk,nkt->nt", weight, has_tag, dtype=np.float64)
        heard = np.einsum("nk,nkt->nt", weight, said, dtype=np.float64)
        return np.asarray((votes + prior * self._shares) / (heard + prior), np.float64)

    def _unit_rows(self, latents: npt.NDArray[Any]) -> Float32s:
        rows = (latents.astype(np.float32) - self.mean) / self.scale
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.maximum(length, 1e-12), np.float32)

    @cached_property
    def _units(self) -> Float32s:
        return self._unit_rows(self.latents)

    @cached_property
    def _membership(self) -> Bools:
        bits = np.unpackbits(self.carries, axis=1, count=len(self.tags))
        return bits.astype(np.bool_)

    @cached_property
    def _shares(self) -> Floats:
        """Return the tags' shares (T,) of the photos, none of them 0 or 1."""
        n_photos = len(self.latents)
        return np.asarray((self._membership.sum(axis=0) + 0.5) / (n_photos + 1))

    def to_arrays(self) -> Arrays:
        """Return arrays for a bundle."""
        names = (field.name for field in fields(self) if field.name != "tags")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_arrays(cls, arrays: Arrays, tags: tuple[str, ...]) -> Neighbours:
        """Read back `to_arrays`; raises `BundleError` where shapes make no sense."""
        file = "neighbours.npz"
        latents = checked(arrays, "latents", (None, None), file, np.float16)
        n_photos, n_latent = latents.shape
        n_sources = len(checked(arrays, "absence", (None, len(tags)), file, np.float32))
        shapes: dict[str, tuple[tuple[int, ...], type]] = {
            "latents": ((n_photos, n_latent), np.float16),
            "mean": ((n_latent,), np.float32),
            "scale": ((n_latent,), np.float32),
            "carries": ((n_photos, -(-len(tags) // 8)), np.uint8),
            "source_of": ((n_photos,), np.int64),
            "absence": ((n_sources, len(tags)), np.float32),
            "flickr_ids": ((n_photos,), np.int64),
        }
        given = {
            name: checked(arrays, name, shape, file, kind)
            for name, (shape, kind) in shapes.items()
        }
        sources = given["source_of"]
        if sources.min() < 0 or sources.max() >= n_sources:
            raise BundleError("neighbours.npz: a photo is of no source")
        if (given["scale"] <= 0).any():
            raise BundleError("neighbours.npz: a scale is not above 0")
        return cls(**given, tags=tags)


def _number(flickr_id: str | None) -> int:
    """Return Flickr's number of a photo; 0 where there is none that is a number."""
    if flickr_id is None or not flickr_id.isascii() or not flickr_id.isdigit():
        return 0
    return int(flickr_id) if len(flickr_id) <= 18 else 0
