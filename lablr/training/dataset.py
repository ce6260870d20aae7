"""A corpus made ready for training: decoded once, kept on disk, read in batches.

Decoding a JPEG costs as much as a training step of a small net, so every photo
goes through the door once and its square image is kept as a row of one file. What a
training set holds in memory is the compressed records (`lablr.corpus.held`) and some
30 bytes a photo and 4 a tag beside, however many pixels there are.

The names of the kept files hold what they were made from: the corpus, the size
and time of every photo's file. What has changed is made anew, and so is a file that
is damaged.
"""

from __future__ import annotations

import csv
import hashlib
import io
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lablr.corpus import Corpus, Photo
from lablr.corpus.images import name_left_out, read_images
from lablr.corpus.label_weights import absence_weights
from lablr.errors import TrainingError
from lablr.system.progress import Progress
from lablr.training.array_cache import ArrayCache, RowFile, Rows, find_rows, write_rows
from lablr.training.run_folder import write_whole

__all__ = ["TrainingSet", "write_split"]


@dataclass(frozen=True)
class TrainingSet:
    """The tagged photos of a corpus as arrays.

    Attributes
    ----------
    images : N rows (S, S, 3) uint8; zeros where a photo is unreadable.
    tags : the T tags, sorted.
    records : which tags and which source each photo has.
    absence : (sources, T) float32, how much a missing tag says in each source.
    readable : (N,) bool.
    train_rows, validation_rows : row numbers of the readable photos of each split.
    digest : names the corpus and the size of the images.
    """

    images: Rows
    tags: tuple[str, ...]
    records: _Records
    absence: npt.NDArray[np.float32]
    readable: npt.NDArray[np.bool_]
    train_rows: npt.NDArray[np.int64]
    validation_rows: npt.NDArray[np.int64]
    digest: str

    @classmethod
    def prepare(
        cls, corpus: Corpus, size: int, unknown: float, store: ArrayCache
    ) -> TrainingSet:
        """Decode the photos of `corpus` into `store`, or find them there.

        Photos that cannot be read are left out and named in the log. Raises
        `TrainingError` when no training or no validation photo is left, or the cache
        cannot be written.
        """
        records = _Records.read(corpus)
        digest = f"{records.fingerprint}-{size}"
        shape = (len(records), size, size, 3)
        images, readable = _decoded(corpus, shape, digest, store)
        is_validation = np.frombuffer(records.is_validation, bool)
        train_rows = np.flatnonzero(readable & ~is_validation)
        validation_rows = np.flatnonzero(readable & is_validation)
        if not len(train_rows) or not len(validation_rows):
            raise TrainingError(
                f"{len(train_rows)} readable training photos and "
                f"{len(validation_rows)} for validation: a run needs both"
            )
        return cls(
            images=store.opened(images),
            tags=tuple(records.tag_names),
            records=records,
            absence=absence_weights(records.counts(), unknown).astype(np.float32),
            readable=readable,
            train_rows=train_rows,
            validation_rows=validation_rows,
            digest=digest,
        )

    def membership(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return (n, T), 1 where a photo of these rows has a tag."""
        found = np.zeros((len(rows), len(self.tags)), np.float32)
        for has_tag, row in zip(found, rows.tolist(), strict=True):
            has_tag[self.records.tags_of(row)] = 1
        return found

    def evidence(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the weight (n, T) of each tag of these rows, or of its absence."""
        # A source has the tags of its photos, so a tag that is there says all.
        sources = np.frombuffer(self.records.sources, np.int32)
        return self.absence[sources[rows]]


@dataclass
class _Records:
    """The tags, source and split of each record, as numbers side by side.

    Attributes
    ----------
    tag_names, source_names : number of a tag or a source, by its name.
    tags, ends : the tags' numbers of photo after photo, and where each photo's end.
    sources : the number of each photo's source.
    is_validation : a byte a photo.
    fingerprint : names the records and the files that they lead to.
    """

    tag_names: dict[str, int]
    source_names: dict[str, int] = field(default_factory=dict)
    tags: array[int] = field(default_factory=lambda: array("i"))
    ends: array[int] = field(default_factory=lambda: array("q", [0]))
    sources: array[int] = field(default_factory=lambda: array("i"))
    is_validation: bytearray = field(default_factory=bytearray)
    fingerprint: str = ""

    @classmethod
    def read(cls, corpus: Corpus) -> _Records:
        """Number the tags, sources and splits of the records, which are held.

        The corpus digest does not change when a photo is replaced by another of the
        same name; the size and the time of its file do, which are read without it.
        """
        tags = sorted(corpus.read().tag_counts())
        records = cls({tag: number for number, tag in enumerate(tags)})
        sha256 = hashlib.sha256(corpus.digest.encode())
        for photo in corpus.photos():
            records._add(photo)
            sha256.update(_file_state(photo).encode())
        records.fingerprint = sha256.hexdigest()[:16]
        return records

    def _add(self, photo: Photo) -> None:
        self.tags.extend(self.tag_names[tag] for tag in photo.tags)
        self.ends.append(len(self.tags))
        names = self.source_names
        self.sources.append(names.setdefault(photo.source, len(names)))
        self.is_validation.append(photo.split == "val")

    def __len__(self) -> int:
        return len(self.sources)

    def tags_of(self, row: int) -> array[int]:
        """Return the numbers of a photo's tags."""
        return self.tags[self.ends[row] : self.ends[row + 1]]

    def counts(self) -> npt.NDArray[np.float64]:
        """Count the photos of each source with each tag: (sources, T)."""
        ends = np.frombuffer(self.ends, np.int64)
        n_tags = ends[1:] - ends[:-1]
        sources = np.frombuffer(self.sources, np.int32)
        counts = np.zeros((len(self.source_names), len(self.tag_names)))
        np.add.at(
            counts,
            (np.repeat(sources, n_tags), np.frombuffer(self.tags, np.int32)),
            1,
        )
        return counts


def _file_state(photo: Photo) -> str:
    try:
        status = photo.path.stat()
    except OSError:
        return "missing\n"
    return f"{status.st_size} {status.st_mtime_ns}\n"


def _decoded(
    corpus: Corpus, shape: tuple[int, int, int, int], digest: str, store: ArrayCache
) -> tuple[RowFile, npt.NDArray[np.bool_]]:
    """Return images (N, S, S, 3) from the store, and which (N,) are readable."""
    images_path = store.folder / f"images-{digest}.npy"
    readable_path = store.folder / f"readable-{digest}.npy"
    with store.filling():
        images = find_rows(images_path, shape, np.uint8)
        readable = find_rows(readable_path, shape[:1], np.bool_)
        if images is not None and readable is not None:
            found = readable.load()
            _name_unreadable(corpus, found)
            return images, found
        found = np.ones(shape[0], np.bool_)
        rows = _decode(corpus, shape[1], found, store.progress)
        images = write_rows(images_path, shape, np.uint8, rows)
        write_rows(readable_path, shape[:1], np.bool_, [found])
    return images, found


def _name_unreadable(corpus: Corpus, readable: npt.NDArray[np.bool_]) -> None:
    if readable.all():
        return
    for photo, is_readable in zip(corpus.photos(), readable, strict=True):
        if not is_readable:
            name_left_out(f"{photo.file}, which could not be read")


def _decode(
    corpus: Corpus, size: int, readable: npt.NDArray[np.bool_], progress: Progress
) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield the image of every photo; zeros, and not `readable`, where it has none."""
    found = read_images(corpus.photos(), size)
    for row, (_, image) in enumerate(progress(found, len(readable), "reading photos")):
        readable[row] = image is not None
        yield np.zeros((size, size, 3), np.uint8) if image is None else image


def write_split(corpus: Corpus, readable: npt.NDArray[np.bool_], path: Path) -> None:
    """Write ``file,split`` of every photo that a run uses, as CSV.

    A byte of a file's name that is no text is escaped as Python does (PEP 383) and
    comes back as it was. Raises `TrainingError` when the file cannot be written.
    """

    def write(file: Any) -> None:
        text = io.TextIOWrapper(file, "utf-8", "surrogateescape", newline="")
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(("file", "split"))
        for photo, is_readable in zip(corpus.photos(), readable, strict=True):
            if is_readable:
                lines.writerow((photo.file, "val" if photo.split == "val" else "train"))
        text.detach()  # writes what it holds, and leaves the file open

    write_whole(path, write)
