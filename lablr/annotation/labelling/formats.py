"""Write outcomes as CSV, JSON lines or Parquet, a block at a time.

CSV and Parquet have a row for each photo with tags and the columns
``id,link,tag_1,probability_1,...``; failures have a file of their own, see
`write_failures`. JSON lines hold both, in order.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, BinaryIO

from lablr.annotation.labelling.outcomes import Labelled, Outcome
from lablr.corpus.inputs import Failed
from lablr.errors import MissingExtra

Blocks = Iterable[Sequence[Outcome]]
Write = Callable[[BinaryIO, Blocks, int], None]

MAX_CELLS_OF_GROUP = 1 << 17  # of a Parquet row group: some megabytes of memory
# How a spreadsheet's formulas begin (OWASP, CSV injection).
FORMULA = ("=", "+", "-", "@")


def _columns(n_tags: int) -> list[str]:
    pairs = [(f"tag_{n}", f"probability_{n}") for n in range(1, n_tags + 1)]
    return ["id", "link", *chain.from_iterable(pairs)]


def write_csv(
    file: BinaryIO, blocks: Blocks, n_tags: int, spreadsheet: bool = False
) -> None:
    """Write rows of CSV, UTF-8 without a mark, one line each (RFC 4180).

    Ids and links are written unchanged. With ``spreadsheet``, one that begins like
    a formula gets an apostrophe before it.
    """
    own = _quoted if spreadsheet else str
    file.write(_csv_lines([_columns(n_tags)]))
    for block in blocks:
        rows = [
            [own(one.id), own(one.link), *chain.from_iterable(_cells(one))]
            for one in block
            if isinstance(one, Labelled)
        ]
        file.write(_csv_lines(rows))
        file.flush()


def _quoted(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def _cells(photo: Labelled) -> Iterator[tuple[str, str]]:
    return ((tag, f"{probability:.6f}") for tag, probability in photo.tags)


def _csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def write_json_lines(file: BinaryIO, blocks: Blocks, n_tags: int) -> None:
    """Write an object a line for every outcome, with tags or with an error."""
    for block in blocks:
        file.write(b"".join(_json_line(outcome) for outcome in block))
        file.flush()


def write_failures(file: BinaryIO, blocks: Blocks) -> None:
    """Write an object a line for every item that failed."""
    for block in blocks:
        failed = [outcome for outcome in block if isinstance(outcome, Failed)]
        file.write(b"".join(map(_json_line, failed)))


def _json_line(outcome: Outcome) -> bytes:
    return json.dumps(outcome.to_record(), ensure_ascii=False).encode() + b"\n"


def write_parquet(file: BinaryIO, blocks: Blocks, n_tags: int) -> None:
    """Write a row group at a time; raises MissingExtra without pyarrow."""
    pyarrow, parquet = _pyarrow()
    columns = _columns(n_tags)
    text, number = pyarrow.string(), pyarrow.float64()
    schema = pyarrow.schema(
        [(name, number if name.startswith("probability") else text) for name in columns]
    )
    n_rows = max(1, MAX_CELLS_OF_GROUP // len(columns))
    rows = (
        (one.id, one.link, *chain.from_iterable(one.tags))
        for one in chain.from_iterable(blocks)
        if isinstance(one, Labelled)
    )
    with parquet.ParquetWriter(file, schema) as writer:
        while group := list(islice(rows, n_rows)):
            by_column = map(list, zip(*group, strict=True))
            table = pyarrow.table(list(by_column), schema=schema)
            writer.write_table(table)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("parquet", "write Parquet") from error
    return pyarrow, parquet


FORMATS: dict[str, Write] = {
    "csv": write_csv,
    "jsonl": write_json_lines,
    "parquet": write_parquet,
}


def check_format(name: str) -> None:
    """Raise MissingExtra for a format before anything is labelled."""
    if name == "parquet":
        _pyarrow()
