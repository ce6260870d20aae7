"""The four layouts of a corpus on disk, and the record they share.

Every entry of a layout is a place to name in an error, and a function that reads
the record there; so one broken record does not end the reading of the others.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import BinaryIO, Protocol

from lablr.errors import CorpusError
from lablr.tags import normalize

__all__ = [
    "CsvLines",
    "JsonLines",
    "Layout",
    "Photo",
    "PlainFolder",
    "TagFolders",
    "json_records",
]

MAX_LINE_BYTES = 1 << 20
MAX_LABELS_BYTES = 16 << 20
MAX_FILE_CHARACTERS = 4096  # no system opens a longer path
MAX_DIGITS = 20  # of an integer in a record
EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif"})
DEFAULT_SOURCE = "photos"


@dataclass(frozen=True)
class Photo:
    """One tagged photo: ``file`` is its name in the corpus, ``path`` where to open it.

    ``tags`` are in normal form, sorted and unique, and may be empty. ``others`` are
    the record's fields that Lablr has no use for, such as a title; they make no two
    photos differ.
    """

    file: str
    path: Path
    tags: tuple[str, ...]
    split: str
    source: str = DEFAULT_SOURCE
    flickr_id: str | None = None
    license: str | None = None
    owner: str | None = None
    views: int | None = None
    faves: int | None = None
    others: Mapping[str, object] = field(default_factory=dict, compare=False)

    def to_record(self) -> dict[str, object]:
        """Return the object of a ``photos.jsonl`` line, without absent values."""
        record: dict[str, object] = {
            "file": self.file,
            "source": self.source,
            "tags": list(self.tags),
            "split": self.split,
        }
        for key in ("flickr_id", "license", "owner", "views", "faves"):
            value = getattr(self, key)
            if value is not None:
                record[key] = value
        return record


_FIELDS = Photo.__dataclass_fields__.keys() - {"path", "others"}


def split_of(file: str) -> str:
    """Return the split of a photo that was given none: one in ten is ``"val"``.

    It depends on the file's name alone, so that it stays when photos are added.
    """
    return "val" if hash64(file) % 10 == 0 else "train"


def hash64(text: str) -> int:
    """Return the first eight bytes of the SHA-256 of a name as an integer."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big")


Entry = tuple[str, Callable[[], Photo]]


class Layout(Protocol):
    """A way to lay out tagged photos under ``root``."""

    root: Path

    def entries(self) -> Iterator[Entry]:
        """Yield (place, function reading the record there, raising CorpusError)."""


class JsonLines:
    """``photos.jsonl``: one JSON object a line."""

    def __init__(self, index: Path) -> None:
        self.root = index.parent
        self._tree = _Tree(index.parent)
        self._index = index

    def entries(self) -> Iterator[Entry]:
        for place, line in _lines(self._index):
            yield place, partial(self._photo, line)

    def _photo(self, line: bytes) -> Photo:
        record = _parse_json(_decode(line))
        file = _string(record, "file")
        if file is None:
            raise CorpusError("'file' is missing")
        return Photo(
            file=file,
            path=self._tree.path_of(file),
            tags=_tags(record),
            split=_string(record, "split") or split_of(file),
            source=_string(record, "source") or DEFAULT_SOURCE,
            flickr_id=_string(record, "flickr_id", or_integer=True),
            license=_string(record, "license", or_integer=True),
            owner=_string(record, "owner"),
            views=_count(record, "views"),
            faves=_count(record, "faves"),
            others={key: record[key] for key in record if key not in _FIELDS},
        )


def json_records(index: Path) -> Iterator[dict[str, object]]:
    """Yield the objects of a ``photos.jsonl``; raises CorpusError naming the line."""
    for place, line in _lines(index):
        try:
            yield _parse_json(_decode(line))
        except CorpusError as error:
            raise CorpusError(f"{place}: {error}") from error


