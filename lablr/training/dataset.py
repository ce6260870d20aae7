"""A corpus made ready for training: decoded once, kept on disk, read in batches.

Decoding a JPEG costs as much as a training step of a small net, so every photo
goes through the door once and its square image is kept as a row of one file. What a
training set holds in memory is the compressed records (`lablr.corpus.corpus`) and some
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lablr.corpus import Corpus, Photo
from lablr.corpus.images import name_left_out, read_images
from lablr.corpus.label_weights import absence_weights
from lablr.errors import TrainingError
from lablr.system.arrays import Bools, Float32s, Floats, Ints, Pixels
from lablr.system.progress import Progress
from lablr.training.array_cache import ArrayCache, RowFile, Rows, find_rows, write_rows
from lablr.training.run_folder import write_whole


@dataclass(frozen=True)
class TrainingSet:
    """The tagged photos of a corpus as arrays.

    Attributes
    ----------
    images : N rows (S, S, 3) uint8; zeros where a photo is unreadable.
    tags : the T tags, sorted.
    labels : the tags, source and split of each photo.
    absence : (sources, T) float32, how much a missing tag says in each source.
    readable : (N,) bool.
    train_rows, validation_rows : row numbers of the readable photos of each split.
    digest : names the corpus and the size of the images.
    """

    images: Rows
    tags: tuple[str, ...]
    labels: Labels
    absence: Float32s
    readable: Bools
    train_rows: Ints
    validation_rows: Ints
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
        labels = Labels.read(corpus)
        digest = f"{labels.fingerprint}-{size}"
        shape = (len(labels.source_of), size, size, 3)
        images, readable = _decoded(corpus, shape, digest, store)
        train_rows = np.flatnonzero(readable & ~labels.is_validation)
        validation_rows = np.flatnonzero(readable & labels.is_validation)
        if not len(train_rows) or not len(validation_rows):
            raise TrainingError(
                f"{len(train_rows)} readable training photos and "
                f"{len(validation_rows)} for validation: a run needs both"
            )
        return cls(
            images=store.opened(images),
            tags=labels.tags,
            labels=labels,
            absence=absence_weights(labels.counts(), unknown).astype(np.float32),
            readable=readable,
            train_rows=train_rows,
            validation_rows=validation_rows,
            digest=digest,
        )

    def membership(self, rows: Ints) -> Float32s:
        """Return (n, T), 1 where a photo of these rows has a tag."""
        found: Float32s = self.labels.carries[rows].toarray()
        return found

    def evidence(self, rows: Ints) -> Float32s:
        """Return the weight (n, T) of each tag of these rows, or of its absence."""
        # A source has the tags of its photos, so a tag that is there says all.
        return self.absence[self.labels.source_of[rows]]


@dataclass(frozen=True)
class Labels:
    """The tags, source and split of each of N records.

    Attributes
    ----------
    tags, sources : T and S names.
    carries : sparse (N, T) float32, 1 where a photo has a tag.
    source_of : (N,), the number of each photo's source.
    is_validation : (N,) bool.
    fingerprint : names the records and the files that they lead to.
    """

    tags: tuple[str, ...]
    sources: tuple[str, ...]
    carries: Any
    source_of: npt.NDArray[np.int32]
    is_validation: Bools
    fingerprint: str

    @classmethod
    def read(cls, corpus: Corpus) -> Labels:
        """Number the tags and sources of the records, which are held.

        The corpus digest does not change when a photo is replaced by another of the
        same name; the size and the time of its file do, which are read without it.
        """
        from scipy.sparse import csr_matrix

        tags = sorted(corpus.read().tag_counts())
        number = {tag: n for n, tag in enumerate(tags)}
        sources: dict[str, int] = {}
        columns, ends, source_of = array("i"), array("q", [0]), array("i")
        is_validation = bytearray()
        sha256 = hashlib.sha256(corpus.digest.encode())
        for photo in corpus.photos():
            columns.extend(number[tag] for tag in photo.tags)
            ends.append(len(columns))
            source_of.append(sources.setdefault(photo.source, len(sources)))
            is_validation.append(photo.split == "val")
            sha256.update(_file_state(photo).encode())
        ones = np.ones(len(columns), np.float32)
        shape = (len(source_of), len(tags))
        return cls(
            tags=tuple(tags),
            sources=tuple(sources),
            carries=csr_matrix((ones, columns, ends), shape),
            source_of=np.array(source_of, np.int32),
            is_validation=np.frombuffer(is_validation, np.bool_),
            fingerprint=sha256.hexdigest()[:16],
        )

    def counts(self) -> Floats:
        """Count the photos of each source with each tag: (S, T)."""
        own = [
            self.carries[self.source_of == n].sum(0) for n in range(len(self.sources))
        ]
        return np.array(own, np.float64).reshape(len(own), len(self.tags))


def _file_state(photo: Photo) -> str:
    try:
        status = photo.path.stat()
    except OSError:
        return "missing\n"
    return f"{status.st_size} {status.st_mtime_ns}\n"


def _decoded(
    corpus: Corpus, shape: tuple[int, int, int, int], digest: str, store: ArrayCache
) -> tuple[RowFile, Bools]:
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


def _name_unreadable(corpus: Corpus, readable: Bools) -> None:
    if readable.all():
        return
    for photo, is_readable in zip(corpus.photos(), readable, strict=True):
        if not is_readable:
            name_left_out(f"{photo.file}, which could not be read")


def _decode(
    corpus: Corpus, size: int, readable: Bools, progress: Progress
) -> Iterator[Pixels]:
    """Yield the image of every photo; zeros, and not `readable`, where it has none."""
    found = read_images(corpus.photos(), size)
    for row, (_, image) in enumerate(progress(found, len(readable), "reading photos")):
        readable[row] = image is not None
        yield np.zeros((size, size, 3), np.uint8) if image is None else image


def write_split(corpus: Corpus, readable: Bools, path: Path) -> None:
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
