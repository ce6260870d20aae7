"""The four layouts of a corpus on disk.

Every entry of a layout is a place to name in an error, and a function that reads
the record there; so one broken record does not end the reading of the others.
"""

from __future__ import annotations

import csv
import logging
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby, islice
from pathlib import Path
from typing import BinaryIO, Protocol

from lablr.corpus.records import (
    MAX_DIGITS,
    Photo,
    decode_line,
    numbered_lines,
    parse_photo,
    parse_record,
    short,
    split_of,
)
from lablr.errors import CorpusError
from lablr.tags import normalize

log = logging.getLogger("lablr")

MAX_LABELS_BYTES = 16 << 20
MAX_LINES_OF_PHOTO = 1000
MAX_FILE_CHARACTERS = 4096  # no system opens a longer path
EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif"})


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
        self._tree = Tree(index.parent)
        self._index = index

    def entries(self) -> Iterator[Entry]:
        for place, line in _lines(self._index):
            yield place, partial(parse_photo, line, self._tree.path_of)


def json_records(index: Path) -> Iterator[dict[str, object]]:
    """Yield the objects of a ``photos.jsonl``; raises CorpusError naming the line."""
    for place, line in _lines(index):
        try:
            yield parse_record(line)
        except CorpusError as error:
            raise CorpusError(f"{place}: {error}") from error


class CsvLines:
    """``photos.csv``: one ``path,label`` a line, the header optional.

    Lines of one path that follow each other are one photo of several tags, as
    ``lablr resize`` writes them. When a ``labels.txt`` lies beside it, a label of
    digits is an index, from 0, into its lines.
    """

    def __init__(self, index: Path) -> None:
        self.root = index.parent
        self._tree = Tree(index.parent)
        self._index = index
        labels = index.with_name("labels.txt")
        self._labels = _read_labels(labels) if labels.exists() else None

    def entries(self) -> Iterator[Entry]:
        for _, group in groupby(self._rows(), key=lambda row: row.photo):
            # One with more than the bound counts as listed twice.
            while rows := list(islice(group, MAX_LINES_OF_PHOTO)):
                yield rows[0].place, partial(self._photo, rows)

    def _rows(self) -> Iterator[_Row]:
        for number, (place, line) in enumerate(_lines(self._index)):
            if number or line.strip().lower() != b"path,label":
                yield _Row.parse(place, line)

    def _photo(self, rows: Sequence[_Row]) -> Photo:
        tags = set()
        for row in rows:
            try:
                tags.add(self._tag(row.label()))
            except CorpusError as error:
                if row is rows[0]:
                    raise
                raise CorpusError(f"{row.place}: {error}") from error
        file = rows[0].file
        path = self._tree.path_of(file)
        return Photo(file, path, tuple(sorted(tags)), split_of(file))

    def _tag(self, label: str) -> str:
        if self._labels is None or not (label.isascii() and label.isdecimal()):
            return normalize(label)
        if len(label) > MAX_DIGITS or int(label) >= len(self._labels):
            raise CorpusError(
                f"label {label[:MAX_DIGITS]} is beyond the {len(self._labels)} lines"
                " of labels.txt, which count from 0"
            )
        return self._labels[int(label)]


@dataclass(frozen=True)
class _Row:
    """A line of ``photos.csv``: its two columns, or why it has not got them."""

    place: str
    file: str = ""
    raw_label: str = ""
    error: str = ""

    @classmethod
    def parse(cls, place: str, line: bytes) -> _Row:
        try:
            rows = list(csv.reader([decode_line(line)], strict=True))
        except CorpusError as error:
            return cls(place, error=str(error))
        except csv.Error as error:
            return cls(place, error=f"not a line of CSV: {error}")
        if len(rows) != 1 or len(rows[0]) != 2:
            return cls(place, error="expected two columns, path and label")
        return cls(place, *rows[0])

    @property
    def photo(self) -> tuple[str, str]:
        """Return what lines of one photo share; a broken line shares nothing."""
        return (self.place, "") if self.error else ("", os.path.normpath(self.file))

    def label(self) -> str:
        if self.error:
            raise CorpusError(self.error)
        return self.raw_label.strip()


