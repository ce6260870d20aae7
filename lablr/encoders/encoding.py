"""Photos through the encoder: one pass, from files on disk to latents.

Reading and encoding happen together, block by block; the latents come back in the
order of the photos. A photo that cannot be read is left out and named.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from lablr.corpus import Corpus, Photo, membership
from lablr.corpus.images import Image, count_left_out, name_left_out, read_images
from lablr.encoders.encoder import Encoder
from lablr.encoders.engines import in_threads
from lablr.system.arrays import Bools, Float32s, Ints, Names, Pixels
from lablr.system.progress import Progress, silent

BATCH_SIZE = 16
LABEL = "encoding photos"
# What `EncodedPhotos` always holds of each photo.
ROWS = ("latents", "membership", "files", "sources", "is_validation")

See = Callable[[Pixels], npt.NDArray[Any]]


@dataclass(frozen=True)
class EncodedPhotos:
    """Tagged photos in the latent space.

    Attributes
    ----------
    latents : (N, d) posterior means, or what was seen instead of them.
    mirrored : the same of the mirror images, or None.
    membership : (N, T), True where a photo has a tag.
    files, sources : (N,), is_validation : (N,) bool.
    tags : T names, sorted.
    left_out : file and reason of each photo that cannot be read.
    """

    latents: Float32s
    mirrored: Float32s | None
    membership: Bools
    files: Names
    sources: Names
    is_validation: Bools
    tags: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def rows(self, chosen: Bools | Ints) -> EncodedPhotos:
        """Return the `chosen` photos: a mask (N,), or their numbers."""
        mirrored = None if self.mirrored is None else self.mirrored[chosen]
        rows: dict[str, Any] = {name: getattr(self, name)[chosen] for name in ROWS}
        return replace(self, mirrored=mirrored, **rows)

    def with_tags(self, tags: Sequence[str]) -> EncodedPhotos:
        """Return the same photos with these `tags` as columns, used or not."""
        place = {tag: column for column, tag in enumerate(tags)}
        carries = np.zeros((len(self.latents), len(tags)), dtype=np.bool_)
        for tag, members in zip(self.tags, self.membership.T, strict=True):
            if tag in place:
                carries[:, place[tag]] = members
        return replace(self, membership=carries, tags=tuple(tags))

    @classmethod
    def joined(cls, parts: Sequence[EncodedPhotos]) -> EncodedPhotos:
        """Join the photos of all parts, in order, with the tags of all."""
        tags = sorted({tag for part in parts for tag in part.tags})
        alike = [part.with_tags(tags) for part in parts]
        mirrored = [part.mirrored for part in parts if part.mirrored is not None]
        rows: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in alike])
            for name in ROWS
        }
        return cls(
            **rows,
            mirrored=np.concatenate(mirrored) if len(mirrored) == len(parts) else None,
            tags=tuple(tags),
            left_out=tuple(name for part in parts for name in part.left_out),
        )


def encode_corpus(
    corpus: Corpus,
    encoder: Encoder,
    *,
    splits: Collection[str] = (),
    tags: Sequence[str] | None = None,
    mirror: bool = False,
    see: See | None = None,
    progress: Progress = silent,
) -> EncodedPhotos:
    """Encode the photos of `corpus`, of some `splits` or (none named) of all.

    `see` is as in `encode_photos`; `tags` (default: all that occur) are the columns of
    the membership. Photos that cannot be read are left out and named in the log.
    Raises `FitError` when none is left.
    """
    do = partial(encode_photos, encoder=encoder, splits=splits, mirror=mirror, see=see)
    n_records = corpus.read().count_records()
    parts = list(in_threads(do, corpus.photos(), n_records, progress, LABEL))
    for photo in itertools.chain.from_iterable(part.left_out for part in parts):
        name_left_out(photo)
    n_photos = sum(len(part.latents) for part in parts)
    count_left_out(n_photos, sum(len(part.left_out) for part in parts))
    encoded = EncodedPhotos.joined(parts)
    return encoded if tags is None else encoded.with_tags(tags)


def encode_photos(
    photos: Sequence[Photo],
    encoder: Encoder,
    splits: Collection[str] = (),
    mirror: bool = False,
    see: See | None = None,
) -> EncodedPhotos:
    """Encode those of the photos that are of some `splits` (none named: of all).

    `see` gives other rows of numbers than the encoder's posterior means.
    """
    see = see or encoder.encode
    chosen = (photo for photo in photos if not splits or photo.split in splits)
    kept: list[Photo] = []
    left_out: list[str] = []
    latents = [see(np.zeros((0, encoder.size, encoder.size, 3), np.uint8))]
    mirrored = latents[:]
    # Blocks of photos are encoded in threads already.
    images = _readable(read_images(chosen, encoder.size, 1, left_out.append), kept)
    while batch := list(islice(images, BATCH_SIZE)):
        stack = np.stack(batch)
        latents.append(see(stack))
        if mirror:
            mirrored.append(see(stack[:, :, ::-1]))
    tags = tuple(sorted({tag for photo in kept for tag in photo.tags}))
    return EncodedPhotos(
        latents=np.concatenate(latents),
        mirrored=np.concatenate(mirrored) if mirror else None,
        membership=membership(kept, tags),
        files=np.array([photo.file for photo in kept], np.str_),
        sources=np.array([photo.source for photo in kept], np.str_),
        is_validation=np.array([photo.split == "val" for photo in kept], np.bool_),
        tags=tags,
        left_out=tuple(left_out),
    )


def _readable(
    found: Iterable[tuple[Photo, Image | None]], kept: list[Photo]
) -> Iterator[Image]:
    """Yield the images that there are, and keep their photos."""
    for photo, image in found:
        if image is not None:
            kept.append(photo)
            yield image
