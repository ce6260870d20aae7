"""What the database has acknowledged is there, whenever the process is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter

from database_makers import (
    MODEL,
    clock,
    database,
    database_url,
    drawn_photos,
    on_both,
    postgresql,
)
from places import SUPPORT
from sqlalchemy import text

from lablr.annotation.database.database import Database

__all__ = ["clock", "database", "database_url", "postgresql"]

HERE = SUPPORT
N_KILLS = 100
MAX_PER_LIFE = 8


def rate_and_kill(process: subprocess.Popen[str], n_ratings: int) -> list[str]:
    """Kill the next child right after its n-th rating; returns those it had kept.

    The child goes on meanwhile, so where in its next rating it dies is chance.
    """
    process.stdin.write("go\n")
    process.stdin.flush()
    kept: list[str] = []
    child = 0
    # The child's first lines may come before its parent's.
    while not child or len(kept) < n_ratings:
        word, value = process.stdout.readline().split()
        if word == "pid":
            child = int(value)
        else:
            kept.append(value)
    os.kill(child, signal.SIGKILL)
    while (line := process.stdout.readline()) != "ended\n":
        kept.append(line.split()[1])
    return kept


@on_both
def test_no_kill_loses_a_rating_that_was_acknowledged(
    database: Database, database_url: str
):
    database.store_predictions(MODEL, drawn_photos(N_KILLS * (MAX_PER_LIFE + 8)))
    database.add_rater("ann")
    draw = random.Random(0)
    kept: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-W", "error", HERE / "rating_process.py", database_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=HERE.parent,
        env={**os.environ, "PYTHONPATH": str(HERE.parent)},
    ) as process:
        for _ in range(N_KILLS):
            kept += rate_and_kill(process, draw.randint(0, MAX_PER_LIFE))
        process.stdin.close()
    assert process.returncode == 0
    with database.reading() as session:
        stored = Counter(
            session.scalars(
                text("SELECT name FROM ratings JOIN photos ON photos.id = photo_id")
            )
        )
        torn = session.scalar(
            text(
                "SELECT count(*) FROM ratings WHERE 3 <> (SELECT count(*)"
                " FROM decisions WHERE rating_id = ratings.id)"
            )
        )
    assert len(kept) > N_KILLS
    assert set(kept) <= set(stored)
    # A rating may be kept and its process killed before it said so: one a kill.
    assert len(stored) - len(kept) <= N_KILLS
    assert set(stored.values()) == {1}
    assert torn == 0