class TagFolders:
    """A folder per tag: ``sea/1.jpg`` is tagged ``sea``.

    Folders and names are taken in sorted order; what is no photo by its extension,
    and what lies deeper, is passed over. One folder's names are held at a time.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        if not _folders(root):
            raise CorpusError(
                f"{root}: expected photos.jsonl, photos.csv or a folder per tag"
            )

    def entries(self) -> Iterator[Entry]:
        for folder in _folders(self.root):
            if folder.is_symlink():
                yield _printable(folder.name), _refuse_link
                continue
            for entry in _scan(Path(folder.path)):
                path = Path(entry.path)
                if path.suffix.lower() in EXTENSIONS:
                    place = _printable(f"{folder.name}/{entry.name}")
                    yield place, partial(_photo, entry, self.root, folder.name)


def is_folder_per_tag(root: Path) -> bool:
    """Tell whether photos lie in the folders of `root`, and none beside them.

    With photos beside them the folders are more likely parts of a collection than
    tags; who meant tags is told so.
    """
    beside = any(map(_is_photo, _scan(root)))
    inside = any(
        _is_photo(entry)
        for folder in _folders(root)
        if not folder.is_symlink()
        for entry in _scan(Path(folder.path))
    )
    if beside and inside:
        log.warning(
            "%s holds photos beside its folders: these are not taken for tags", root
        )
    return inside and not beside


class DeepFolder:
    """Photos in a folder and all the folders in it, without tags.

    Folders and names are taken in sorted order; hidden folders are passed over, and
    the names of one folder at a time, and of those around it, are held.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        if not any(True for _ in self.entries()):
            endings = ", ".join(sorted(EXTENSIONS))
            raise CorpusError(f"{root}: holds no photos, no name ends in {endings}")

    def entries(self) -> Iterator[Entry]:
        return self._below(self.root)

    def _below(self, folder: Path) -> Iterator[Entry]:
        for entry in _scan(folder):
            path = Path(entry.path)
            place = _printable(str(path.relative_to(self.root)))
            if entry.is_dir() and not entry.name.startswith("."):
                if entry.is_symlink():
                    yield place, _refuse_link
                else:
                    yield from self._below(path)
            elif _is_photo(entry):
                yield place, partial(_photo, entry, self.root)


def _photo(entry: os.DirEntry[str], root: Path, tag: str | None = None) -> Photo:
    if not entry.is_file(follow_symlinks=False):
        return _refuse_link()
    path = Path(entry.path)
    file = str(path.relative_to(root))
    return Photo(file, path, () if tag is None else (normalize(tag),), split_of(file))


def _refuse_link() -> Photo:
    raise CorpusError("a link or a special file, which is not followed")


class Tree:
    """A folder of photos, which no photo's path may lead out of."""

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
            raise CorpusError(f"{short(file)}: expected a path inside the folder")
        if inner.name in ("", "..") or not self._is_inside(inner.parent):
            raise CorpusError(f"{short(file)}: leads out of the folder")
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
    """Yield (``name:number``, line) of the lines that are not blank."""
    with _open_regular(path) as file:
        for number, line in numbered_lines(file):
            yield f"{path.name}:{number}", line


def _read_labels(path: Path) -> tuple[str, ...]:
    """Read one tag a line; raises CorpusError naming the line that holds none."""
    with _open_regular(path) as file:
        raw = file.read(MAX_LABELS_BYTES + 1)
    if len(raw) > MAX_LABELS_BYTES:
        raise CorpusError(f"{path.name}: longer than {MAX_LABELS_BYTES:,} bytes")
    labels: list[str] = []
    for number, line in enumerate(raw.splitlines(), 1):
        try:
            labels.append(normalize(decode_line(line)))
        except CorpusError as error:
            raise CorpusError(f"{path.name}:{number}: {error}") from error
    return tuple(labels)


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise CorpusError(f"{_printable(folder.name)}: {error.strerror}") from error


def _folders(root: Path) -> list[os.DirEntry[str]]:
    """List the folders of a folder but the hidden ones, links to folders among them."""
    return [
        entry
        for entry in _scan(root)
        if entry.is_dir() and not entry.name.startswith(".")
    ]


def _is_photo(entry: os.DirEntry[str]) -> bool:
    """Tell whether this is a photo by its name."""
    return Path(entry.path).suffix.lower() in EXTENSIONS and not entry.is_dir()


def _printable(name: str) -> str:
    """Return a file's name as any output can hold it, whatever its bytes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
