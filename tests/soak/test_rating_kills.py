"""kill -9 of the server while somebody rates: every answer is stored, and once."""

from __future__ import annotations

from pathlib import Path

from database_makers import clock, database, database_url, on_both, postgresql
from judging_pages import stored
from label_makers import bundle
from rating_under_kills import KILLS_A_LIFE, rate_and_kill, stored_ratings

from lablr.annotation.database.database import Database

__all__ = ["clock", "database", "database_url", "postgresql"]


@on_both
def test_no_kill_of_the_server_loses_or_doubles_a_rating(
    database: Database, database_url: str, tmp_path: Path, china_jpg: Path, monkeypatch
):
    """100 kills: ``python -m benchmarks.faults.kill_rating``."""
    bundle().save(tmp_path / "bundle")  # starts soon
    monkeypatch.setenv("LABLR_BUNDLE", str(tmp_path / "bundle"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    stored(database, [china_jpg], 60)
    acknowledged, met = rate_and_kill(database, database_url, temporary, KILLS_A_LIFE)
    assert met["kills"] == KILLS_A_LIFE
    assert len(acknowledged) > KILLS_A_LIFE
    assert stored_ratings(database) == acknowledged
    assert list(temporary.iterdir()) == []
