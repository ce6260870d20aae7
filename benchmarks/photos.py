"""Real photos to measure with: those that scikit-learn and scikit-image ship."""

from __future__ import annotations

import importlib.util
import io
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["crops", "megapixel_jpegs", "small_jpegs", "tiles", "write_corpus"]

# Each with tags that fit it, for a corpus to train on.
SHIPPED = {
    "sklearn/datasets/images/china.jpg": ("architecture", "sky"),
    "sklearn/datasets/images/flower.jpg": ("flower", "nature"),
    "skimage/data/astronaut.png": ("people", "portrait"),
    "skimage/data/chelsea.png": ("cat", "portrait"),
    "skimage/data/coffee.png": ("food", "drink"),
    "skimage/data/rocket.jpg": ("sky", "night"),
    "skimage/data/motorcycle_left.png": ("motorcycle", "garage"),
}
TILE = (640, 427)  # pixels of the shipped JPEGs


def _path(name: str) -> Path:
    package, _, file = name.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package}, whose photos are used, is not installed")
    return Path(spec.origin).parent / file


@cache
def _photos() -> tuple[Image.Image, ...]:
    return tuple(Image.open(_path(name)).convert("RGB") for name in SHIPPED)


@cache
def megapixel_jpegs() -> tuple[bytes, ...]:
    """Four JPEGs of 1280 x 854 pixels (1.09 megapixels, about 300 kB).

    Each is laid out of four photos in their own size: one photo enlarged would
    have no detail, and would be decoded faster than a real one.
    """
    parts = tiles()
    return tuple(_jpeg(_mosaic(parts[i:] + parts[:i])) for i in range(4))


def tiles() -> list[Image.Image]:
    """Six of the photos at one size, to lay larger ones out of."""
    return [photo.resize(TILE) for photo in _photos()[:6]]


def _mosaic(tiles: list[Image.Image]) -> Image.Image:
    width, height = TILE
    mosaic = Image.new("RGB", (2 * width, 2 * height))
    for number, tile in enumerate(tiles[:4]):
        mosaic.paste(tile, (number % 2 * width, number // 2 * height))
    return mosaic


def _jpeg(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()


@cache
def small_jpegs() -> tuple[bytes, ...]:
    """Two JPEGs of 640 x 427 pixels as photo sites hand them out, 140 to 200 kB."""
    return tuple(_path(name).read_bytes() for name in list(SHIPPED)[:2])


def crops(
    n_photos: int, side: int, seed: int = 0
) -> Iterator[tuple[npt.NDArray[np.uint8], tuple[str, ...]]]:
    """Random square crops of the photos as (side, side, 3) images, with their tags."""
    generator = np.random.default_rng(seed)
    tags = list(SHIPPED.values())
    for number in range(n_photos):
        which = number % len(tags)
        photo = _photos()[which]
        length = int(generator.integers(180, min(photo.size)))
        left = int(generator.integers(0, photo.width - length + 1))
        top = int(generator.integers(0, photo.height - length + 1))
        box = (left, top, left + length, top + length)
        crop = photo.resize((side, side), Image.Resampling.BICUBIC, box)
        yield np.asarray(crop), tags[which]


def write_corpus(folder: Path, n_train: int, n_val: int, side: int) -> None:
    """Write crops as JPEGs, and a photos.jsonl that names their tags and splits."""
    lines = []
    for number, (image, tags) in enumerate(crops(n_train + n_val, side)):
        name = f"{number:05}.jpg"
        Image.fromarray(image).save(folder / name, quality=90)
        split = "train" if number < n_train else "val"
        record = {"file": name, "tags": tags, "split": split, "source": "shipped"}
        lines.append(json.dumps(record) + "\n")
    (folder / "photos.jsonl").write_text("".join(lines), "utf-8")
