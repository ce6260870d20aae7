"""A corpus through the encoder: one pass, from photos on disk to latents.

Reading and encoding happen together in as many threads as there are cores; the
latents come back in the order of the photos.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from lablr.corpus import Corpus, Photo, membership
from lablr.encoder import Encoder
from lablr.errors import FitError, PhotoError
from lablr.machine import available_threads
from lablr.photos import FOLDER_LIMITS, read_image
from lablr.progress import Progress, silent

__all__ = ["EncodedPhotos", "encode_corpus"]

log = logging.getLogger("lablr")

BATCH_SIZE = 16


@dataclass(frozen=True)
class EncodedPhotos:
    """Tagged photos in the latent space.

    Attributes
    ----------
    latents : (N, d) posterior means.
    mirrored : (N, d) posterior means of the mirror images, or None.
    membership : (N, T), True where a photo has a tag.
    sources : (N,), is_validation : (N,) bool.
    tags : T names, sorted.
    """

    latents: npt.NDArray[np.float32]
    mirrored: npt.NDArray[np.float32] | None
    membership: npt.NDArray[np.bool_]
    sources: npt.NDArray[np.str_]
    is_validation: npt.NDArray[np.bool_]
    tags: tuple[str, ...]


def encode_corpus(
    corpus: Corpus,
    encoder: Encoder,
    *,
    splits: Collection[str] = (),
    tags: Sequence[str] | None = None,
    mirror: bool = False,
    progress: Progress = silent,
) -> EncodedPhotos:
    """Encode the photos of `corpus`, of some `splits` or (none named) of all.

    `tags` (default: all that occur) are the columns of the membership. Photos that
    cannot be read are left out and named in the log. Raises `FitError` when none
    is left.
    """
    photos = [photo for photo in corpus.photos() if not splits or photo.split in splits]
    batches = [photos[i : i + BATCH_SIZE] for i in range(0, len(photos), BATCH_SIZE)]

    kept: list[Photo] = []
    views: list[list[npt.NDArray[np.float32]]] = []
    with ThreadPoolExecutor(available_threads()) as pool:
        encoded = pool.map(partial(_encode, encoder=encoder, mirror=mirror), batches)
        for done, latents in progress(encoded, len(batches), "encoding photos"):
            kept += done
            if done:
                views.append(latents)
    if not kept:
        raise FitError(f"none of the {len(photos)} photos can be read")
    if len(kept) < len(photos):
        log.warning("%d of %d photos left out", len(photos) - len(kept), len(photos))
    columns = tuple(tags or sorted({tag for photo in kept for tag in photo.tags}))
    stacked = [np.concatenate(view) for view in zip(*views, strict=True)]
    return EncodedPhotos(
        latents=stacked[0],
        mirrored=stacked[1] if mirror else None,
        membership=membership(kept, columns),
        sources=np.array([photo.source for photo in kept]),
        is_validation=np.array([photo.split == "val" for photo in kept], bool),
        tags=columns,
    )


def _encode(
    batch: Iterable[Photo], encoder: Encoder, mirror: bool
) -> tuple[list[Photo], list[npt.NDArray[np.float32]]]:
    """The readable photos of a batch, and the latents (n, d) of each view of them."""
    kept, images = _read(batch, encoder.size)
    if not kept:
        return kept, []
    stack = np.stack(images)
    views = [stack, stack[:, :, ::-1]] if mirror else [stack]
    return kept, [encoder.encode(view) for view in views]


def _read(
    photos: Iterable[Photo], size: int
) -> tuple[list[Photo], list[npt.NDArray[np.uint8]]]:
    """The readable ones of `photos`, and their images."""
    kept, images = [], []
    for photo in photos:
        try:
            images.append(read_image(photo.path, size, FOLDER_LIMITS))
        except PhotoError as error:
            log.warning("left out %s: %s", photo.file, error)
        else:
            kept.append(photo)
    return kept, images