class CsvLines:
    """``photos.csv``: one ``path,label`` a line, the header optional.

    When a ``labels.txt`` lies beside it, a label of digits is an index, from 0,
    into its lines.
    """

    def __init__(self, index: Path) -> None:
        self.root = index.parent
        self._tree = _Tree(index.parent)
        self._index = index
        labels = index.with_name("labels.txt")
        self._labels = _read_labels(labels) if labels.exists() else None

    def entries(self) -> Iterator[Entry]:
        for number, (place, line) in enumerate(_lines(self._index)):
            if number or line.strip().lower() != b"path,label":
                yield place, partial(self._photo, line)

    def _photo(self, line: bytes) -> Photo:
        try:
            rows = list(csv.reader([_decode(line)], strict=True))
        except csv.Error as error:
            raise CorpusError(f"not a line of CSV: {error}") from error
        if len(rows) != 1 or len(rows[0]) != 2:
            raise CorpusError("expected two columns, path and label")
        file, label = rows[0]
        path = self._tree.path_of(file)
        return Photo(file, path, (self._tag(label.strip()),), split_of(file))

    def _tag(self, label: str) -> str:
        if self._labels is None or not (label.isascii() and label.isdecimal()):
            return normalize(label)
        if len(label) > MAX_DIGITS or int(label) >= len(self._labels):
            raise CorpusError(
                f"label {label[:MAX_DIGITS]} is beyond the {len(self._labels)} lines"
                " of labels.txt, which count from 0"
            )
        return self._labels[int(label)]


class TagFolders:
    """A folder per tag: ``sea/1.jpg`` is tagged ``sea``.

    Folders and names are taken in sorted order; what is no photo by its extension,
    and what lies deeper, is passed over. One folder's names are held at a time.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        if not self._folders():
            raise CorpusError(
                f"{root}: expected photos.jsonl, photos.csv or a folder per tag"
            )

    def entries(self) -> Iterator[Entry]:
        for folder in self._folders():
            if folder.is_symlink():
                yield _printable(folder.name), _refuse_link
                continue
            for entry in _scan(Path(folder.path)):
                path = Path(entry.path)
                if path.suffix.lower() in EXTENSIONS:
                    place = _printable(f"{folder.name}/{entry.name}")
                    yield place, partial(self._photo, entry)

    def _photo(self, entry: os.DirEntry[str]) -> Photo:
        if not entry.is_file(follow_symlinks=False):
            return _refuse_link()
        path = Path(entry.path)
        file = f"{path.parent.name}/{path.name}"
        return Photo(file, path, (normalize(path.parent.name),), split_of(file))

    def _folders(self) -> list[os.DirEntry[str]]:
        return [
            entry
            for entry in _scan(self.root)
            if entry.is_dir() and not entry.name.startswith(".")
        ]


class PlainFolder:
    """Photos that lie in one folder, without tags; deeper ones are passed over."""

    def __init__(self, root: Path) -> None:
        self.root = root
        if not any(True for _ in self.entries()):
            raise CorpusError(f"{root}: holds no corpus and no photos")

    def entries(self) -> Iterator[Entry]:
        for entry in _scan(self.root):
            if Path(entry.path).suffix.lower() in EXTENSIONS:
                yield _printable(entry.name), partial(self._photo, entry)

    def _photo(self, entry: os.DirEntry[str]) -> Photo:
        if not entry.is_file(follow_symlinks=False):
            return _refuse_link()
        return Photo(entry.name, Path(entry.path), (), split_of(entry.name))


def _refuse_link() -> Photo:
    raise CorpusError("a link or a special file, which is not followed")


class _Tree:
    """The corpus folder, which no photo's path may lead out of."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._real_root = root.resolve()
        # Photos share folders: a small cache saves a walk over the disk per photo.
        self._is_inside = lru_cache(maxsize=1024)(self._leads_inside)

    def path_of(self, file: str) -> Path:
        """Return where a photo lies; raises CorpusError when that is not inside."""
        if not file or len(file) > MAX_FILE_CHARACTERS or "\0" in file:
            raise CorpusError("the file's name is empty, too long or holds a NUL")
        inner = Path(os.path.normpath(file))
        if inner.is_absolute():
            raise CorpusError(f"{short(file)}: expected a path inside the corpus")
        if inner.name in ("", "..") or not self._is_inside(inner.parent):
            raise CorpusError(f"{short(file)}: leads out of the corpus folder")
        return self._root / inner

    def _leads_inside(self, folder: Path) -> bool:
        real = (self._real_root / folder).resolve()
        return real.is_relative_to(self._real_root)


