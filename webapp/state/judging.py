"""The database of judgements, the people who may judge, and the desk.

A rater's name stays in a signed cookie; a judgement is in the database before it is
acknowledged.
"""

from __future__ import annotations

import logging
import threading
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.security import check_password_hash

from lablr.annotation import desk_database, open_database
from lablr.errors import DatabaseError, DeskError
from lablr.metadata import default_state
from webapp.state.settings import SettingError, Settings

if TYPE_CHECKING:
    from lablr.annotation.database.database import Database
    from lablr.annotation.desk.desk import Desk

NO_FOLDER = "-"

log = logging.getLogger("lablr.web")


def open_judging(settings: Settings) -> Judging | None:
    """Open the database that the settings name; None: judging is off.

    A database that cannot be opened now is tried again by every request: the other
    pages do not need it. Raises `MissingExtra` without SQLAlchemy.
    """
    if settings.database is None:
        return None
    folder = None if settings.photos is None else Path(settings.photos)
    judging = Judging(settings.database, dict(settings.raters), folder)
    try:
        _ = judging.database
    except DatabaseError as error:
        log.warning("judging: %s", error)
    return judging


def open_desk_of(settings: Settings, judging: Judging | None) -> Desk | None:
    """Open the desk that the settings name; None: they name none.

    Decisions go into the database of judgements or, without one, one of the desk's
    own. Raises `SettingError` for a folder that is none, `DatabaseError`, and
    `MissingExtra` without the packages that the database needs.
    """
    if settings.desk is None:
        return None
    kept = _own_database() if judging is None else judging
    from lablr.annotation.desk.desk import open_desk  # needs the extra "judge"

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


class Judging:
    """A database and the people who may judge.

    raters : name -> hash of the password, or None for one whom the name alone signs
        in; empty: whoever sits at this machine, under any name.
    folder : photos outside it are not shown, and relative places begin there; None:
        the working folder, and absolute places wherever they are.
    """

    def __init__(
        self, url: str, raters: Mapping[str, str | None], folder: Path | None
    ) -> None:
        self.raters = {normal(name): kept for name, kept in raters.items()}
        self.folder = folder
        self._url = url
        self._lock = threading.Lock()
        self._database: Database | None = None
        self._file: tuple[Path, int, int] | None = None

    @property
    def database(self) -> Database:
        """The database; opened again when its file was replaced.

        A connection to an SQLite file that was deleted goes on working, and all that
        it stores is lost. Raises `DatabaseError` when there is none to open.
        """
        with self._lock:
            if self._database is not None and not self._is_same_file():
                self._database.close()
                self._database = None
            if self._database is None:
                self._database = self._open()
            return self._database

    def _open(self) -> Database:
        database = open_database(self._url, create=False)
        # Only here: without the extra, open_database says what is missing.
        from lablr.annotation.database.engine import parse_url

        parsed = parse_url(self._url)
        if parsed.get_backend_name() == "sqlite":
            path = Path(str(parsed.database)).absolute()
            status = path.stat()
            self._file = path, status.st_dev, status.st_ino
        for name in self.raters:
            database.add_rater(name)
        return database

    def _is_same_file(self) -> bool:
        if self._file is None:
            return True
        path, *identity = self._file
        try:
            status = path.stat()
        except OSError:
            return False
        return [status.st_dev, status.st_ino] == identity

    def sign_in(self, name: str, password: str) -> str | None:
        """Return the rater's name as it is kept; None: name or password is wrong.

        Without a list of raters, a new name makes a new rater: the caller has made
        sure that the client is on this machine. Raises `JudgementError` for a text
        that cannot be a name.
        """
        name = normal(name)
        if not self.raters:
            name = self.database.add_rater(name)
            return name if self.database.may_sign_in(name, password) else None
        kept = self.raters.get(name)
        if kept is not None:
            return name if check_password_hash(kept, password) else None
        # a name that is not listed takes as long as a wrong password
        known = self.database.may_sign_in(name, password)
        return name if known and name in self.raters else None


def normal(name: str) -> str:
    """Return a name as the database keeps it: NFC, without outer spaces."""
    return unicodedata.normalize("NFC", name.strip())
