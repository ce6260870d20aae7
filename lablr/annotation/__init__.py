"""Annotation: what a model predicts, what people say of it, and what follows.

::

    labelling    a model's tags of long lists of photos
    database     predictions, and the ratings of people
    consensus    what the raters of a photo agree on
    results      accuracy, agreement and ``curves``; ``thresholds`` writes a threshold
    export       all of it as one table
    update       a bundle that learns from the consensus
    desk         a person decides the tags of a folder of photos

SQLAlchemy and Alembic come with the extra ``judge``, for SQLite as for PostgreSQL:
suggesting tags needs no database, so the base install has none.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lablr.errors import MissingExtra

if TYPE_CHECKING:
    from lablr.annotation.database.database import Database

DEFAULT_DATABASE = "judgements.sqlite"
EXTRA = {"alembic", "psycopg", "sqlalchemy"}


def open_database(url: str | None = None, create: bool = True) -> Database:
    """Open a database and bring its tables up to this version of Lablr.

    url : the path of an SQLite file, ``sqlite:///PATH`` or
        ``postgresql://USER@HOST/NAME``; None is the variable LABLR_DATABASE, or
        ``judgements.sqlite`` in the working folder.
    create : whether to make the SQLite file when there is none.

    Raises `DatabaseError` when it cannot be opened, is not Lablr's or is newer than
    this Lablr; `MissingExtra` without SQLAlchemy.
    """
    try:
        from lablr.annotation.database.database import Database

        return Database(
            url or os.environ.get("LABLR_DATABASE") or DEFAULT_DATABASE, create
        )
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in EXTRA:
            raise
        raise MissingExtra("judge", "keep judgements in a database") from error


def desk_database(state: Path) -> Path:
    """Return the SQLite file of the desks, where no other database is named.

    state : the folder in which Lablr keeps its journals.
    """
    return state / "desk" / "desk.sqlite"
