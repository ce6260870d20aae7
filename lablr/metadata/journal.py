"""The journal of written tags, by which they are undone.

Each line of the journal is flushed to the disk before what it tells of happens.
Whether a change did happen is seen from the file itself, by its SHA-256.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lablr.errors import WritingError
from lablr.system.undoable import RunJournal, UndoableRun

MADE_BY = "lablr write, form 1"


@dataclass(frozen=True)
class FileChange:
    """One file that is, or was about to be, replaced.

    target : the photo, or its sidecar.
    before, after : SHA-256 of its bytes; None before a sidecar that was new.
    backup : where the bytes from before lie; None where there were none.
    mtime_ns : when the file had been changed last before.
    keywords : (tag, origin) of what was asked for.
    """

    photo: Path
    target: Path
    before: str | None
    after: str
    backup: Path | None
    mtime_ns: int
    keywords: Sequence[tuple[str, str]]

    def to_dict(self) -> dict[str, Any]:
        """Return the change as JSON; a name that is not UTF-8 keeps its bytes."""
        values = dataclasses.asdict(self)
        return {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FileChange:
        """Read back `to_dict`."""
        read = {field.name: values[field.name] for field in dataclasses.fields(cls)}
        for name in ("photo", "target", *(("backup",) if read["backup"] else ())):
            read[name] = Path(read[name])
        read["keywords"] = [(tag, origin) for tag, origin in read["keywords"]]
        return cls(**read)


@dataclass
class WriteRun(UndoableRun[FileChange]):
    """One call of ``write_tags``.

    left : numbers of the changes that can still be undone.
    closed : False while it, or its undoing, goes on, or after that was killed.
    """

    left: set[int] = field(default_factory=set)
    closed: bool = False

    @property
    def to_undo(self) -> list[int]:
        """Return the numbers of the changes that can be undone, the latest first."""
        return sorted(self.left, reverse=True)


class WriteJournal(RunJournal[WriteRun]):
    """The journal in the folder ``state``, which one process at a time may hold.

    ``name`` is eight letters of its own, for the folders of backups. Raises
    WritingError when another process holds it, or when it cannot be opened.
    """

    def __init__(self, state: Path) -> None:
        super().__init__(
            state / "write.jsonl",
            WritingError,
            "another process is writing tags: wait for its end",
            {"made_by": MADE_BY, "name": secrets.token_hex(4)},
        )
        self.name = str(self.header["name"])

    def backups_in_use(self) -> Counter[Path | None]:
        """Count for each backup the changes that can still be undone with it."""
        return Counter(
            run.changes[number].backup
            for run in self.runs.values()
            for number in run.left
        )

    def replay(self, entry: Mapping[str, Any]) -> None:
        """Apply an entry: of a run begun or ended, or of one of its changes.

        "run" tells that a file is about to be replaced, and "void" that it was not;
        "undo" that the run is about to be undone, and "undone" what could not be, and
        whether the run is passed over.
        """
        if "begin" in entry:
            self.runs[entry["begin"]] = WriteRun(entry["begin"])
        elif "run" in entry:
            run = self.runs[entry["run"]]
            run.left.add(len(run.changes))
            run.changes.append(FileChange.from_dict(entry))
        elif "void" in entry:
            self.runs[entry["void"]].left.discard(int(entry["number"]))
        elif "end" in entry:
            self.runs[entry["end"]].closed = True
        elif "undo" in entry:
            self.runs[entry["undo"]].closed = False
        else:
            run = self.runs[entry["undone"]]
            run.left = {*map(int, entry["left"])}
            run.is_undone, run.closed = bool(entry["passed_over"]), True