@contextmanager
def _open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file; a FIFO or device is refused and never waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise CorpusError(f"{path.name}: not a regular file")
            yield file
    except OSError as error:
        raise CorpusError(f"{path.name}: {error.strerror}") from error


def _lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (``name:number``, line) of the lines that are not blank.

    A longer line is cut one byte above MAX_LINE_BYTES, by which `_decode` knows it.
    """
    with _open_regular(path) as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            rest = line
            while rest and not rest.endswith(b"\n"):
                rest = file.readline(MAX_LINE_BYTES)
            if line.strip():
                yield f"{path.name}:{number}", line


def _decode(line: bytes) -> str:
    if len(line) > MAX_LINE_BYTES:
        raise CorpusError(f"longer than {MAX_LINE_BYTES:,} bytes")
    if line.startswith(b"\xef\xbb\xbf"):
        raise CorpusError("begins with a byte order mark; save as UTF-8 without one")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(f"not UTF-8: {error.reason} at {error.start}") from error


def _parse_json(text: str) -> dict[str, object]:
    def refuse_constant(name: str) -> object:
        raise ValueError(f"{name} is no JSON number")

    def number(digits: str) -> float:
        if math.isinf(value := float(digits)):
            raise ValueError("a number beyond what a computer holds")
        return value

    def integer(digits: str) -> int:
        if len(digits) > MAX_DIGITS:
            raise ValueError(f"an integer of {len(digits)} digits")
        return int(digits)

    try:
        record = json.loads(
            text, parse_constant=refuse_constant, parse_float=number, parse_int=integer
        )
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"not a line of JSON: {error}") from error
    if not isinstance(record, dict):
        raise CorpusError("expected a JSON object")
    return record


def _string(
    record: dict[str, object], key: str, or_integer: bool = False
) -> str | None:
    value = record.get(key)
    if value is None:
        return None
    if or_integer and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        raise CorpusError(f"{key!r} is not a text")
    return _refuse_lone_surrogate(value, key)


def _refuse_lone_surrogate(text: str, key: str) -> str:
    """Refuse the halves of surrogate pairs, which no file or answer can hold."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise CorpusError(f"{key!r} holds a lone surrogate") from error
    return text


def _tags(record: dict[str, object]) -> tuple[str, ...]:
    tags = record.get("tags")
    if not isinstance(tags, list):
        raise CorpusError("'tags' is missing or not a list")
    normal: set[str] = set()
    for tag in tags:
        if not isinstance(tag, str):
            raise CorpusError("'tags' holds something that is not a text")
        normal.add(normalize(_refuse_lone_surrogate(tag, "tags")))
    return tuple(sorted(normal))


def _count(record: dict[str, object], key: str) -> int | None:
    value = record.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise CorpusError(f"{key!r} is not a whole number from 0")
    return value


def _read_labels(path: Path) -> tuple[str, ...]:
    """Read one tag a line; raises CorpusError naming the line that holds none."""
    with _open_regular(path) as file:
        raw = file.read(MAX_LABELS_BYTES + 1)
    if len(raw) > MAX_LABELS_BYTES:
        raise CorpusError(f"{path.name}: longer than {MAX_LABELS_BYTES:,} bytes")
    labels: list[str] = []
    for number, line in enumerate(raw.splitlines(), 1):
        try:
            labels.append(normalize(_decode(line)))
        except CorpusError as error:
            raise CorpusError(f"{path.name}:{number}: {error}") from error
    return tuple(labels)


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise CorpusError(f"{_printable(folder.name)}: {error.strerror}") from error


def _printable(name: str) -> str:
    """Return a file's name as any output can hold it, whatever its bytes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def short(text: str) -> str:
    """Cut a text that an error repeats."""
    return text if len(text) <= 120 else text[:117] + "..."
