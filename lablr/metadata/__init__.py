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

from lablr.metadata.keywords import Keyword
from lablr.metadata.run import undo, write_tags

__all__ = ["Keyword", "default_state", "undo", "write_tags"]


def default_state() -> Path:
    """Return the folder where Lablr keeps its journal.

    LABLR_STATE, or "lablr" in the XDG base directory specification's state folder.
    """
    if own := os.environ.get("LABLR_STATE"):
        return Path(own)
    shared = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(shared) / "lablr"
