"""The inputs of heads: descriptions of a corpus's photos, several views of each.

A photo is decoded once and encoded once for each view: as it is, mirrored, and as many
random ones as are wanted. All of it is kept in the cache, so that another head over
the same encoder starts at once.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from lablr.corpus import Corpus
from lablr.encoders.encoder import Encoder, Preprocessing
from lablr.encoders.features import with_features
from lablr.system.arrays import Bools, Float32s, Ints, Names, Pixels
from lablr.system.cpu import available_threads
from lablr.system.threads import map_in_order
from lablr.training.array_cache import ArrayCache, RowFile, find_rows, write_rows
from lablr.training.dataset import TrainingSet
from lablr.training.heads.settings import HeadConfig
from lablr.training.torchvision_import import import_torchvision

# Photos that a thread encodes before the next in line is asked.
CHUNK = 16

# A random view shows at least this share of the photo, turned by at most so many
# degrees, its brightness, contrast and saturation changed by at most this share.
MIN_CROP, DEGREES, COLOUR = 0.4, 15, 0.3

# PyTorch has one generator for all threads: views are drawn one at a time.
_DRAWING = threading.Lock()


@dataclass(frozen=True)
class HeadPhotos:
    """N photos with T tags as a head sees them.

    Attributes
    ----------
    views : (N, V, p) float32; the first view is the photo as it is.
    membership : (N, T), True where a photo has a tag.
    evidence : (N, T) float32, how much each tag of a photo, or its absence, says.
    sources : (N,) names.
    train_rows, validation_rows : row numbers of the photos of each split.
    tags : T names.
    """

    views: Float32s
    membership: Bools
    evidence: Float32s
    sources: Names
    train_rows: Ints
    validation_rows: Ints
    tags: tuple[str, ...]

    @property
    def n_inputs(self) -> int:
        """Return p."""
        return int(self.views.shape[2])

    def of(self, rows: Ints) -> Float32s:
        """Return what the encoder says of these photos as they are: (n, p)."""
        found: Float32s = self.views[rows, 0]
        return found

    def moments(self) -> tuple[Float32s, Float32s]:
        """Return mean and deviation (p,) of the training photos as they are."""
        x = self.of(self.train_rows)
        mean = x.mean(axis=0, dtype=np.float64)
        scale = x.std(axis=0, dtype=np.float64)
        # What never varies is left alone.
        scale[scale < 1e-9 * (1 + abs(mean))] = 1
        return mean.astype(np.float32), scale.astype(np.float32)

    def without_tags(self, columns: Ints) -> HeadPhotos:
        """Return the same photos, of which nobody ever knew these tags."""
        kept = np.setdiff1d(np.arange(len(self.tags)), columns)
        return replace(
            self,
            membership=self.membership[:, kept],
            evidence=self.evidence[:, kept],
            tags=tuple(self.tags[column] for column in kept),
        )


@dataclass(frozen=True)
class Encoded:
    """An encoder, and what it says.

    Attributes
    ----------
    model : the ONNX graph.
    preprocessing : of its images.
    photos : what it says of the photos of a corpus.
    """

    model: bytes
    preprocessing: Preprocessing
    photos: HeadPhotos


def encoded_photos(
    corpus: Corpus,
    model: bytes,
    preprocessing: Preprocessing,
    config: HeadConfig,
    store: ArrayCache,
) -> HeadPhotos:
    """Encode the photos of `corpus` by an ONNX encoder, or find them in `store`.

    Photos that cannot be read are left out and named in the log. Raises
    `TrainingError` when no training or no validation photo is left, or the cache
    cannot be written; `BundleError` for a broken encoder.
    """
    if config.inputs == "features":
        model = with_features(model)
    encoder = Encoder(model, preprocessing)
    photos = TrainingSet.prepare(corpus, encoder.size, config.unknown_weight, store)
    digest = hashlib.sha256(model).hexdigest()[:16]
    views = _kept_views(photos, encoder, digest, config, store)
    every = np.arange(len(photos.images))
    names = np.array(photos.labels.sources, np.str_)
    return HeadPhotos(
        views=views.load(),
        membership=photos.membership(every).astype(np.bool_),
        evidence=photos.evidence(every),
        sources=names[photos.labels.source_of],
        train_rows=photos.train_rows,
        validation_rows=photos.validation_rows,
        tags=photos.tags,
    )


def _kept_views(
    photos: TrainingSet,
    encoder: Encoder,
    digest: str,
    config: HeadConfig,
    store: ArrayCache,
) -> RowFile:
    """Return rows (V, p), one a photo, from the cache or new."""
    p = encoder.n_features if config.inputs == "features" else encoder.n_latent
    shape = (len(photos.images), 2 + config.views, p)
    # Without random views the seed changes nothing.
    drawn = f"-{config.views}-{config.seed}" if config.views else ""
    path = store.folder / f"views-{photos.digest}-{digest}{drawn}.npy"
    with store.filling():
        found = find_rows(path, shape, np.float32)
        if found is not None:
            return found
        chunks = np.array_split(np.arange(shape[0]), -(-shape[0] // CHUNK))
        encode = partial(_views, photos, encoder, config)
        n_threads = available_threads()
        parts = map_in_order(encode, chunks, n_threads, 2 * n_threads)
        bar = store.progress(parts, len(chunks), "encoding photos")
        try:
            return write_rows(path, shape, np.float32, bar)
        finally:
            parts.close()


def _views(
    photos: TrainingSet, encoder: Encoder, config: HeadConfig, rows: Ints
) -> Float32s:
    """Encode every view of some photos: (n, V, p)."""
    images = photos.images[rows]
    say = encoder.features if config.inputs == "features" else encoder.encode
    said = [say(view) for view in _seen(images, rows, config)]
    return np.stack(said, axis=1)


def _seen(images: Pixels, rows: Ints, config: HeadConfig) -> Iterator[Pixels]:
    """Yield the views (n, S, S, 3): as it is, mirrored, random ones."""
    yield images
    yield images[:, :, ::-1]
    for number in range(config.views):
        seeds = [(config.seed, number, int(row)) for row in rows]
        pairs = zip(images, seeds, strict=True)
        yield np.stack([_random_view(image, seed) for image, seed in pairs])


def _random_view(image: Pixels, seed: tuple[int, int, int]) -> Pixels:
    """Crop, turn, mirror or not, and colour an image at random, by the seed."""
    drawn = int(np.random.default_rng(seed).integers(2**63))
    channels_first = torch.from_numpy(image.copy()).permute(2, 0, 1)
    with _DRAWING:
        torch.default_generator.manual_seed(drawn)
        view = _augmentation(image.shape[0])(channels_first)
    return np.ascontiguousarray(view.permute(1, 2, 0).numpy())


def _augmentation(size: int) -> Any:
    import_torchvision()
    from torchvision.transforms import v2

    return v2.Compose(
        [
            v2.RandomRotation(DEGREES, v2.InterpolationMode.BILINEAR),
            v2.RandomResizedCrop(size, scale=(MIN_CROP, 1.0), antialias=True),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(COLOUR, COLOUR, COLOUR),
        ]
    )
