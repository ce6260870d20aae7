"""Connect to SQLite and PostgreSQL so that nothing acknowledged is lost.

SQLite writes ahead (WAL: readers do not wait for the writer) and flushes to the disk
at every commit (synchronous=FULL; https://sqlite.org/pragma.html). We begin its
transactions: Python's driver begins none for a SELECT, and a transaction that reads
first and writes later can be refused halfway, so writers take the lock at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError

from lablr.errors import DatabaseError
from lablr.system.locks import locked_folder

HOW_TO_STORE = (
    "store predictions with: lablr label PHOTOS --out labels.csv --to DATABASE"
)

BUSY_TIMEOUT_S = 30
CONNECT_TIMEOUT_S = 10
# Any number, as long as nobody else in the same database uses it.
POSTGRESQL_LOCK = 0x1AB1_5EED
TAKE_LOCK = text("SELECT pg_advisory_xact_lock(:key)")

PRAGMAS = (
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}",
)


def parse_url(url: str) -> URL:
    """Read a URL, or the path of an SQLite file; raises `DatabaseError`."""
    if "://" not in url:
        return URL.create("sqlite", database=url)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # Not the URL itself: it may hold a password.
        raise DatabaseError(
            "the database's URL cannot be read: expected a path, sqlite:///PATH or "
            "postgresql://USER@HOST/NAME"
        ) from error
    kind = parsed.get_backend_name()
    if kind in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if kind != "sqlite":
        raise DatabaseError(f"expected sqlite or postgresql, found {kind!r}")
    if not parsed.database or parsed.database == ":memory:" or parsed.query:
        raise DatabaseError("an SQLite database must be a file: sqlite:///PATH")
    return parsed.set(drivername="sqlite")


def make_engine(url: URL) -> Engine:
    """Return an engine as this module describes; it opens no connection yet."""
    if url.get_backend_name() == "postgresql":
        # Connections to a server that has restarted are renewed, not reported.
        waits = {"connect_timeout": str(CONNECT_TIMEOUT_S)}
        patient = url.set(query={**waits, **url.query})
        return create_engine(patient, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: Any, record: object) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself
    for pragma in PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def one_at_a_time(engine: Engine, create: bool) -> Iterator[Connection]:
    """Begin a transaction that excludes other processes opening the database.

    SQLite: the file is made (mode 600: it holds password hashes) and switched to
    writing ahead, under a lock of its folder, because SQLite gives up at once when two
    processes switch it. Raises `DatabaseError` without ``create`` and without a file.
    """
    if engine.url.get_backend_name() == "postgresql":
        with engine.begin() as connection:
            connection.execute(TAKE_LOCK, {"key": POSTGRESQL_LOCK})
            yield connection
        return
    path = Path(str(engine.url.database))
    with locked_folder(path.parent):
        if not path.exists():
            if not create:
                raise DatabaseError(f"there is no such file; {HOW_TO_STORE}")
            path.touch(mode=0o600)
        with closing(engine.raw_connection()) as raw:
            raw.cursor().execute("PRAGMA journal_mode=WAL")
        with engine.begin() as connection:
            yield connection
