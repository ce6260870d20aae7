"""Transactions on a database that is opened once and used by any number of threads."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from threading import Lock
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from lablr.annotation.database.engine import (
    POSTGRESQL_LOCK,
    TAKE_LOCK,
    make_engine,
    one_at_a_time,
    parse_url,
)
from lablr.annotation.database.migrations import upgrade
from lablr.errors import DatabaseError

if TYPE_CHECKING:
    from typing_extensions import Self

# Alembic keeps its connection in a global variable: one upgrade at a time.
UPGRADING = Lock()


class Transactions:
    """An opened database, its tables brought up to this version of Lablr.

    ``url`` is described at `lablr.annotation.open_database`; ``clock`` gives the time
    that ratings are marked with. Raises `DatabaseError` when the database fails, now
    or in any transaction.
    """

    def __init__(
        self,
        url: str,
        create: bool = True,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        parsed = parse_url(url)
        self.url = parsed.render_as_string(hide_password=True)
        self._clock = clock
        self._engine = make_engine(parsed)
        self._is_postgresql = self._engine.dialect.name == "postgresql"
        try:
            with (
                self._errors(),
                UPGRADING,
                one_at_a_time(self._engine, create) as connection,
            ):
                upgrade(connection)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every connection; the object must not be used afterwards."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session that sees one state of the database and changes nothing."""
        # PostgreSQL's default lets every statement see another state.
        isolation = (
            {"isolation_level": "REPEATABLE READ"} if self._is_postgresql else {}
        )
        with self._errors(), self._engine.connect() as connection:
            reader = connection.execution_options(writes=False, **isolation)
            with Session(reader) as session:
                yield session

    @contextmanager
    def writing(self, alone: bool = False) -> Iterator[Session]:
        """Open a session that is committed at the end, rolled back by an exception.

        alone : keep others from storing meanwhile, as SQLite does by itself. Two that
            store the same new photos in another order would wait for each other.
        """
        with self._errors(), Session(self._engine) as session, session.begin():
            if alone and self._is_postgresql:
                session.execute(TAKE_LOCK, {"key": POSTGRESQL_LOCK + 1})
            yield session

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn errors of the database and the system into `DatabaseError`."""
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            reason = str(getattr(error, "orig", None) or error).strip()
            line = reason.splitlines()[0] if reason else type(error).__name__
            raise DatabaseError(f"{self.url}: {line}") from error
        except OSError as error:
            raise DatabaseError(f"{self.url}: {error.strerror or error}") from error
        except DatabaseError as error:
            if str(error).startswith(self.url):
                raise
            raise DatabaseError(f"{self.url}: {error}") from error
