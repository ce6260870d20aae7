"""kill -9 of the server while somebody rates photos over HTTP.

Promise: every rating that was acknowledged is stored, whole and once; an answer that
was not is sent again under its token, and is stored once, too.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from pathlib import Path

from judging_pages import stored
from rating_under_kills import rate_and_kill, stored_ratings

from benchmarks.faults.shared import show, timed, verdict
from lablr.annotation.database.database import Database

PHOTOS_A_KILL = 6  # five at most are rated, and one a life


def photo() -> Path:
    """A photo that scikit-learn ships."""
    spec = importlib.util.find_spec("sklearn")
    return Path(spec.origin).parent / "datasets" / "images" / "china.jpg"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--times", type=int, default=100, help=" ")
    parser.add_argument(
        "--database",
        metavar="URL",
        help="an empty PostgreSQL database; an SQLite file of its own if none is named",
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = asked.database or str(folder / "judgements.sqlite")
        (folder / "temporary").mkdir()
        with Database(url) as database:
            stored(database, [photo()], PHOTOS_A_KILL * (asked.times + 2))
            seconds, (acknowledged, met) = timed(
                lambda: rate_and_kill(database, url, folder / "temporary", asked.times)
            )
            found = stored_ratings(database)
    lost = len(set(acknowledged) - set(found))
    show(
        [
            *met.items(),
            ("ratings acknowledged", len(acknowledged)),
            ("lost or torn", lost),
            ("doubled, or never asked for", len(found) - len(acknowledged) + lost),
            ("seconds", seconds),
        ]
    )
    return verdict(found == acknowledged)


if __name__ == "__main__":
    sys.exit(main())
