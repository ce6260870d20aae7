"""Tables that people write, CSV or JSON, read strictly: every error names its line."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lablr.errors import CorpusError, VocabularyError
from lablr.tags.normal_form import normalize

MAX_BYTES = 4 << 20
MAX_LABEL = 100
NEWLINE = "\n"
# These turn what is written after them around: no word needs one.
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True)
class Row:
    """One row of a table: its fields by name, and where it stands.

    ``place`` is ``FILE:LINE``. A CSV's fields are texts, without surrounding spaces
    and never empty; a JSON's are whatever JSON holds.
    """

    place: str
    fields: dict[str, Any]


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a ``.csv`` with a header, or a ``.json`` list of objects.

    UTF-8, with or without the byte order mark that spreadsheets write. Raises
    VocabularyError naming the line; OSError when the file cannot be read.
    """
    text = _text(path)
    if path.suffix.lower() == ".csv":
        return list(_csv_rows(path, text))
    if path.suffix.lower() == ".json":
        return list(_json_rows(path, text))
    raise VocabularyError(f"{path}: expected a file that ends in .csv or .json")


def label_of(text: str) -> str:
    """Return a text that is fit to be shown as a tag, without surrounding spaces.

    Raises ValueError when it holds no letter and no digit, is longer than `MAX_LABEL`
    characters, or holds a comma (which separates tags), a line break, a control
    character, or one that turns the text around it.
    """
    label = unicodedata.normalize("NFC", text.strip())
    if len(label) > MAX_LABEL:
        raise ValueError(f"has {len(label)} characters; at most {MAX_LABEL} are shown")
    for character in label:
        kind = unicodedata.category(character)
        if kind in ("Cc", "Cs", "Zl", "Zp") or character in TURNING or character == ",":
            name = "a comma" if character == "," else f"U+{ord(character):04X}"
            raise ValueError(f"holds {name}, which no tag may")
    try:
        normalize(label)
    except CorpusError:
        raise ValueError("holds no letter and no digit") from None
    return label


def short(text: str) -> str:
    """Cut a text that an error repeats, and quote it."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise VocabularyError(f"{path}: larger than {MAX_BYTES >> 20} MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise VocabularyError(f"{path}:{line}: not UTF-8; save it as UTF-8") from error


def _csv_rows(path: Path, text: str) -> Iterator[Row]:
    lines = _csv_lines(path, text)
    number, header = next(lines, (1, []))
    names = [name.strip().lower() for name in header]
    if problem := _problem_of(names):
        raise VocabularyError(f"{path}:{number}: {problem}")
    for number, cells in lines:
        place = f"{path}:{number}"
        if len(cells) != len(names):
            raise VocabularyError(
                f"{place}: {len(cells)} columns, where the header has {len(names)}"
            )
        fields = zip(names, (cell.strip() for cell in cells), strict=True)
        yield Row(place, {name: cell for name, cell in fields if cell})


def _problem_of(names: list[str]) -> str:
    """Say what is wrong with the names of the columns; nothing is ""."""
    if "tag" not in names:
        return "the header has no column 'tag'; columns are separated by commas"
    if "" in names:
        return f"column {names.index('') + 1} of the header has no name"
    twins = [name for name in names if names.count(name) > 1]
    return f"two columns are called {short(twins[0])}" if twins else ""


def _csv_lines(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line at which a row begins, its cells); blank rows are left out."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begins = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield begins, cells
            begins = reader.line_num + 1
    except csv.Error as error:
        raise VocabularyError(f"{path}:{begins}: not CSV: {error}") from error


def _json_rows(path: Path, text: str) -> Iterator[Row]:
    """Refuse what is no JSON list, then read it an object at a time for the lines."""
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        raise VocabularyError(
            f"{path}:{error.lineno}: not JSON: {error.msg}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise VocabularyError(f"{path}: not JSON: {error}") from error
    if not isinstance(whole, list):
        raise VocabularyError(f"{path}:1: expected a list, [...], of objects")
    decoder = json.JSONDecoder(object_pairs_hook=_without_twins)
    position = _skip(text, text.index("[") + 1)
    for value in whole:
        place = f"{path}:{text.count(NEWLINE, 0, position) + 1}"
        if not isinstance(value, dict):
            raise VocabularyError(f"{place}: expected an object, {{...}}")
        try:
            fields, position = decoder.raw_decode(text, position)
        except ValueError as error:
            raise VocabularyError(f"{place}: {error}") from error
        yield Row(place, fields)
        position = _skip(text, position)
        if text[position] == ",":
            position = _skip(text, position + 1)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the members of an object; raises ValueError for two of one name."""
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{short(twin)} is there twice")
    return members


def _skip(text: str, position: int) -> int:
    """Return the position of the next character that is not JSON's white space."""
    while text[position] in " \t\n\r":
        position += 1
    return position
