"""The journal of pushes to Flickr, by which they are undone.

Every call that changes something has a line before it, flushed to the disk, and one
after it. Where the second is missing, the change may or may not have happened, and the
photo on Flickr is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lablr.errors import PushError
from lablr.system.undoable import RunJournal, UndoableRun

MADE_BY = "lablr push, form 1"


@dataclass
class PhotoChange:
    """Tags that one photo got, or was about to get.

    tags : form of the tag -> (what was sent, its origin: "accepted" or "typed").
    before : the numbers of the tags that were there.
    added : form of the tag -> Flickr's number of it; None while that is unknown.
    left : those of ``added`` that were not taken off again.
    """

    photo: str
    tags: Mapping[str, tuple[str, str]]
    before: Sequence[str]
    added: Mapping[str, str] | None = None
    left: dict[str, str] = field(default_factory=dict)


@dataclass
class PushRun(UndoableRun[PhotoChange]):
    """One push to the photos of an account."""

    owner: str = ""

    @property
    def unsettled(self) -> list[int]:
        """Return the numbers of the changes that may or may not have happened."""
        return [n for n, change in enumerate(self.changes) if change.added is None]

    @property
    def to_undo(self) -> list[int]:
        """Return the numbers of the changes that can be undone, the latest first."""
        numbers = reversed(range(len(self.changes)))
        return [n for n in numbers if self.changes[n].left]


class PushJournal(RunJournal[PushRun]):
    """The journal in the folder ``state``, which one process at a time may hold.

    Raises PushError when another process holds it, or when it cannot be opened.
    """

    def __init__(self, state: Path) -> None:
        super().__init__(
            state / "push.jsonl",
            PushError,
            "another process is pushing tags: wait for its end",
            {"made_by": MADE_BY},
        )

    def of(self, owner: str) -> dict[str, PushRun]:
        """Return the runs of an account, by their names."""
        return {name: run for name, run in self.runs.items() if run.owner == owner}

    def replay(self, entry: Mapping[str, Any]) -> None:
        """Apply an entry: of a run begun or undone, or of a change of one.

        "run" and "removing" tell what is about to happen, "added" and "removed" what
        has: which tags a photo did get (their forms, and Flickr's numbers), and that
        one is not there any more.
        """
        if "begin" in entry:
            run = PushRun(entry["begin"], owner=str(entry["owner"]))
            self.runs[run.name] = run
        elif "run" in entry:
            tags = {form: (raw, by) for form, (raw, by) in entry["tags"].items()}
            change = PhotoChange(entry["photo"], tags, entry["before"])
            self.runs[entry["run"]].changes.append(change)
        elif "added" in entry:
            change = self.runs[entry["added"]].changes[entry["number"]]
            change.added, change.left = entry["ids"], dict(entry["ids"])
        elif "removed" in entry:
            change = self.runs[entry["removed"]].changes[entry["number"]]
            change.left.pop(entry["form"], None)
        elif "removing" not in entry:  # that one is there for people to read
            self.runs[entry["undone"]].is_undone = True
