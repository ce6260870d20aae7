"""Photos by the numbers that the database gave them: what a web page may name.

A photo's name may be a path of the machine, and its place is one; a number says
nothing, and names nothing outside the database.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from lablr.annotation.database.database import Database
from lablr.annotation.database.predictions import find_model, photo_to_judge
from lablr.annotation.database.records import PhotoToJudge, StoredPhoto
from lablr.annotation.database.tables import PhotoRow
from lablr.errors import JudgementError

__all__ = ["numbers_of", "photo_of_number", "question_of_number"]


def numbers_of(database: Database, names: Collection[str]) -> dict[str, int]:
    """The numbers of photos by their names; a name that there is not is left out."""
    with database.reading() as session:
        found = select(PhotoRow.name, PhotoRow.id).where(PhotoRow.name.in_(list(names)))
        return dict(session.execute(found).all())


def photo_of_number(database: Database, number: int) -> StoredPhoto | None:
    """The photo of a number; None when there is none."""
    with database.reading() as session:
        photo = session.get(PhotoRow, number)
        if photo is None:
            return None
        return StoredPhoto(photo.name, photo.place, photo.source)


def question_of_number(
    database: Database, number: int, k: int, model: str | None = None
) -> PhotoToJudge:
    """A photo of a number with the first k tags of a model; None: the last one stored.

    Raises `JudgementError` for a photo or model that there is not.
    """
    with database.reading() as session:
        found = find_model(session, model)
        if found is None or session.get(PhotoRow, number) is None:
            raise JudgementError("there is no such photo in the database")
        return photo_to_judge(session, found, number, k)
