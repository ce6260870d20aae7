"""Sources of the photos to label: lines of JSON, or a corpus.

Every line or record is one item, whatever it holds: a photo that is wanted, or why it
failed. Ids and links come from anywhere; what cannot stand in a line of text, control
characters above all, is refused here.
"""

from __future__ import annotations

import stat
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from lablr.corpus.corpus import Corpus
from lablr.corpus.layouts import EXTENSIONS, DeepFolder, Tree
from lablr.corpus.records import Photo, numbered_lines, parse_record, short, text_of
from lablr.errors import CorpusError

MAX_CHARACTERS = 4096  # of an id, a link or a path
BAD_LINE = "bad_line"
LISTS = ("photos.jsonl", "photos.csv")


@dataclass(frozen=True)
class Wanted:
    """A photo to label: ``photo`` is its name as it was given, ``path`` where it lies.

    ``line`` is the line that asks for it, where lines do.
    """

    id: str
    link: str
    photo: str
    path: str
    line: int | None = None


@dataclass(frozen=True)
class Failed:
    """An item that got no tags: ``code`` is for programs, ``message`` for people."""

    code: str
    message: str
    id: str | None = None
    photo: str | None = None
    line: int | None = None

    def to_record(self) -> dict[str, Any]:
        """Return its JSON form."""
        error = {"code": self.code, "message": self.message}
        return {"line": self.line, "id": self.id, "photo": self.photo, "error": error}


class Input(Protocol):
    """Photos to label; their names begin in the folder ``root``."""

    root: Path

    def items(self) -> Iterator[Wanted | Failed]:
        """Yield every item, in order."""

    def count(self) -> int | None:
        """Count the items; None where only reading would tell."""


@dataclass(frozen=True)
class Fields:
    """The names of a line's fields: its photo's path, its id and its link."""

    photo: str = "photo"
    id: str = "id"
    link: str = "link"


class JsonLinesInput:
    """Lines of JSON objects, of a file or of a stream that is open already.

    A path is as the user of the process would give it; with a ``base`` it is relative
    to that folder and may not lead out of it. Without an id, the path is the id;
    without a link, it is the link.
    """

    def __init__(
        self,
        source: Path | BinaryIO,
        fields: Fields | None = None,
        base: Path | None = None,
    ) -> None:
        self._source = source
        self._fields = fields or Fields()
        self.root = base or Path()
        self._path_of: Callable[[str], Path] = Tree(base).path_of if base else Path

    def items(self) -> Iterator[Wanted | Failed]:
        with self._opened() as stream:
            for number, line in numbered_lines(stream):
                yield self._item(number, line)

    def count(self) -> int | None:
        if not isinstance(self._source, Path):
            return None
        if not stat.S_ISREG(self._source.stat().st_mode):
            return None
        with self._opened() as stream:
            return sum(1 for _ in numbered_lines(stream))

    def _opened(self) -> AbstractContextManager[BinaryIO]:
        if isinstance(self._source, Path):
            return self._source.open("rb")
        return nullcontext(self._source)

    def _item(self, number: int, line: bytes) -> Wanted | Failed:
        name = photo = None
        try:
            record = parse_record(line)
            name = _text(record, self._fields.id)
            photo = _text(record, self._fields.photo)
            if photo is None:
                raise CorpusError(f"{self._fields.photo!r} is missing")
            link = _text(record, self._fields.link) or photo
            path = self._path_of(photo)
        except CorpusError as error:
            return Failed(BAD_LINE, str(error), name, photo, number)
        return Wanted(name or photo, link, photo, str(path), number)


class CorpusInput:
    """The photos of a corpus.

    A photo's name in the corpus is its id; its link is the ``page`` that a download
    from Flickr has put into its record, or its name.
    """

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self.root = corpus.root

    def items(self) -> Iterator[Wanted | Failed]:
        for record in self._corpus.records():
            if isinstance(record, CorpusError):
                yield Failed(record.code, str(record))
            else:
                yield self._item(record)

    def count(self) -> int | None:
        return self._corpus.count_records()

    def _item(self, photo: Photo) -> Wanted | Failed:
        try:
            name = _refuse_odd(photo.file, "the file's name")
            link = _text(photo.others, "page") or name
        except CorpusError as error:
            readable = photo.file.encode("utf-8", "backslashreplace").decode()
            return Failed(BAD_LINE, str(error), photo=short(readable))
        return Wanted(name, link, name, str(photo.path))


def open_input(
    source: str,
    stdin: BinaryIO | None = None,
    fields: Fields | None = None,
    base: Path | None = None,
) -> Input:
    """Open what a person named: ``-``, a corpus, a folder, or a file of JSON lines.

    A corpus is a folder with a list of its photos, or such a list: a ``.csv`` or a
    ``photos.jsonl``. Of any other folder all photos are meant, at any depth. Raises
    CorpusError when nothing is there, for a photo, or for ``fields`` or a ``base`` of a
    corpus.
    """
    if source == "-":
        return JsonLinesInput(stdin or sys.stdin.buffer, fields, base)
    place = Path(source)
    if not place.exists():
        raise CorpusError(f"{source}: no such file or folder")
    if place.is_dir() or place.suffix == ".csv" or place.name == "photos.jsonl":
        if fields or base:
            raise CorpusError(
                f"{source} is a corpus: fields and a base folder are for JSON lines"
            )
        is_listed = place.is_file() or any((place / name).exists() for name in LISTS)
        return CorpusInput(
            Corpus.open(place) if is_listed else Corpus(DeepFolder(place))
        )
    if place.suffix.lower() in EXTENSIONS:
        raise CorpusError(
            f"{source} is a photo: give the folder that it is in, or lines of JSON; "
            "'lablr suggest' is for single photos"
        )
    return JsonLinesInput(place, fields, base)


def _text(record: Mapping[str, object], key: str) -> str | None:
    """Return a text, or an integer as one; None where it is missing."""
    value = text_of(record, key, or_integer=True)
    return None if value is None else _refuse_odd(value, repr(key))


def _refuse_odd(text: str, what: str) -> str:
    if len(text) > MAX_CHARACTERS:
        raise CorpusError(f"{short(what)} is longer than {MAX_CHARACTERS} characters")
    # Cc: line ends, NUL and what moves a cursor; Cs: bytes that are not UTF-8.
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise CorpusError(
            f"{short(what)} holds a control character, or bytes that are not UTF-8"
        )
    return text
