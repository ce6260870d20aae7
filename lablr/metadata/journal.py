"""What was written, and how to take it back: a file that is only ever added to.

One JSON object a line, each flushed to the disk before what it tells of happens. So
no file is changed that the journal does not know; whether a change did happen is seen
from the file itself, by its SHA-256. A line that a kill or a power cut left unfinished
is dropped, for what it tells of had not begun.
"""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import json
import os
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lablr.errors import WritingError
from lablr.system.whole_file import flush_folder, whole_lines

__all__ = ["FileChange", "WriteJournal", "WriteRun"]

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
        """Return it as JSON can hold it; a name that is not UTF-8 keeps its bytes."""
        values = dataclasses.asdict(self)
        return {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FileChange:
        """Read back `to_dict`."""
        backup = values["backup"]
        return cls(
            photo=Path(values["photo"]),
            target=Path(values["target"]),
            before=values["before"],
            after=values["after"],
            backup=None if backup is None else Path(backup),
            mtime_ns=values["mtime_ns"],
            keywords=[(tag, origin) for tag, origin in values["keywords"]],
        )


@dataclass
class WriteRun:
    """One call of ``write_tags``: its changes, and those that can still be undone.

    ``closed`` is False while it, or its undoing, goes on, or after that was killed.
    """

    name: str
    changes: list[FileChange] = field(default_factory=list)
    left: set[int] = field(default_factory=set)
    passed_over: bool = False
    closed: bool = False


class WriteJournal:
    """The journal in the folder ``state``, which one process at a time may hold.

    ``name`` is eight letters of its own, for the folders of backups. Raises
    WritingError when another holds it, or when it cannot be opened.
    """

    def __init__(self, state: Path) -> None:
        self._path = state / "write.jsonl"
        try:
            state.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(
                self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600
            )
        except OSError as error:
            raise self._refused(error) from error
        try:
            self._lock()
            self.name, self.runs = self._read()
        except BaseException:
            self.close()
            raise

    def begin(self) -> WriteRun:
        """Begin a run; its name says when, in UTC."""
        now = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
        run = WriteRun(f"{now}-{secrets.token_hex(2)}")
        self._add({"begin": run.name})
        self.runs[run.name] = run
        return run

    def add(self, run: WriteRun, change: FileChange) -> None:
        """Say that a file is about to be replaced."""
        self._add({"run": run.name, **change.to_dict()})
        run.left.add(len(run.changes))
        run.changes.append(change)

    def void(self, run: WriteRun, number: int) -> None:
        """Say that a change of a run did not happen, or is undone."""
        self._add({"void": run.name, "number": number})
        run.left.discard(number)

    def end(self, run: WriteRun) -> None:
        """Say that a run is over."""
        self._add({"end": run.name})
        run.closed = True

    def begin_undo(self, run: WriteRun) -> None:
        """Say that a run is about to be undone."""
        self._add({"undo": run.name})
        run.closed = False

    def end_undo(self, run: WriteRun, left: set[int], passed_over: bool) -> None:
        """Say which changes of a run could not be undone, and whether to go on."""
        entry = {"undone": run.name, "left": sorted(left), "passed_over": passed_over}
        self._add(entry)
        run.left, run.passed_over, run.closed = left, passed_over, True

    def backups_in_use(self) -> Counter[Path | None]:
        """Count for each backup the changes that can still be undone with it."""
        return Counter(
            run.changes[number].backup
            for run in self.runs.values()
            for number in run.left
        )

    def last(self) -> WriteRun | None:
        """Return the run to undo next."""
        for run in reversed(self.runs.values()):
            if run.left and not run.passed_over:
                return run
        return None

    def close(self) -> None:
        """Let others have it."""
        os.close(self._descriptor)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WritingError(
                "tags are being written by another process: wait for its end"
            ) from error

    def _read(self) -> tuple[str, dict[str, WriteRun]]:
        """Return the journal's name and its runs; drop a torn end."""
        lines = self._whole_lines()
        first = next(lines, None)
        if first is None:
            name = secrets.token_hex(4)
            self._add({"made_by": MADE_BY, "name": name})
            flush_folder(self._path.parent)
            return name, {}
        if first.get("made_by") != MADE_BY:
            raise WritingError(f"{self._path} is no journal of this lablr write")
        runs: dict[str, WriteRun] = {}
        for number, entry in enumerate(lines, 2):
            try:
                _replay(entry, runs)
            except (KeyError, TypeError, ValueError) as error:
                raise WritingError(f"{self._path}:{number}: damaged") from error
        return str(first["name"]), runs

    def _whole_lines(self) -> Iterator[dict[str, Any]]:
        return whole_lines(self._path, self._descriptor, WritingError)

    def _add(self, entry: Mapping[str, Any]) -> None:
        line = (json.dumps(entry, separators=(",", ":")) + "\n").encode("ascii")
        size = os.fstat(self._descriptor).st_size
        try:
            if os.write(self._descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._descriptor)
        except OSError as error:
            os.ftruncate(self._descriptor, size)
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> WritingError:
        return WritingError(f"{self._path}: cannot be written: {error.strerror}")


def _replay(entry: Mapping[str, Any], runs: dict[str, WriteRun]) -> None:
    """Do again in memory what a line tells of."""
    if "begin" in entry:
        runs[entry["begin"]] = WriteRun(entry["begin"])
    elif "run" in entry:
        run = runs[entry["run"]]
        run.left.add(len(run.changes))
        run.changes.append(FileChange.from_dict(entry))
    elif "void" in entry:
        runs[entry["void"]].left.discard(int(entry["number"]))
    elif "end" in entry:
        runs[entry["end"]].closed = True
    elif "undo" in entry:
        runs[entry["undo"]].closed = False
    else:
        run = runs[entry["undone"]]
        run.left = {*map(int, entry["left"])}
        run.passed_over = bool(entry["passed_over"])
        run.closed = True
