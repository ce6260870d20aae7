"""A corpus made ready for training: decoded once, kept on disk, read in batches.

Decoding a JPEG costs as much as a training step of a small net, so every photo
goes through the door once and its square image is kept in one memory-mapped
array. When the whole backbone is frozen its features are kept the same way
(of the photo and of its mirror image), and an epoch takes seconds.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from lablr.corpus import Corpus, Photo, membership
from lablr.errors import PhotoError, TrainingError
from lablr.evidence import evidence
from lablr.machine import available_threads
from lablr.photos import FOLDER_LIMITS, read_image
from lablr.progress import Progress, silent
from lablr.torchvision_import import import_torchvision
from lablr.vae import VAE, Posterior

__all__ = ["Batch", "FeatureBatches", "ImageBatches", "TrainingSet"]

log = logging.getLogger("lablr")


@dataclass(frozen=True)
class TrainingSet:
    """The tagged photos of a corpus as arrays.

    Attributes
    ----------
    images : (N, S, S, 3) uint8, memory-mapped; zeros where a photo is unreadable.
    tags : the T tags, sorted.
    membership : (N, T) float32, 1 where a photo has a tag.
    evidence : (N, T) float32, how much each tag or its absence says.
    train_rows, validation_rows : row numbers of the readable photos of each split.
    digest : names the corpus and the size of the images.
    """

    images: npt.NDArray[np.uint8]
    tags: tuple[str, ...]
    membership: npt.NDArray[np.float32]
    evidence: npt.NDArray[np.float32]
    train_rows: npt.NDArray[np.int64]
    validation_rows: npt.NDArray[np.int64]
    digest: str

    @classmethod
    def prepare(
        cls,
        corpus: Corpus,
        size: int,
        unknown: float,
        cache: Path,
        progress: Progress = silent,
    ) -> TrainingSet:
        """Decode the photos of `corpus` into `cache`, or find them there.

        Photos that cannot be read are left out and named in the log. Raises
        `TrainingError` when no training or no validation photo is left.
        """
        photos = list(corpus.photos())
        digest = f"{corpus.digest[:16]}-{size}"
        path = cache / f"images-{digest}.npy"
        if not path.exists():
            _write_images(photos, size, path, progress)
        images = np.load(path, mmap_mode="r")
        readable = np.load(_readable_path(path))
        tags = tuple(sorted({tag for photo in photos for tag in photo.tags}))
        has_tag = membership(photos, tags)
        sources = np.array([photo.source for photo in photos])
        is_validation = np.array([photo.split == "val" for photo in photos], bool)
        train_rows = np.flatnonzero(readable & ~is_validation)
        validation_rows = np.flatnonzero(readable & is_validation)
        if not len(train_rows) or not len(validation_rows):
            raise TrainingError(
                f"{len(train_rows)} readable training photos and "
                f"{len(validation_rows)} for validation: a run needs both"
            )
        return cls(
            images=images,
            tags=tags,
            membership=has_tag.astype(np.float32),
            evidence=evidence(has_tag, sources, unknown),
            train_rows=train_rows,
            validation_rows=validation_rows,
            digest=digest,
        )


def _readable_path(images_path: Path) -> Path:
    return images_path.with_name(images_path.name.replace("images", "readable"))


def _write_images(
    photos: list[Photo], size: int, path: Path, progress: Progress
) -> None:
    """Decode `photos` to `path` (N, size, size, 3), whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".partial")
    shape = (len(photos), size, size, 3)
    images = np.lib.format.open_memmap(unfinished, "w+", dtype=np.uint8, shape=shape)
    readable = np.ones(len(photos), bool)

    def decode(photo: Photo) -> npt.NDArray[np.uint8] | None:
        try:
            return read_image(photo.path, size, FOLDER_LIMITS)
        except PhotoError as error:
            log.warning("left out %s: %s", photo.file, error)
            return None

    with ThreadPoolExecutor(available_threads()) as pool:
        decoded = progress(pool.map(decode, photos), len(photos), "reading photos")
        for i, image in enumerate(decoded):
            readable[i] = image is not None
            if image is not None:
                images[i] = image
    images.flush()
    np.save(_readable_path(path), readable)
    unfinished.replace(path)


class Batch(NamedTuple):
    """N photos on their way through the VAE.

    ``posterior(model)`` encodes them; ``pixels`` (N, 3, R, R) in 0..1 is what the
    decoder should draw; ``tags`` and ``tag_weights`` are (N, T).
    """

    posterior: Callable[[VAE], Posterior]
    pixels: Tensor
    tags: Tensor
    tag_weights: Tensor


