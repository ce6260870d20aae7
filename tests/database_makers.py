"""Databases for tests: SQLite files, and a PostgreSQL server started for real."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path

import psycopg
import pytest

from lablr.judging.database import Database
from lablr.judging.records import Model, StoredPhoto

BEGINNING = datetime(2025, 1, 1, tzinfo=timezone.utc)
MODEL = Model("0123" * 16, "drawn", BEGINNING)


class Clock:
    """A clock that a test moves: every look at it is ``step_s`` later."""

    def __init__(self, step_s: float = 1.0) -> None:
        self.step_s = step_s
        self.now = BEGINNING

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=self.step_s)
        return self.now


def drawn_photos(
    n: int, tags: Iterable[tuple[str, float]] = (("beach", 0.9), ("dog", 0.4))
) -> list[tuple[StoredPhoto, list[tuple[str, float]]]]:
    """``n`` photos by name, with the same tags each."""
    return [
        (StoredPhoto(f"photo-{number}", f"photos/{number}.jpg"), list(tags))
        for number in range(n)
    ]


# --- PostgreSQL


def server_programs() -> Path:
    """The folder of PostgreSQL's programs: Debian keeps them off the PATH."""
    on_path = shutil.which("postgres")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if on_path is None and not found:
        pytest.fail("PostgreSQL is needed: apt-get install postgresql")
    return (Path(on_path) if on_path else found[-1]).parent


def unprivileged() -> dict[str, object]:
    """Arguments of subprocess: the server refuses to run as root."""
    return {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a running server, without a database's name.

    Its folder is not pytest's, into which another user may not look, and its name is
    short: a socket's path has at most 107 characters.
    """
    programs = server_programs()
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    user = unprivileged()
    if user:
        shutil.chown(folder, "nobody", "nogroup")
    data = folder / "data"
    options = ["--auth=trust", "--username=lablr", "--encoding=UTF8", "--no-locale"]
    try:
        subprocess.run(
            [programs / "initdb", "-D", data, *options],
            check=True,
            capture_output=True,
            cwd=folder,
            **user,
        )
        # -w: pg_ctl waits until the server answers.
        settings = f"-k {folder} -c listen_addresses=''"
        log = folder / "log"
        control = [programs / "pg_ctl", "-D", data, "-w"]
        subprocess.run(
            [*control, "-l", log, "-o", settings, "start"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            **user,
        )
        try:
            yield f"postgresql://lablr@/{{}}?host={folder}"
        finally:
            subprocess.run(
                [*control, "-m", "immediate", "stop"],
                check=True,
                stdout=subprocess.DEVNULL,
                cwd=folder,
                **user,
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


NUMBERS = count()


def make_database(server: str) -> str:
    """Make an empty database on the server; returns its URL."""
    name = f"judging_{next(NUMBERS)}"
    with psycopg.connect(server.format("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.format(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'judgements.sqlite'}"
    return make_database(request.getfixturevalue("postgresql"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(database_url: str, clock: Clock) -> Iterator[Database]:
    with Database(database_url, clock=clock) as database:
        yield database
