"""A corpus made ready for training: decoded once, kept on disk, read in batches.

Decoding a JPEG costs as much as a training step of a small net, so every photo
goes through the door once and its square image is kept in one memory-mapped
array. When the whole backbone is frozen its features are kept the same way
(of the photo and of its mirror image), and an epoch takes seconds.

The names of the kept files hold what they were made from: the corpus, the size
and time of every photo's file, the weights of the backbone. What has changed is
made anew, and so is a file that is damaged.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

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
from lablr.run_folder import locked, write_whole
from lablr.torchvision_import import import_torchvision
from lablr.vae import VAE, Posterior

__all__ = ["Batch", "FeatureBatches", "ImageBatches", "TrainingSet"]

log = logging.getLogger("lablr")

# Photos decoded before the ones in front are written: bounds the memory.
DECODE_AHEAD = 64


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
        `TrainingError` when no training or no validation photo is left, or the
        cache cannot be written.
        """
        photos = list(corpus.photos())
        digest = f"{_fingerprint(corpus, photos)}-{size}"
        images, readable = _decoded(photos, size, digest, cache, progress)
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


def _fingerprint(corpus: Corpus, photos: list[Photo]) -> str:
    """Names the records of a corpus and the files they lead to, without reading them.

    The corpus digest does not change when a photo is replaced by another of the
    same name; the size and the time of its file do.
    """
    sha256 = hashlib.sha256(corpus.digest.encode())
    for photo in photos:
        try:
            status = photo.path.stat()
            sha256.update(f"{status.st_size} {status.st_mtime_ns}\n".encode())
        except OSError:
            sha256.update(b"missing\n")
    return sha256.hexdigest()[:16]


def _decoded(
    photos: list[Photo], size: int, digest: str, cache: Path, progress: Progress
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Images (N, size, size, 3) from the cache, and (N,) which of them are readable."""
    images_path = cache / f"images-{digest}.npy"
    readable_path = cache / f"readable-{digest}.npy"
    shape = (len(photos), size, size, 3)
    cache.mkdir(parents=True, exist_ok=True)
    with _filling(cache):
        images = _find_array(images_path, shape, np.uint8)
        readable = _find_array(readable_path, shape[:1], np.bool_)
        if images is not None and readable is not None:
            for row in np.flatnonzero(~readable):
                log.warning("left out %s, which could not be read", photos[row].file)
            return images, readable
        found = np.ones(len(photos), bool)
        rows = _decode(photos, size, found, progress)
        _write_array(images_path, shape, np.uint8, rows)
        _write_array(readable_path, shape[:1], np.bool_, [found])
    return np.load(images_path, mmap_mode="r"), found


def _decode(
    photos: list[Photo], size: int, readable: npt.NDArray[np.bool_], progress: Progress
) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield the image of every photo; zeros, and not `readable`, where it has none."""

    def decode(photo: Photo) -> npt.NDArray[np.uint8] | None:
        try:
            return read_image(photo.path, size, FOLDER_LIMITS)
        except PhotoError as error:
            log.warning("left out %s: %s", photo.file, error)
            return None

    with ThreadPoolExecutor(available_threads()) as pool:
        parts = range(0, len(photos), DECODE_AHEAD)
        decoded = (
            image
            for start in parts
            for image in pool.map(decode, photos[start : start + DECODE_AHEAD])
        )
        bar = progress(decoded, len(photos), "reading photos")
        for row, image in enumerate(bar):
            readable[row] = image is not None
            yield np.zeros((size, size, 3), np.uint8) if image is None else image


def _filling(cache: Path) -> AbstractContextManager[None]:
    """Let one run at a time write to a cache that several share."""
    busy = f"another run is filling {cache}"
    return locked(cache / ".filling", busy, wait=True)


def _find_array(
    path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike
) -> npt.NDArray[Any] | None:
    """The array of a cache file, or None when it is missing or damaged."""
    try:
        array = np.lib.format.open_memmap(path, mode="r")
        if array.shape == shape and array.dtype == dtype:
            return array
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError):
        pass  # as good as of another shape
    log.warning("%s is damaged and made anew", path)
    return None


def _write_array(
    path: Path,
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    parts: Iterable[npt.NDArray[Any]],
) -> None:
    """Write the parts of an array one after the other, whole or not at all.

    Plain writing, because a full disk is an error there; written through a memory
    map it is a signal that ends the process.
    """
    header = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)),
        "fortran_order": False,
        "shape": shape,
    }

    def write(file: BinaryIO) -> None:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(part, dtype).data)

    write_whole(path, write)


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
        path = cache / f"features-{photos.digest}-{_weights_digest(model)}.npy"
        shape = (len(photos.images), 2, model.encoder.n_features)
        with _filling(cache):
            features = _find_array(path, shape, np.float16)
            if features is None:
                _write_array(path, shape, np.float16, self._compute(model, progress))
                features = np.load(path, mmap_mode="r")
        self.features: npt.NDArray[np.float16] = features

    @torch.no_grad()
    def _compute(self, model: VAE, progress: Progress) -> Iterator[npt.NDArray[Any]]:
        """Yield features (n, 2, F) of some photos and their mirror images at a time."""
        n_photos = len(self.photos.images)
        chunks = np.array_split(np.arange(n_photos), -(-n_photos // 16))
        model.eval()
        for rows in progress(chunks, len(chunks), "computing features"):
            images = model.normalize(self._images(rows))
            views = [model.encoder(images), model.encoder(images.flip(3))]
            yield torch.stack(views, dim=1).numpy()

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


def _weights_digest(model: VAE) -> str:
    """Names the backbone by its weights, which another run may have changed."""
    sha256 = hashlib.sha256(model.config.backbone.encode())
    for tensor in model.encoder.state_dict().values():
        sha256.update(tensor.contiguous().numpy().tobytes())
    return sha256.hexdigest()[:8]
