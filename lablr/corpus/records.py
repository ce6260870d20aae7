"""The record of a tagged photo, and how a line of JSON becomes one.

A line comes from anywhere: it may be no JSON, a megabyte of brackets, or hold names
that no disk and no answer can. Whatever it is, it is a record or one CorpusError.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from lablr.errors import CorpusError
from lablr.tags import normalize

MAX_LINE_BYTES = 1 << 20
MAX_DIGITS = 20  # of an integer in a record
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


def parse_photo(line: bytes, path_of: Callable[[str], Path]) -> Photo:
    """Return the photo of a ``photos.jsonl`` line; ``path_of`` finds its file.

    Raises CorpusError when the line, or what it says of the photo, is of no use.
    """
    record = parse_record(line)
    file = text_of(record, "file")
    if file is None:
        raise CorpusError("'file' is missing")
    return Photo(
        file=file,
        path=path_of(file),
        tags=_tags(record),
        split=text_of(record, "split") or split_of(file),
        source=text_of(record, "source") or DEFAULT_SOURCE,
        flickr_id=text_of(record, "flickr_id", or_integer=True),
        license=text_of(record, "license", or_integer=True),
        owner=text_of(record, "owner"),
        views=_count(record, "views"),
        faves=_count(record, "faves"),
        others={key: record[key] for key in record if key not in _FIELDS},
    )


def numbered_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield (number from 1, line) of the lines of a stream that are not blank.

    A longer line is cut one byte above MAX_LINE_BYTES, by which `decode_line` knows
    it; so one line at most, and never more of it, is held.
    """
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE_BYTES)
        if line.strip():
            yield number, line


def decode_line(line: bytes) -> str:
    """Return a line as text; raises CorpusError where it is too long or not UTF-8."""
    if len(line) > MAX_LINE_BYTES:
        raise CorpusError(f"longer than {MAX_LINE_BYTES:,} bytes")
    if line.startswith(b"\xef\xbb\xbf"):
        raise CorpusError("begins with a byte order mark; save as UTF-8 without one")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(f"not UTF-8: {error.reason} at {error.start}") from error


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")


def _number(digits: str) -> float:
    if math.isinf(value := float(digits)):
        raise ValueError("a number beyond what a computer holds")
    return value


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(digits)} digits")
    return int(digits)


# One for all lines: each is a cycle, which stays in memory until Python looks for them.
_DECODER = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_float=_number, parse_int=_integer
)


def parse_record(line: bytes) -> dict[str, object]:
    """Return the JSON object of a line; raises CorpusError when it holds no other."""
    try:
        record = _DECODER.decode(decode_line(line))
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"not a line of JSON: {error}") from error
    if not isinstance(record, dict):
        raise CorpusError("expected a JSON object")
    return record


def text_of(
    record: Mapping[str, object], key: str, or_integer: bool = False
) -> str | None:
    """Return a field that is a text, or None where it is missing.

    With ``or_integer`` an integer is one too. Raises CorpusError for anything else,
    an empty text, or one that no file can hold.
    """
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


def short(text: str) -> str:
    """Cut a text that an error repeats."""
    return text if len(text) <= 120 else text[:117] + "..."