class _Batches:
    """Random training batches and ordered validation batches of a training set."""

    def __init__(self, photos: TrainingSet, batch_size: int, pixel_size: int) -> None:
        self.photos = photos
        self.batch_size = batch_size
        self.pixel_size = pixel_size
        self.tags = torch.from_numpy(photos.membership)
        self.tag_weights = torch.from_numpy(photos.evidence)

    def rows(self, train: bool, generator: np.random.Generator) -> list[Any]:
        """Row numbers of each batch; training drops the last, smaller one."""
        if not train:
            rows = self.photos.validation_rows
            return np.array_split(rows, -(-len(rows) // self.batch_size))
        rows = generator.permutation(self.photos.train_rows)
        n_batches = max(len(rows) // self.batch_size, 1)
        return np.array_split(rows[: n_batches * self.batch_size], n_batches)

    def _images(self, rows: npt.NDArray[np.int64]) -> Tensor:
        """uint8 images (N, 3, S, S), channels last in memory."""
        return torch.from_numpy(self.photos.images[rows]).permute(0, 3, 1, 2)

    def _pixels(self, images: Tensor) -> Tensor:
        size = (self.pixel_size, self.pixel_size)
        if images.shape[-2:] == size:
            return images.float() / 255
        return F.interpolate(images.float(), size=size, mode="area") / 255


def _encode_images(model: VAE, images: Tensor) -> Posterior:
    return model.encode(model.normalize(images))


class ImageBatches(_Batches):
    """Batches of images, cropped and mirrored at random for training.

    Parameters
    ----------
    train_size : side of a training crop, in pixels.
    min_crop : smallest share of a photo's area that a crop keeps.
    """

    def __init__(
        self,
        photos: TrainingSet,
        batch_size: int,
        pixel_size: int,
        train_size: int,
        min_crop: float,
    ) -> None:
        super().__init__(photos, batch_size, pixel_size)
        import_torchvision()
        from torchvision.transforms import v2

        self.augment = v2.Compose(
            [
                v2.RandomResizedCrop(train_size, scale=(min_crop, 1.0), antialias=True),
                v2.RandomHorizontalFlip(),
            ]
        )

    def epoch(self, train: bool, generator: np.random.Generator) -> Iterator[Batch]:
        """One pass over the training or the validation photos."""
        for rows in self.rows(train, generator):
            images = self._images(rows)
            if train:
                images = torch.stack([self.augment(image) for image in images])
            yield Batch(
                partial(_encode_images, images=images),
                self._pixels(images),
                self.tags[rows],
                self.tag_weights[rows],
            )


class FeatureBatches(_Batches):
    """Batches of a frozen backbone's features, computed once and kept on disk.

    A photo has two views, as it is and mirrored; training picks one at random.
    """

    def __init__(
        self,
        photos: TrainingSet,
        batch_size: int,
        pixel_size: int,
        model: VAE,
        cache: Path,
        progress: Progress = silent,
    ) -> None:
        super().__init__(photos, batch_size, pixel_size)
        weights = hashlib.sha256(json.dumps(model.config.backbone).encode())
        name = f"features-{photos.digest}-{weights.hexdigest()[:8]}.npy"
        path = cache / name
        if not path.exists():
            self._write_features(model, path, progress)
        self.features = np.load(path, mmap_mode="r")

    def _write_features(self, model: VAE, path: Path, progress: Progress) -> None:
        """Features (N, 2, F) float16 of every photo and its mirror image."""
        n_photos = len(self.photos.images)
        shape = (n_photos, 2, model.encoder.n_features)
        unfinished = path.with_suffix(".partial")
        features = np.lib.format.open_memmap(unfinished, "w+", np.float16, shape)
        chunks = np.array_split(np.arange(n_photos), -(-n_photos // 16))
        model.eval()
        with torch.no_grad():
            for rows in progress(chunks, len(chunks), "computing features"):
                images = model.normalize(self._images(rows))
                features[rows, 0] = model.encoder(images).numpy()
                features[rows, 1] = model.encoder(images.flip(3)).numpy()
        features.flush()
        unfinished.replace(path)

    def epoch(self, train: bool, generator: np.random.Generator) -> Iterator[Batch]:
        """One pass over the training or the validation photos."""
        for rows in self.rows(train, generator):
            view = generator.integers(0, 2, len(rows)) if train else np.zeros(1, int)
            features = torch.from_numpy(self.features[rows, view].astype(np.float32))
            images = self._images(rows)
            mirrored = torch.from_numpy(view == 1).view(-1, 1, 1, 1)
            pixels = self._pixels(images)
            yield Batch(
                partial(VAE.posterior, features=features),
                torch.where(mirrored, pixels.flip(3), pixels),
                self.tags[rows],
                self.tag_weights[rows],
            )
