"""Databases for tests: an SQLite file, or one on a real PostgreSQL server.

A test gets SQLite, which costs milliseconds. What depends on the dialect (locks, types,
upserts, migrations) is marked `on_both`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path

import numpy as np
import psycopg
import pytest
from sqlalchemy import text

from lablr.annotation.database.database import Database
from lablr.annotation.database.records import ModelRecord, StoredPhoto
from lablr.annotation.database.tables import VERDICTS

TAGS = tuple(f"tag{number}" for number in range(6))
BEGINNING = datetime(2025, 1, 1, tzinfo=timezone.utc)
MODEL = ModelRecord("0123" * 16, "drawn", BEGINNING)


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


@pytest.fixture(scope="session")
def postgresql(postgresql_server: str) -> str:
    """The URL of a running server, without a database's name."""
    return postgresql_server


NUMBERS = count()


def make_database(server: str) -> str:
    """Make an empty database on the server; returns its URL."""
    name = f"judging_{next(NUMBERS)}"
    with psycopg.connect(server.format("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.format(name)


on_both = pytest.mark.parametrize(
    "database_url", ["sqlite", "postgresql"], indirect=True
)


@pytest.fixture
def database_url(request, tmp_path: Path) -> str:
    """An empty database."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return f"sqlite:///{tmp_path / 'judgements.sqlite'}"
    return make_database(request.getfixturevalue("postgresql"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(database_url: str, clock: Clock) -> Iterator[Database]:
    with Database(database_url, clock=clock) as database:
        yield database


@pytest.fixture
def stocked(database: Database) -> Database:
    """Five photos with predictions, and the rater ann."""
    database.store_predictions(MODEL, drawn_photos(5))
    database.add_rater("ann")
    return database


def rows_of(database: Database, table: str) -> int:
    with database.reading() as session:
        return session.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: S608


# --- ratings


def drawn_pairs(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """``n`` outcomes with probabilities that know something, in ties."""
    rng = np.random.default_rng(seed)
    probability = rng.integers(0, 40, n) / 40
    return rng.random(n) < 0.2 + 0.6 * probability, probability


def judge(database: Database, n: int = 60, seed: int = 0) -> dict[str, dict]:
    """Let three raters rate drawn photos; returns what was drawn.

    Ann decides every tag of every photo, ben and cat only every second photo and only
    by verdicts, wrongly one time in four.
    """
    rng = np.random.default_rng(seed)
    drawn = {}
    for number in range(n):
        p = -np.sort(-rng.random(3))
        tags = rng.permutation(TAGS)[:3].tolist()
        drawn[f"photo-{number}"] = {
            "tags": list(zip(tags, p.tolist(), strict=True)),
            "right": dict(zip(tags, (rng.random(3) < p).tolist(), strict=True)),
        }
    database.store_predictions(
        MODEL,
        [(StoredPhoto(name, "x.jpg"), row["tags"]) for name, row in drawn.items()],
    )
    for rater in ("ann", "ben", "cat"):
        database.add_rater(rater)
    for number, (name, row) in enumerate(drawn.items()):
        row["verdicts"] = {"ann": verdict_of(row)}
        words = {tag: "yes" if yes else "no" for tag, yes in row["right"].items()}
        database.rate("ann", name, row["verdicts"]["ann"], words, k=3)
        for rater in ("ben", "cat") if number % 2 else ():
            said = verdict_of(row) if rng.random() < 0.75 else str(rng.choice(VERDICTS))
            row["verdicts"][rater] = said
            database.rate(rater, name, said, k=3)
    return drawn


def verdict_of(row: dict) -> str:
    first, *others = row["right"].values()
    return VERDICTS[0] if first else VERDICTS[1] if any(others) else VERDICTS[2]
