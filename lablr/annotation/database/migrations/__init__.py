"""Migrate the tables of every earlier version to the present one, by Alembic.

A new step is a module of ``versions`` whose ``down_revision`` is `HEAD`, which then
becomes its own name; a test holds the tables and the steps equal.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from lablr.errors import DatabaseError

HEAD = "0002"
VERSIONS = Path(__file__).parent / "versions"


def upgrade(connection: Connection) -> None:
    """Bring the tables of a database up to `HEAD`, within the caller's transaction.

    Whoever calls holds the database's lock. Raises `DatabaseError` for tables that
    are not Lablr's, or of a Lablr newer than this one.
    """
    found = _revision(connection)
    if found == HEAD:
        return
    # Imported here: a database that is up to date needs no Alembic to be opened.
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise DatabaseError(
            f"its tables have version {found!r}, which this Lablr does not know "
            f"(it knows {HEAD!r}): update Lablr"
        ) from error


def _revision(connection: Connection) -> str | None:
    """Return the version of the tables; None for an empty database."""
    names = inspect(connection).get_table_names()
    if "alembic_version" in names:
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return None if found is None else str(found)
    if names:
        raise DatabaseError(
            f"it holds tables that are not Lablr's: {', '.join(sorted(names)[:5])}"
        )
    return None
