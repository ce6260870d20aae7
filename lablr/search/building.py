"""Looking at the photos of a folder, those that an index does not know yet.

A photo whose name, size and time are those of the index is not opened. Any other is
hashed: one that only moved, or was only touched, keeps what was seen of it.
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

from lablr.corpus.inputs import Failed, Wanted, open_input
from lablr.errors import IndexFolderError, PhotoError
from lablr.search.features import Viewer
from lablr.search.index import Index, IndexEntry, Rows
from lablr.system.cpu import available_threads
from lablr.system.progress import Progress, silent
from lablr.system.threads import map_in_order

__all__ = ["Built", "build"]

log = logging.getLogger("lablr")

# Written so often while many photos are new: what a kill -9 can lose.
CHUNK = 2000
BATCH = 16


@dataclass(frozen=True)
class Built:
    """What a build did: photos by what became of them."""

    index: Index
    n_new: int
    n_kept: int
    n_moved: int
    n_gone: int
    n_failed: int

    @property
    def n_attempted(self) -> int:
        """All photos that were found: kept, moved, new and failed."""
        return self.n_kept + self.n_moved + self.n_new + self.n_failed


def build(
    source: str, folder: Path, viewer: Viewer, progress: Progress = silent
) -> Built:
    """Bring the index in `folder` up to the photos of `source`, a folder or corpus.

    An index that another model made is made anew. Photos that cannot be used are left
    out and named in the log. What was done is kept when the build is interrupted.
    Raises `IndexFolderError` for a folder that is no index, `CorpusError` when the
    source cannot be read.
    """
    photos = open_input(source)
    root = photos.root.absolute()
    old = _known(folder, viewer, root)
    listed, n_failed = _listed(photos.items(), root)
    kept, moved, new = _sorted_out(listed, old)
    n_gone = len(old) - len({row for _, row in kept} | {row for _, row in moved})
    reused = [*kept, *moved]
    rows = old.rows.taken([row for _, row in reused])
    index = replace(old, entries=tuple(entry for entry, _ in reused), rows=rows)
    look = partial(_look, viewer=viewer, root=root)
    batches = (new[start : start + BATCH] for start in range(0, len(new), BATCH))
    n_batches = -(-len(new) // BATCH)
    done: list[tuple[list[IndexEntry], Rows]] = []
    n_threads = available_threads()
    with closing(map_in_order(look, batches, n_threads, 2 * n_threads)) as looked:
        try:
            for number, part in enumerate(progress(looked, n_batches, "photos"), 1):
                done.append(part)
                if number % (CHUNK // BATCH) == 0:
                    _with(index, done).write()
        finally:
            index = _with(index, done)
            index.write()
    n_new = len(index) - len(reused)
    n_failed += len(new) - n_new
    return Built(index, n_new, len(kept), len(moved), max(n_gone, 0), n_failed)


def _known(folder: Path, viewer: Viewer, root: Path) -> Index:
    """The index that is there, if it can be gone on with, or an empty one."""
    empty = Index(folder, root, viewer.digest, viewer.tags, (), viewer.no_rows())
    if not (folder / "index.json").exists():
        return empty
    try:
        found = Index.read(folder)
    except IndexFolderError as error:
        log.warning("%s", error)
        return empty
    if found.model != viewer.digest:
        log.warning("the index is of another model; every photo is looked at again")
        return empty
    return replace(found, root=root)


def _listed(
    items: Iterator[Wanted | Failed], root: Path
) -> tuple[list[tuple[IndexEntry, Path]], int]:
    """The photos that are there, without their hashes, and how many cannot be used."""
    found, n_failed = [], 0
    for item in items:
        if isinstance(item, Failed):
            n_failed += 1
            log.warning("left out: %s", item.message)
            continue
        path = Path(item.path)
        try:
            status = path.lstat()
        except OSError as error:
            n_failed += 1
            log.warning("left out %s: %s", item.photo, error.strerror)
            continue
        if not stat.S_ISREG(status.st_mode):
            n_failed += 1
            log.warning("left out %s: not a regular file", item.photo)
            continue
        file = os.path.relpath(path, root)
        found.append((IndexEntry(file, status.st_size, status.st_mtime_ns, ""), path))
    return found, n_failed


def _sorted_out(
    listed: Sequence[tuple[IndexEntry, Path]], old: Index
) -> tuple[
    list[tuple[IndexEntry, int]], list[tuple[IndexEntry, int]], list[IndexEntry]
]:
    """Photos that stayed and that moved, each with its old row, and the new ones."""
    by_file = {entry.file: row for row, entry in enumerate(old.entries)}
    by_hash = {entry.sha256: row for row, entry in enumerate(old.entries)}
    kept, moved, new = [], [], []
    for entry, path in listed:
        row = by_file.get(entry.file)
        if row is not None and _same(entry, old.entries[row]):
            kept.append((old.entries[row], row))
            continue
        hashed = replace(entry, sha256=_sha256(path)) if old.entries else entry
        row = by_hash.get(hashed.sha256) if hashed.sha256 else None
        if row is None:
            new.append(hashed)
        else:
            moved.append((hashed, row))
    return kept, moved, new


def _same(one: IndexEntry, other: IndexEntry) -> bool:
    return (one.size, one.mtime_ns) == (other.size, other.mtime_ns)


def _sha256(path: Path) -> str:
    """The hash of a file; "" when it cannot be read, as the door will say."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        sha256 = hashlib.sha256()
        with os.fdopen(descriptor, "rb") as file:
            while part := file.read(1 << 20):
                sha256.update(part)
        return sha256.hexdigest()
    except (OSError, ValueError):
        return ""


def _look(
    entries: Sequence[IndexEntry], viewer: Viewer, root: Path
) -> tuple[list[IndexEntry], Rows]:
    """The photos of a batch that can be used, and what is seen of them."""
    seen, images = [], []
    for entry in entries:
        path = root / entry.file
        try:
            images.append(viewer.tagger.read(path))
        except PhotoError as error:
            log.warning("left out %s: %s", entry.file, error)
            continue
        seen.append(replace(entry, sha256=entry.sha256 or _sha256(path)))
    if not images:
        return [], viewer.no_rows()
    return seen, viewer.rows(np.stack(images))


def _with(index: Index, parts: list[tuple[list[IndexEntry], Rows]]) -> Index:
    """The index and the photos that were looked at, in the order of their names."""
    entries = [*index.entries, *(entry for own, _ in parts for entry in own)]
    rows = Rows.joined([index.rows, *(rows for _, rows in parts)])
    order = sorted(range(len(entries)), key=lambda row: entries[row].file)
    ordered = tuple(entries[row] for row in order)
    return replace(index, entries=ordered, rows=rows.taken(order))
