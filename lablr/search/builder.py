"""Build an index of a folder, reading only the photos that it does not know yet.

A photo whose name, size and time are those of the index is not opened. Any other is
hashed: one that was only moved or touched keeps its features.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from lablr.corpus import Photo
from lablr.corpus.images import read_images
from lablr.corpus.inputs import Failed, Wanted, open_input
from lablr.errors import IndexFolderError
from lablr.search.features import FeatureExtractor, Features
from lablr.search.index import Index, IndexEntry
from lablr.system.cpu import available_threads
from lablr.system.progress import Progress, silent
from lablr.system.threads import map_in_order

log = logging.getLogger("lablr")

# The index is written after so many new photos: the most that a kill -9 can lose.
CHUNK = 2000
BATCH = 16

Batch = tuple[list[IndexEntry], Features]


@dataclass(frozen=True)
class BuildReport:
    """The index that was built, and how many photos of each kind it met."""

    index: Index
    n_new: int
    n_kept: int
    n_moved: int
    n_gone: int
    n_failed: int

    @property
    def n_attempted(self) -> int:
        """Count all photos of the folder: kept, moved, new and failed."""
        return self.n_kept + self.n_moved + self.n_new + self.n_failed


def build(
    source: str, folder: Path, extractor: FeatureExtractor, progress: Progress = silent
) -> BuildReport:
    """Bring the index in `folder` up to date with `source`, a folder or corpus.

    An index of another model is built anew. Photos that cannot be used are left out
    and named in the log. An interrupted build keeps what is done.
    Raises `IndexFolderError` for a folder that is no index, `CorpusError` when the
    source cannot be read.
    """
    photos = open_input(source)
    root = photos.root.absolute()
    old = _reusable_index(folder, extractor, root)
    listed, n_failed = _list_photos(photos.items(), root)
    kept, moved, new = _match(listed, old)
    n_gone = len(old) - len({row for _, row in kept} | {row for _, row in moved})
    reused = [*kept, *moved]
    features = old.features.select([row for _, row in reused])
    index = replace(old, entries=tuple(entry for entry, _ in reused), features=features)
    extract = partial(_extract, extractor=extractor, root=root)
    batches = (new[start : start + BATCH] for start in range(0, len(new), BATCH))
    n_batches = -(-len(new) // BATCH)
    done: list[Batch] = []
    n_threads = available_threads()
    with closing(map_in_order(extract, batches, n_threads, 2 * n_threads)) as parts:
        try:
            for number, part in enumerate(progress(parts, n_batches, "photos"), 1):
                done.append(part)
                if number % (CHUNK // BATCH) == 0:
                    _merge(index, done).write()
        finally:
            index = _merge(index, done)
            index.write()
    n_new = len(index) - len(reused)
    n_failed += len(new) - n_new
    return BuildReport(index, n_new, len(kept), len(moved), max(n_gone, 0), n_failed)


def _reusable_index(folder: Path, extractor: FeatureExtractor, root: Path) -> Index:
    """Return the index of the folder if it is of this model, else an empty one."""
    tags, features = extractor.tagger.tags, extractor.no_features()
    empty = Index(folder, root, extractor.digest, tags, (), features)
    if not (folder / "index.json").exists():
        return empty
    try:
        found = Index.read(folder)
    except IndexFolderError as error:
        log.warning("%s", error)
        return empty
    if found.model != extractor.digest:
        log.warning("the index is of another model; every photo is read again")
        return empty
    return replace(found, root=root)


def _list_photos(
    items: Iterator[Wanted | Failed], root: Path
) -> tuple[list[tuple[IndexEntry, Path]], int]:
    """Return the photos that exist, without their hashes, and the number unusable."""
    found, n_failed = [], 0
    for item in items:
        if isinstance(item, Failed):
            n_failed += 1
            log.warning("left out: %s", item.message)
            continue
        path = Path(item.path)
        try:
            status = path.lstat()
            fault = None if stat.S_ISREG(status.st_mode) else "not a regular file"
        except OSError as error:
            fault = error.strerror or str(error)
        if fault is not None:
            n_failed += 1
            log.warning("left out %s: %s", item.photo, fault)
            continue
        file = os.path.relpath(path, root)
        found.append((IndexEntry(file, status.st_size, status.st_mtime_ns, ""), path))
    return found, n_failed


def _match(
    listed: Sequence[tuple[IndexEntry, Path]], old: Index
) -> tuple[
    list[tuple[IndexEntry, int]], list[tuple[IndexEntry, int]], list[IndexEntry]
]:
    """Return kept and moved photos, each with its old row, and the new ones."""
    by_stamp = {replace(entry, sha256=""): row for row, entry in enumerate(old.entries)}
    by_hash = {entry.sha256: row for row, entry in enumerate(old.entries)}
    kept, moved, new = [], [], []
    for entry, path in listed:
        row = by_stamp.get(entry)
        if row is not None:
            kept.append((old.entries[row], row))
            continue
        hashed = replace(entry, sha256=_sha256(path)) if old.entries else entry
        row = by_hash.get(hashed.sha256) if hashed.sha256 else None
        if row is None:
            new.append(hashed)
        else:
            moved.append((hashed, row))
    return kept, moved, new


def _sha256(path: Path) -> str:
    """Return the hash of a file; "" when it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        sha256 = hashlib.sha256()
        with os.fdopen(descriptor, "rb") as file:
            while part := file.read(1 << 20):
                sha256.update(part)
        return sha256.hexdigest()
    except (OSError, ValueError):
        return ""


def _extract(
    entries: Sequence[IndexEntry], extractor: FeatureExtractor, root: Path
) -> Batch:
    """Return the photos of a batch that can be used, and their features."""
    photos = [Photo(entry.file, root / entry.file, (), "", "") for entry in entries]
    size = extractor.tagger.encoder.size
    usable, images = [], []
    for entry, (photo, image) in zip(
        entries, read_images(photos, size, 1), strict=True
    ):
        if image is not None:
            hashed = entry.sha256 or _sha256(photo.path)
            usable.append(replace(entry, sha256=hashed))
            images.append(image)
    if not images:
        return [], extractor.no_features()
    return usable, extractor.extract(np.stack(images))


def _merge(index: Index, parts: list[Batch]) -> Index:
    """Return the index with the new photos, in the order of their names."""
    entries = [*index.entries, *(entry for own, _ in parts for entry in own)]
    features = Features.concatenate([index.features, *(own for _, own in parts)])
    order = sorted(range(len(entries)), key=lambda row: entries[row].file)
    ordered = tuple(entries[row] for row in order)
    return replace(index, entries=ordered, features=features.select(order))
