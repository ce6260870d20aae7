"""What was pushed to Flickr, and how to take it back.

Every call that changes something has a line before it, flushed to the disk, and one
after it. A line before without its line after is a change of which nobody knows whether
it happened: the photo itself tells.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lablr.errors import PushError
from lablr.flickr.journal import DownloadJournal

__all__ = ["PhotoChange", "PushJournal", "PushRun"]

MADE_BY = "lablr push, form 1"


@dataclass
class PhotoChange:
    """Tags that one photo got, or was about to get.

    tags : form of the tag -> (what was sent, its origin: "accepted" or "typed").
    before : the numbers of the tags that were there.
    added : form of the tag -> Flickr's number of it; None while nobody knows.
    left : those of ``added`` that were not taken off again.
    """

    photo: str
    tags: Mapping[str, tuple[str, str]]
    before: Sequence[str]
    added: Mapping[str, str] | None = None
    left: dict[str, str] = field(default_factory=dict)


@dataclass
class PushRun:
    """One push; ``is_undone`` when it was, as far as Flickr let it be."""

    name: str
    owner: str
    changes: list[PhotoChange] = field(default_factory=list)
    is_undone: bool = False

    @property
    def unsettled(self) -> list[int]:
        """The changes of which nobody knows whether they happened."""
        return [n for n, change in enumerate(self.changes) if change.added is None]

    @property
    def to_undo(self) -> list[int]:
        """The changes of which something is left, the latest first."""
        numbers = reversed(range(len(self.changes)))
        return [n for n in numbers if self.changes[n].left]


class PushJournal:
    """The journal in the folder ``state``, which one process at a time may hold.

    Raises PushError when it is no such journal, DownloadError when it cannot be had.
    """

    def __init__(self, state: Path) -> None:
        self._path = state / "push.jsonl"
        busy = "tags are being pushed by another process: wait for its end"
        self._journal = DownloadJournal(self._path, busy, flushes=True, mode=0o600)
        try:
            self.runs = self._read()
        except BaseException:
            self.close()
            raise

    def begin(self, owner: str) -> PushRun:
        """Begin a run of somebody's photos; its name says when, in UTC."""
        now = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
        name = f"{now}-{secrets.token_hex(2)}"
        self._add({"begin": name, "owner": owner})
        return self.runs[name]

    def about_to_add(
        self,
        run: PushRun,
        photo: str,
        tags: Mapping[str, tuple[str, str]],
        before: Iterable[str],
    ) -> int:
        """Say that a photo is about to get tags; return the number of the change."""
        entry = {"run": run.name, "photo": photo, "tags": tags, "before": [*before]}
        self._add(entry)
        return len(run.changes) - 1

    def added(self, run: PushRun, number: int, ids: Mapping[str, str]) -> None:
        """Say which tags a photo did get: their forms, and Flickr's numbers."""
        self._add({"added": run.name, "number": number, "ids": dict(ids)})

    def about_to_remove(self, run: PushRun, number: int, form: str) -> None:
        """Say that a tag is about to be taken off."""
        self._add({"removing": run.name, "number": number, "form": form})

    def removed(self, run: PushRun, number: int, form: str) -> None:
        """Say that a tag is not there any more."""
        self._add({"removed": run.name, "number": number, "form": form})

    def undone(self, run: PushRun) -> None:
        """Say that a run is undone, as far as that can be."""
        self._add({"undone": run.name})

    def last(self, owner: str) -> PushRun | None:
        """Return the run of an owner that is to be undone next."""
        for run in reversed(self.runs.values()):
            if run.owner == owner and run.to_undo and not run.is_undone:
                return run
        return None

    def close(self) -> None:
        """Let others have it."""
        self._journal.close()

    def _read(self) -> dict[str, PushRun]:
        lines = self._journal.entries()
        first = next(lines, None)
        if first is None:
            self._journal.add({"made_by": MADE_BY})
            return {}
        if first.get("made_by") != MADE_BY:
            raise PushError(f"{self._path} is no journal of this lablr push")
        runs: dict[str, PushRun] = {}
        for number, entry in enumerate(lines, 2):
            try:
                _replay(entry, runs)
            except (KeyError, TypeError, ValueError, IndexError) as error:
                raise PushError(f"{self._path}:{number}: damaged") from error
        return runs

    def _add(self, entry: dict[str, Any]) -> None:
        self._journal.add(entry)
        _replay(entry, self.runs)


def _replay(entry: Mapping[str, Any], runs: dict[str, PushRun]) -> None:
    """Do in memory what a line tells of."""
    if "begin" in entry:
        runs[entry["begin"]] = PushRun(entry["begin"], str(entry["owner"]))
    elif "run" in entry:
        tags = {form: (raw, origin) for form, (raw, origin) in entry["tags"].items()}
        runs[entry["run"]].changes.append(
            PhotoChange(entry["photo"], tags, entry["before"])
        )
    elif "added" in entry:
        change = runs[entry["added"]].changes[entry["number"]]
        change.added, change.left = entry["ids"], dict(entry["ids"])
    elif "removed" in entry:
        runs[entry["removed"]].changes[entry["number"]].left.pop(entry["form"], None)
    elif "removing" not in entry:  # that one is there for people to read
        runs[entry["undone"]].is_undone = True
