"""Export everything in the database but passwords, as one table.

A line is one rater's decision on one tag of one photo: every predicted tag of every
photo has one for each rater who rated the photo under that model, or one without a
rater; a tag that a rater typed has one without rank and probability; a skipped photo
has one without a tag. Lines are written as they are read, however many there are.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
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

FORMATS = ("tsv", "csv", "json")
LINES_AT_ONCE = 1000


# The columns of an export that each table gives, under their names there.
PHOTO = (PhotoRow.name.label("photo"), PhotoRow.place, PhotoRow.source)
MODEL = (ModelVersion.digest.label("model"), ModelVersion.name.label("model_name"))
PREDICTION = (Prediction.rank, Prediction.tag, Prediction.probability)
RATING = (Rater.name.label("rater"), Rating.verdict, Rating.k)
DECISION = (Decision.decision, Decision.implied, Rating.at)
COLUMNS = tuple(
    column.key for column in (*PHOTO, *MODEL, *PREDICTION, *RATING, *DECISION)
)


def export_lines(database: Database) -> Iterator[dict[str, Any]]:
    """Yield the lines of predicted tags by photo, of typed tags, of skipped photos.

    A line has all `COLUMNS`, None where one does not apply. ``verdict`` is one of the
    three, or ``skipped``; ``implied`` whether the decision follows from the verdict;
    ``at`` is in UTC.
    """
    with database.reading() as session:
        for query in (_predicted(), _typed(), _skipped()):
            rows = session.execute(
                query.execution_options(yield_per=LINES_AT_ONCE)
            ).mappings()
            for row in rows:
                yield {name: row.get(name) for name in COLUMNS}


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


def export_text(
    database: Database, kind: str, progress: Progress = silent
) -> Iterator[str]:
    """Yield the heading (empty for json) and then each line, as text.

    kind : ``tsv``, ``csv`` (RFC 4180) or ``json`` (one object a line).

    Raises `JudgementError` for another kind.
    """
    if kind not in FORMATS:
        raise JudgementError(f"expected one of {', '.join(FORMATS)}: {kind!r}")
    heading, text_of = _format(kind)
    yield heading
    for line in progress(export_lines(database), None, "exporting lines"):
        yield text_of(line | {"at": line["at"] and line["at"].isoformat()})


def write_export(
    database: Database, file: TextIO, kind: str, progress: Progress = silent
) -> int:
    """Write `export_text`; returns the number of lines without the heading."""
    texts = export_text(database, kind, progress)
    file.write(next(texts))
    return sum(1 for text in texts if file.write(text))


def _format(kind: str) -> tuple[str, Callable[[dict[str, object]], str]]:
    """Return the heading, and the function that formats a line."""
    if kind == "json":
        return "", lambda line: json.dumps(line, ensure_ascii=False) + "\n"
    delimiter = "\t" if kind == "tsv" else ","
    writer = csv.DictWriter(_Echo(), COLUMNS, delimiter=delimiter, lineterminator="\n")
    return str(writer.writeheader()), lambda line: str(writer.writerow(line))


class _Echo:
    """A file that returns what is written, as ``writerow`` then does."""

    def write(self, text: str) -> str:
        return text
