"""Photos on their way into training: batches of images, or of kept features.

A batch is drawn by every process of a run alike, and each makes its own part of it.
When the whole backbone is frozen its features are kept on disk as the images are (of
the photo and of its mirror image), and an epoch takes seconds.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from lablr.system.arrays import Ints
from lablr.system.progress import Progress
from lablr.training.array_cache import ArrayCache, Rows, find_rows, write_rows
from lablr.training.dataset import TrainingSet
from lablr.training.distributed import Processes
from lablr.training.torchvision_import import import_torchvision
from lablr.training.vae import VAE, Posterior


class Batch(NamedTuple):
    """n photos on their way through the VAE, this process's of the N of a batch.

    ``posterior(model)`` encodes them; ``pixels`` (n, 3, R, R) in 0..1 is what the
    decoder should draw; ``tags`` and ``tag_weights`` are (n, T). ``n_photos`` is N,
    and ``seed`` that of whatever is random on their way.
    """

    posterior: Callable[[VAE], Posterior]
    pixels: Tensor
    tags: Tensor
    tag_weights: Tensor
    n_photos: int
    seed: int

    @property
    def share(self) -> float:
        """Return n / N."""
        return len(self.tags) / self.n_photos


class Batches(ABC):
    """Random training batches and ordered validation batches of a training set.

    Parameters
    ----------
    photos : the training set.
    batch_size : photos a batch, of all processes together.
    pixel_size : side of what the decoder should draw.
    run : the processes of the run, of which this is one.
    """

    def __init__(
        self, photos: TrainingSet, batch_size: int, pixel_size: int, run: Processes
    ) -> None:
        self.photos = photos
        self.batch_size = batch_size
        self.pixel_size = pixel_size
        self.run = run

    def rows(self, train: bool, generator: np.random.Generator) -> list[Any]:
        """Return row numbers of each batch; training drops the last, smaller one."""
        if not train:
            rows = self.photos.validation_rows
            return np.array_split(rows, -(-len(rows) // self.batch_size))
        rows = generator.permutation(self.photos.train_rows)
        n_batches = max(len(rows) // self.batch_size, 1)
        return np.array_split(rows[: n_batches * self.batch_size], n_batches)

    def epoch(self, train: bool, generator: np.random.Generator) -> Iterator[Batch]:
        """Pass once over the training or the validation photos; no batch is empty."""
        for rows in self.rows(train, generator):
            seeds = generator.integers(0, 2**63, 1 + len(rows))
            part = self.run.part(len(rows))
            if len(rows[part]):
                yield self._batch(rows, part, seeds if train else None, int(seeds[0]))

    def validation_batch(self) -> Batch:
        """Return the first photos for validation, all of them in this process."""
        rows = self.photos.validation_rows[: self.batch_size]
        return self._batch(rows, slice(None), None, 0)

    def _batch(self, rows: Ints, part: slice, seeds: Ints | None, seed: int) -> Batch:
        """Make the `part` of a batch, changed at random by its `seeds`, if any."""
        own = rows[part]
        posterior, pixels = self._way(own, None if seeds is None else seeds[1:][part])
        return Batch(
            posterior,
            pixels,
            torch.from_numpy(self.photos.membership(own)).to(self.run.device),
            torch.from_numpy(self.photos.evidence(own)).to(self.run.device),
            len(rows),
            seed,
        )

    @abstractmethod
    def _way(
        self, rows: Ints, seeds: Ints | None
    ) -> tuple[Callable[[VAE], Posterior], Tensor]:
        """Return how these photos are encoded, and their pixels."""

    def _images(self, rows: Ints) -> Tensor:
        """Return uint8 images (n, 3, S, S), channels last in memory."""
        return torch.from_numpy(self.photos.images[rows]).permute(0, 3, 1, 2)

    def _pixels(self, images: Tensor) -> Tensor:
        size = (self.pixel_size, self.pixel_size)
        if images.shape[-2:] == size:
            return images.float() / 255
        return F.interpolate(images.float(), size=size, mode="area") / 255


class ImageBatches(Batches):
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
        run: Processes,
        train_size: int,
        min_crop: float,
    ) -> None:
        super().__init__(photos, batch_size, pixel_size, run)
        import_torchvision()
        from torchvision.transforms import v2

        self.augment = v2.Compose(
            [
                v2.RandomResizedCrop(train_size, scale=(min_crop, 1.0), antialias=True),
                v2.RandomHorizontalFlip(),
            ]
        )

    def _way(
        self, rows: Ints, seeds: Ints | None
    ) -> tuple[Callable[[VAE], Posterior], Tensor]:
        images = self._images(rows)
        if seeds is not None:
            changed = zip(images, seeds.tolist(), strict=True)
            images = torch.stack([self._augmented(*photo) for photo in changed])
        images = images.to(self.run.device)
        pixels = self._pixels(images)
        return lambda model: model.encode(model.normalize(images)), pixels

    def _augmented(self, image: Tensor, seed: int) -> Tensor:
        """Crop at random: which crop, the photo's own seed says."""
        # As torch.manual_seed, which also seeds every other device, and takes longer.
        torch.default_generator.manual_seed(seed)
        crop: Tensor = self.augment(image)
        return crop


class FeatureBatches(Batches):
    """Batches of a frozen backbone's features, computed once and kept on disk.

    A photo has two views, as it is and mirrored; training picks one at random.
    """

    def __init__(
        self,
        photos: TrainingSet,
        batch_size: int,
        pixel_size: int,
        run: Processes,
        model: VAE,
        store: ArrayCache,
    ) -> None:
        super().__init__(photos, batch_size, pixel_size, run)
        path = store.folder / f"features-{photos.digest}-{_weights_digest(model)}.npy"
        shape = (len(photos.images), 2, model.encoder.n_features)
        with store.filling():
            features = find_rows(path, shape, np.float16)
            if features is None:
                computed = self._compute(model, store.progress)
                features = write_rows(path, shape, np.float16, computed)
        self.features: Rows = store.opened(features)

    @torch.no_grad()
    def _compute(self, model: VAE, progress: Progress) -> Iterator[npt.NDArray[Any]]:
        """Yield features (n, 2, F) of some photos and their mirror images at a time."""
        n_photos = len(self.photos.images)
        chunks = np.array_split(np.arange(n_photos), -(-n_photos // 16))
        model.eval()
        for rows in progress(chunks, len(chunks), "computing features"):
            images = model.normalize(self._images(rows).to(self.run.device))
            views = [model.encoder(images), model.encoder(images.flip(3))]
            yield torch.stack(views, dim=1).cpu().numpy()

    def _way(
        self, rows: Ints, seeds: Ints | None
    ) -> tuple[Callable[[VAE], Posterior], Tensor]:
        view = np.zeros(len(rows), np.int64) if seeds is None else seeds % 2
        kept = self.features[rows][np.arange(len(rows)), view].astype(np.float32)
        features = torch.from_numpy(kept).to(self.run.device)
        pixels = self._pixels(self._images(rows).to(self.run.device))
        mirrored = torch.from_numpy(view == 1).view(-1, 1, 1, 1).to(self.run.device)
        return (
            partial(VAE.posterior, features=features),
            torch.where(mirrored, pixels.flip(3), pixels),
        )


def _weights_digest(model: VAE) -> str:
    """Name the backbone by its weights, which another run may have changed."""
    sha256 = hashlib.sha256(model.config.backbone.encode())
    for tensor in model.encoder.state_dict().values():
        sha256.update(tensor.cpu().contiguous().numpy().tobytes())
    return sha256.hexdigest()[:8]
