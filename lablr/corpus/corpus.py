"""Tagged photos on disk, read one record at a time.

Three layouts (lablr/corpus/layouts.py) give the same records:

- ``photos.jsonl``: one JSON object a line, ``{"file": "a/1.jpg", "tags": ["sea"]}``
  and optionally ``split``, ``source``, ``flickr_id``, ``license``, ``owner``,
  ``views``, ``faves``;
- ``photos.csv``: one ``path,label`` a line, the header optional; lines of one path
  that follow each other are one photo of several tags; when a ``labels.txt`` lies
  beside it, a label of digits is an index into its lines;
- a folder per tag: ``sea/1.jpg`` is tagged ``sea``.

Listing opens no photo, follows no link out of the corpus folder, and holds
nothing of the records it has passed but a hash of eight bytes a photo, by which a
photo that is listed twice is refused. Whoever passes over the records several times
has them held first (`Corpus.read`).
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lablr.corpus.layouts import (
    CsvLines,
    DeepFolder,
    JsonLines,
    Layout,
    TagFolders,
    is_folder_per_tag,
)
from lablr.corpus.records import Photo, hash64, short, split_of
from lablr.errors import CorpusError
from lablr.tags import normalize

__all__ = ["Corpus", "Photo", "membership", "split_of"]

RECORDS_A_BLOCK = 512
OnError = Callable[[CorpusError], object]


class HeldRecords:
    """Records read once, usable or not; iterating yields them in their order.

    They lie in compressed blocks, some 50 bytes a photo of more than a hundred on disk.
    """

    def __init__(self, records: Iterable[Photo | CorpusError]) -> None:
        remaining = iter(records)
        self._blocks: list[bytes] = []
        self._n_records = 0
        while block := list(islice(remaining, RECORDS_A_BLOCK)):
            self._blocks.append(zlib.compress(pickle.dumps(block), level=1))
            self._n_records += len(block)

    def __len__(self) -> int:
        return self._n_records

    def __iter__(self) -> Iterator[Photo | CorpusError]:
        for block in self._blocks:
            yield from pickle.loads(zlib.decompress(block))  # noqa: S301 (our own)


class Corpus:
    """Tagged photos of one folder; iterating yields Photo records in their order.

    A photo without a split gets one from its name, see `split_of`.
    """

    def __init__(self, layout: Layout, held: HeldRecords | None = None) -> None:
        self._layout = layout
        self._held = held
        self.root = layout.root

    @classmethod
    def open(cls, path: str | os.PathLike[str], untagged: bool = False) -> Corpus:
        """Open a corpus folder, a ``photos.jsonl`` or a ``photos.csv``.

        With ``untagged``, a folder that just holds photos, at any depth, is a corpus
        too. Raises CorpusError when nothing there is one.
        """
        place = Path(path)
        if place.is_dir():
            for name in ("photos.jsonl", "photos.csv"):
                if (place / name).exists():
                    return cls.open(place / name)
            if untagged and not is_folder_per_tag(place):
                return cls(DeepFolder(place))
            return cls(TagFolders(place))
        if not place.exists():
            raise CorpusError(f"{place}: no such file or folder")
        if place.suffix == ".jsonl":
            return cls(JsonLines(place))
        if place.suffix == ".csv":
            return cls(CsvLines(place))
        raise CorpusError(f"{place}: neither a folder nor a .jsonl or .csv file")

    def read(self) -> Corpus:
        """Read the list once for all passes to come, and return this corpus.

        Its records lie in memory then, see `HeldRecords`; one that cannot be
        used is still an error of each pass.
        """
        if self._held is None:
            self._held = HeldRecords(self.records())
        return self

    def of_tags(self, tags: Iterable[str]) -> Corpus:
        """Return the photos with at least one of `tags`, without all other tags.

        Tags are taken in normal form. Raises CorpusError for a tag that no photo of
        the corpus carries: it is likely misspelt.
        """
        wanted = frozenset(normalize(tag) for tag in tags)
        if missing := wanted - self.read().tag_counts().keys():
            raise CorpusError(f"no photo is tagged {', '.join(sorted(missing))}")
        return Corpus(self._layout, HeldRecords(_with_tags(self.records(), wanted)))

    def __iter__(self) -> Iterator[Photo]:
        return self.photos()

    def photos(
        self, split: str | None = None, on_error: OnError | None = None
    ) -> Iterator[Photo]:
        """Yield the photos of a split (None: of all), in the corpus's order.

        A record that cannot be used goes to ``on_error`` as a CorpusError naming
        file and line, and reading goes on; without ``on_error`` it is raised.
        """
        for record in self.records():
            if isinstance(record, CorpusError):
                if on_error is None:
                    raise record
                on_error(record)
            elif split is None or record.split == split:
                yield record

    def records(self) -> Iterator[Photo | CorpusError]:
        """Yield every record in order; one that cannot be used as its CorpusError."""
        if self._held is not None:
            yield from self._held
            return
        seen: set[int] = set()
        for place, read in self._layout.entries():
            try:
                photo = read()
                _refuse_duplicate(photo, seen)
            except CorpusError as error:
                named = CorpusError(f"{place}: {error}")
                named.__cause__ = error
                yield named
            else:
                yield photo

    def count_records(self) -> int:
        """Count all records, usable or not, without reading what they say."""
        if self._held is not None:
            return len(self._held)
        return sum(1 for _ in self._layout.entries())

    def count(self, split: str | None = None) -> int:
        """Count the usable photos of a split (None: of all)."""
        return sum(1 for _ in self.photos(split, on_error=_pass_over))

    def tag_counts(self, split: str | None = None) -> Counter[str]:
        """Count the usable photos of every tag of a split (None: of all)."""
        counts: Counter[str] = Counter()
        for photo in self.photos(split, on_error=_pass_over):
            counts.update(photo.tags)
        return counts

    @cached_property
    def digest(self) -> str:
        """Return a SHA-256, in hexadecimal, over the usable records in their order.

        Each record adds its `Photo.to_record` as canonical JSON (keys sorted, no
        spaces, ASCII) and a line feed. Layouts that yield equal records have equal
        digests, wherever they lie. The photos' own bytes are not read.
        """
        sha256 = hashlib.sha256()
        for photo in self.photos(on_error=_pass_over):
            record = photo.to_record()
            line = json.dumps(record, sort_keys=True, separators=(",", ":"))
            sha256.update(line.encode("ascii") + b"\n")
        return sha256.hexdigest()


def _with_tags(
    records: Iterable[Photo | CorpusError], tags: frozenset[str]
) -> Iterator[Photo | CorpusError]:
    """Yield the photos with any of these tags, without all others, and the errors."""
    for record in records:
        if isinstance(record, Photo):
            kept = tuple(tag for tag in record.tags if tag in tags)
            if not kept:
                continue
            record = replace(record, tags=kept)
        yield record


def membership(photos: Sequence[Photo], tags: Sequence[str]) -> NDArray[np.bool_]:
    """Return (N, T) bool: whether photo n carries tag t; other tags are left out."""
    columns = {tag: column for column, tag in enumerate(tags)}
    carries = np.zeros((len(photos), len(tags)), dtype=np.bool_)
    for row, photo in enumerate(photos):
        carries[row, [columns[tag] for tag in photo.tags if tag in columns]] = True
    return carries


def _refuse_duplicate(photo: Photo, seen: set[int]) -> None:
    key = hash64(os.path.normpath(photo.file))
    if key in seen:
        raise CorpusError(f"{short(photo.file)} is listed twice")
    seen.add(key)


def _pass_over(error: CorpusError) -> None:
    """Go on after a record that cannot be used; `Corpus.photos` is who reports it."""
