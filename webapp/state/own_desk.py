"""The desk of the server's settings: its folder, and where its decisions are kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lablr.annotation import desk_database, open_database
from lablr.errors import DeskError
from lablr.metadata import default_state
from webapp.state.judging import Judging
from webapp.state.settings import SettingError, Settings

if TYPE_CHECKING:
    from lablr.annotation.desk import Desk

__all__ = ["open_own_desk"]

NO_FOLDER = "-"


def open_own_desk(settings: Settings, judging: Judging | None) -> Desk | None:
    """Open the desk that the settings name; None: they name none.

    Decisions go into the database of judgements or, without one, one of the desk's
    own. Raises `SettingError` for a folder that is none, `DatabaseError`, and
    `MissingExtra` without the packages that the database needs.
    """
    if settings.desk is None:
        return None
    kept = _own_database() if judging is None else judging
    from lablr.annotation.desk import open_desk  # needs the extra "judge"

    folder = None if settings.desk == NO_FOLDER else Path(settings.desk)
    try:
        return open_desk(folder, lambda: kept.database, default_state())
    except DeskError as error:
        raise SettingError(f"LABLR_DESK: {error}") from error


def _own_database() -> Judging:
    path = desk_database(default_state())
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingError(f"{path.parent}: {error.strerror}") from error
    open_database(str(path)).close()
    return Judging(str(path), {}, None)
