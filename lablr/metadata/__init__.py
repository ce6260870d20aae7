"""Write accepted tags into photos or sidecars, with undo.

``docs/write.md`` is for people; this is what the command and the page call::

    keyword = Keyword("places|europe|paris", origin="accepted")
    for outcome in write_tags({photo: [keyword]}, state=default_state()):
        print(outcome.photo, outcome.status, outcome.added)
    for outcome in undo(default_state()):
        ...
"""

from __future__ import annotations

import os
from pathlib import Path

from lablr.metadata.journal import WriteRun
from lablr.metadata.keywords import ORIGINS, Keyword, Lists, Origin, same, tags_of
from lablr.metadata.reading import tags_in
from lablr.metadata.run import WriteOutcome, forget, list_runs, undo, write_tags

__all__ = [
    "ORIGINS",
    "Keyword",
    "Lists",
    "Origin",
    "WriteOutcome",
    "WriteRun",
    "default_state",
    "forget",
    "list_runs",
    "same",
    "tags_in",
    "tags_of",
    "undo",
    "write_tags",
]


def default_state() -> Path:
    """Return the folder where Lablr keeps its journal.

    LABLR_STATE, or "lablr" in the XDG base directory specification's state folder.
    """
    if own := os.environ.get("LABLR_STATE"):
        return Path(own)
    shared = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(shared) / "lablr"
