"""Tiny corpora of real photos to train on, and what else the training tests share."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lablr.corpus import Corpus

# Photos that scikit-learn and scikit-image ship, and tags that fit them.
PHOTOS = {
    "sklearn/datasets/images/china.jpg": ["architecture", "sky"],
    "sklearn/datasets/images/flower.jpg": ["flower"],
    "skimage/data/astronaut.png": ["people", "portrait"],
    "skimage/data/chelsea.png": ["cat", "portrait"],
    "skimage/data/coffee.png": ["food"],
    "skimage/data/rocket.jpg": ["sky"],
}


@pytest.fixture(scope="module", autouse=True)
def one_core() -> Iterator[None]:
    """Train on one core, so that the tests are as quick beside other programs.

    Of several processes that test (``pytest -n 2``) each has another.
    """
    cores, n_threads = os.sched_getaffinity(0), torch.get_num_threads()
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    os.sched_setaffinity(0, {sorted(cores)[number % len(cores)]})
    torch.set_num_threads(1)
    yield
    os.sched_setaffinity(0, cores)
    torch.set_num_threads(n_threads)


def real_photos() -> Iterator[tuple[Image.Image, list[str]]]:
    """Every photo of `PHOTOS` with its tags."""
    for name, tags in PHOTOS.items():
        package, _, file = name.partition("/")
        spec = importlib.util.find_spec(package)
        with Image.open(Path(spec.origin).parent / file) as photo:
            yield photo.convert("RGB"), tags


def crops(n_photos: int, side: int, seed: int) -> Iterator[tuple[Image.Image, list]]:
    """`n_photos` random crops of the real photos, in turns, with their tags."""
    generator = np.random.default_rng(seed)
    photos = list(real_photos())
    for i in range(n_photos):
        photo, tags = photos[i % len(photos)]
        length = int(generator.integers(180, min(photo.size)))
        left = int(generator.integers(0, photo.width - length + 1))
        top = int(generator.integers(0, photo.height - length + 1))
        box = (left, top, left + length, top + length)
        yield photo.resize((side, side), Image.Resampling.BICUBIC, box), tags


def make_corpus(
    folder: Path, n_train: int = 18, n_val: int = 6, side: int = 128
) -> Corpus:
    """Write crops of real photos and their photos.jsonl into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    for i, (photo, tags) in enumerate(crops(n_train + n_val, side, seed=0)):
        photo.save(folder / f"{i:03}.jpg", quality=90)
        split = "train" if i < n_train else "val"
        record = {"file": f"{i:03}.jpg", "tags": tags, "split": split}
        records.append(record | {"source": "shipped"})
    write_records(folder, records)
    return Corpus.open(folder)


def read_records(folder: Path) -> list[dict]:
    """The records of a corpus folder."""
    lines = (folder / "photos.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def write_records(folder: Path, records: list[dict]) -> None:
    """Write the photos.jsonl of a corpus folder."""
    lines = [json.dumps(record) + "\n" for record in records]
    (folder / "photos.jsonl").write_text("".join(lines))


class Heard:
    """A `Progress` that remembers the labels, and stops at the item it is told to."""

    def __init__(self, label: str = "", item: int = 0) -> None:
        self.labels: list[str] = []
        self.stop_at = (label, item)

    def __call__(self, items: Iterable, total: int | None, label: str) -> Iterator:
        self.labels.append(label)
        n_items = 0
        for item in items:
            if self.stop_at == (label, n_items):
                raise KeyboardInterrupt
            yield item
            n_items += 1
        assert n_items == total
