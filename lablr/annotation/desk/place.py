"""Where the desk of a folder is: its photos, and its copies of dropped ones."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from lablr.annotation.database.database import Database
from lablr.annotation.desk.desk import Desk
from lablr.annotation.desk.store import DeskStore
from lablr.errors import DeskError

__all__ = ["open_desk"]


def open_desk(
    folder: Path | None, database: Callable[[], Database], state: Path
) -> Desk:
    """Open the desk of a folder; without one, that of loose photos dropped on it.

    database : gives the database at every use.
    state : the folder in which Lablr keeps its journals, and copies of dropped photos.

    Raises `DeskError` for a folder that is not there, or that cannot be made.
    """
    copies = state.resolve() / "desk" / "dropped"
    if folder is None:
        place = dropped = copies / "loose"
        try:
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise DeskError("no_folder", f"{place}: {error.strerror}") from error
    else:
        place = folder.resolve()
        if not place.is_dir():
            raise DeskError("no_folder", f"there is no folder {place}")
        # another desk's copies are not this one's
        dropped = copies / hashlib.sha256(os.fsencode(place)).hexdigest()[:16]
    return Desk(place, dropped, state, DeskStore(database, str(place)))
