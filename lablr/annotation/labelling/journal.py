"""What a run has labelled so far: a file that is only ever added to.

Its first line says what the outcomes depend on. Each other line is a whole block of
outcomes, added in one write; a line that a kill, a full disk or a power cut left
unfinished is dropped, with all behind it, and its block is labelled again.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lablr.annotation.labelling.outcomes import Outcome, outcome_of
from lablr.errors import LabelError

__all__ = ["LabelJournal"]

MADE_BY = "lablr label, form 1"


class LabelJournal:
    """The journal at ``path`` of a run that ``description`` describes.

    One process at a time may hold it. Raises LabelError when another does, when a run
    is there and not to be resumed, or when it is another run's.
    """

    def __init__(
        self, path: Path, description: Mapping[str, Any], resume: bool
    ) -> None:
        self._path = path
        self._header = _line_of({"made_by": MADE_BY, **description})
        try:
            self._descriptor = os.open(
                path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644
            )
        except OSError as error:
            raise self._refused(error) from error
        try:
            self._lock()
            self._begin(resume)
        except BaseException:
            self.close()
            raise

    def blocks(self) -> Iterator[Sequence[Outcome]]:
        """Yield the blocks in their order, and drop a damaged end."""
        whole = len(self._header)
        with self._path.open("rb") as file:
            file.seek(whole)
            for line in file:
                try:
                    outcomes = [outcome_of(record) for record in json.loads(line)]
                except (ValueError, KeyError, TypeError):
                    break
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                yield outcomes
        os.ftruncate(self._descriptor, whole)

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Add a block; raises LabelError, and adds nothing, on a full disk."""
        self._write(_line_of([outcome.to_record() for outcome in outcomes]))

    def remove(self) -> None:
        """Take it away: what it holds is written elsewhere."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let others have it."""
        os.close(self._descriptor)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LabelError(f"{self._path}: another run is writing there") from error

    def _begin(self, resume: bool) -> None:
        """Write the first line, or hold it against the one that is there."""
        with self._path.open("rb") as file:
            found = file.readline(1 << 20)
        if self._header.startswith(found) and found != self._header:
            os.ftruncate(self._descriptor, 0)  # empty, or killed while it began
            self._write(self._header)
            return
        before, now = _object(found), json.loads(self._header)
        if before.get("made_by") != MADE_BY:
            raise LabelError(
                f"{self._path} is no journal of this lablr label: move it away"
            )
        if not resume:
            raise LabelError(
                f"{self._path} holds an unfinished run: give --resume to go on, "
                "or remove it to begin again"
            )
        if changed := [name for name in now if before.get(name) != now[name]]:
            raise LabelError(
                f"{self._path} holds a run with another {', '.join(changed)}: "
                "give the same, or remove it to begin again"
            )

    def _write(self, line: bytes) -> None:
        size = os.fstat(self._descriptor).st_size
        try:
            if os.write(self._descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            os.ftruncate(self._descriptor, size)
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> LabelError:
        return LabelError(f"{self._path}: cannot be written: {error.strerror}")


def _line_of(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode("ascii") + b"\n"


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
