"""A process that rates until it is killed; ``python rating_process.py URL``.

For every line on standard input it forks a child, which rates as ``ann`` on
connections of its own, and prints ``pid N``; a line ``kept PHOTO`` for every rating
that was acknowledged; and ``ended`` when the child is gone. Forked after the imports
and a first rating, because those take a hundred times as long as the next ones.
"""

from __future__ import annotations

import os
import sys

from lablr.annotation.database.database import Database


def rate_one(database: Database) -> bool:
    """Rate the next photo, with a decision and a typed tag; whether one was left."""
    found = next(iter(database.next_photos("ann")), None)
    if found is None:
        return False
    typed = {found.tags[1].tag: "no", "seaside": "typed"}
    say("kept", database.rate("ann", found.photo.name, "top_right", typed).photo)
    return True


def say(*words: object) -> None:
    """Print one line in one write: a killed process leaves no half of it."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def main() -> None:
    """Fork a child for every line."""
    with Database(sys.argv[1], create=False) as database:
        rate_one(database)
    # Closed, it has no connection that a child could share; the child opens its own.
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            while rate_one(database):
                pass
            os._exit(0)
        say("pid", child)
        os.waitpid(child, 0)
        say("ended")


if __name__ == "__main__":
    main()
