"""Everything in the database but passwords, as one table that goes on for long.

A line is what one rater says of one tag of one photo: every predicted tag of every
photo has one for each rater who judged the photo under that model, or one without a
rater; a tag that a rater typed has one without rank and probability; a skipped photo
has one without a tag. Lines are read from the database and written as they come.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TextIO

from sqlalchemy import Executable, and_, literal, select

from lablr.annotation.database.database import Database
from lablr.annotation.database.tables import (
    Decision,
    ModelVersion,
    PhotoRow,
    Prediction,
    Rater,
    Rating,
    Skip,
)
from lablr.errors import JudgementError
from lablr.system.progress import Progress, silent

__all__ = ["FORMATS", "ExportLine", "export_lines", "write_export"]

FORMATS = ("tsv", "csv", "json")
LINES_AT_ONCE = 1000


@dataclass(frozen=True)
class ExportLine:
    """One line; None where there is nothing to say.

    ``verdict`` is one of the three, or ``skipped``; ``implied`` whether the decision
    follows from the verdict; ``at`` is in UTC.
    """

    photo: str
    place: str
    source: str
    model: str | None
    model_name: str | None
    rank: int | None
    tag: str | None
    probability: float | None
    rater: str | None
    verdict: str | None
    k: int | None
    decision: str | None
    implied: bool | None
    at: datetime | None

    def to_dict(self) -> dict[str, object]:
        """What JSON shows of it."""
        return vars(self) | {"at": self.at and self.at.isoformat()}


COLUMNS = tuple(field.name for field in fields(ExportLine))

# The columns of an export that each table gives, under their names there.
PHOTO = (PhotoRow.name.label("photo"), PhotoRow.place, PhotoRow.source)
MODEL = (ModelVersion.digest.label("model"), ModelVersion.name.label("model_name"))
PREDICTION = (Prediction.rank, Prediction.tag, Prediction.probability)
RATING = (Rater.name.label("rater"), Rating.verdict, Rating.k, Rating.at)
DECISION = (Decision.decision, Decision.implied)


def export_lines(database: Database) -> Iterator[ExportLine]:
    """Yield the lines of predicted tags by photo, of typed tags, of skipped photos."""
    with database.reading() as session:
        for query in (_predicted(), _typed(), _skipped()):
            rows = session.execute(
                query.execution_options(yield_per=LINES_AT_ONCE)
            ).mappings()
            for row in rows:
                line: dict[str, Any] = {name: row.get(name) for name in COLUMNS}
                yield ExportLine(**line)


def _predicted() -> Executable:
    judged = and_(
        Rating.photo_id == Prediction.photo_id,
        Rating.model_id == Prediction.model_id,
    )
    decided = and_(
        Decision.rating_id == Rating.id,
        Decision.tag == Prediction.tag,
        Decision.decision != "typed",
    )
    return (
        select(*PHOTO, *MODEL, *PREDICTION, *RATING, *DECISION)
        .join_from(Prediction, PhotoRow, PhotoRow.id == Prediction.photo_id)
        .join(ModelVersion, ModelVersion.id == Prediction.model_id)
        .outerjoin(Rating, judged)
        .outerjoin(Rater, Rater.id == Rating.rater_id)
        .outerjoin(Decision, decided)
        .order_by(Prediction.model_id, PhotoRow.id, Rating.id, Prediction.rank)
    )


def _typed() -> Executable:
    return (
        select(*PHOTO, *MODEL, Decision.tag.label("tag"), *RATING, *DECISION)
        .join_from(Decision, Rating, Rating.id == Decision.rating_id)
        .join(PhotoRow, PhotoRow.id == Rating.photo_id)
        .join(ModelVersion, ModelVersion.id == Rating.model_id)
        .join(Rater, Rater.id == Rating.rater_id)
        .where(Decision.decision == "typed")
        .order_by(PhotoRow.id, Rating.id, Decision.tag)
    )


def _skipped() -> Executable:
    skipped = literal("skipped").label("verdict")
    return (
        select(*PHOTO, Rater.name.label("rater"), skipped, Skip.at.label("at"))
        .join_from(Skip, PhotoRow, PhotoRow.id == Skip.photo_id)
        .join(Rater, Rater.id == Skip.rater_id)
        .order_by(PhotoRow.id, Rater.id)
    )


def write_export(
    database: Database, file: TextIO, kind: str, progress: Progress = silent
) -> int:
    """Write every line as ``tsv``, ``csv`` (RFC 4180) or ``json`` (one object a line).

    Returns the number of lines without the heading. Raises `JudgementError` for
    another kind.
    """
    if kind not in FORMATS:
        raise JudgementError(f"expected one of {', '.join(FORMATS)}: {kind!r}")
    write = _json_writer(file) if kind == "json" else _table_writer(file, kind)
    n_lines = 0
    for line in progress(export_lines(database), None, "exporting lines"):
        write(line.to_dict())
        n_lines += 1
    return n_lines


def _json_writer(file: TextIO) -> Callable[[dict[str, object]], object]:
    return lambda line: file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _table_writer(file: TextIO, kind: str) -> Callable[[dict[str, object]], object]:
    """Write the heading; returns what writes a line. None is an empty cell."""
    delimiter = "\t" if kind == "tsv" else ","
    writer = csv.DictWriter(file, COLUMNS, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    return writer.writerow
