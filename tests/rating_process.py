"""A process that rates until it is killed; ``python rating_process.py URL``.

For every line on standard input it forks a child, which opens the database and
rates as ``ann``, and prints ``pid N``; a line ``kept PHOTO`` for every rating that
was acknowledged; and ``ended`` when the child is gone. Forked after the imports,
because those take a hundred times as long as a rating.
"""

from __future__ import annotations

import os
import sys

from lablr.judging.database import Database


def rate_all(url: str) -> None:
    """Rate every photo that is left, each with a decision and a typed tag."""
    with Database(url, create=False) as database:
        while (found := database.next_photo("ann")) is not None:
            typed = {found.tags[1].tag: "no", "seaside": "typed"}
            kept = database.rate("ann", found.photo.name, "top_right", typed)
            say("kept", kept.photo)


def say(*words: object) -> None:
    """Print one line in one write: a killed process leaves no half of it."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def main() -> None:
    """Fork a child for every line."""
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            rate_all(sys.argv[1])
            os._exit(0)
        say("pid", child)
        os.waitpid(child, 0)
        say("ended")


if __name__ == "__main__":
    main()
