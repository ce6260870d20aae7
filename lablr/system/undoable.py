"""Runs that can be undone, and the journal that knows them.

A run records each change before it happens, so nothing is changed without the journal.
Whether the last change of a killed process happened, the next process finds out.
Undoing reverts a run's changes, the latest first, and marks the run as undone: called
again, it goes back one more run.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Generic, TypeVar

from lablr.errors import LablrError
from lablr.system.journal import Journal

Change = TypeVar("Change")


@dataclass
class UndoableRun(ABC, Generic[Change]):
    """One run; ``is_undone`` once it was undone as far as possible."""

    name: str
    changes: list[Change] = field(default_factory=list)
    is_undone: bool = False

    @property
    @abstractmethod
    def to_undo(self) -> list[int]:
        """Return the numbers of the changes that can be undone, the latest first."""


Run = TypeVar("Run", bound="UndoableRun[Any]")


class RunJournal(ABC, Generic[Run]):
    """The runs of a journal, by their names, in their order.

    A subclass says by `replay` what its entries mean. Parameters as of `Journal`.
    """

    def __init__(
        self, path: Path, error: type[LablrError], busy: str, header: Mapping[str, Any]
    ) -> None:
        self._error = error
        self._journal = Journal(path, error, busy, header, is_durable=True)
        self.header = self._journal.header
        self.runs: dict[str, Run] = {}
        try:
            for _ in self._journal.read(self.replay):
                pass
        except BaseException:
            self._journal.close()
            raise

    @abstractmethod
    def replay(self, entry: Mapping[str, Any]) -> None:
        """Apply an entry in memory."""

    def add(self, **entry: Any) -> None:
        """Add an entry, which `replay` explains, and apply it in memory."""
        self._journal.add(entry)
        self.replay(entry)

    def begin(self, **about: Any) -> Run:
        """Begin a run; its name says when, in UTC."""
        now = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
        name = f"{now}-{secrets.token_hex(2)}"
        self.add(begin=name, **about)
        return self.runs[name]

    def choose(self, name: str | None, among: Mapping[str, Run] | None = None) -> Run:
        """Return the run to undo, by default the last that can be.

        Raises the journal's error when there is none, or nothing of it to undo.
        """
        runs = self.runs if among is None else among
        if name is None:
            left = [r for r in runs.values() if r.to_undo and not r.is_undone]
            if not left:
                raise self._error("there is nothing to undo")
            return left[-1]
        if name not in runs:
            raise self._error(f"there is no run {name}")
        if not runs[name].to_undo:
            raise self._error(f"nothing is left to undo of run {name}")
        return runs[name]

    def changed(self) -> list[Run]:
        """Return the runs that changed something, the oldest first."""
        return [run for run in self.runs.values() if run.changes]

    def close(self) -> None:
        """Release the journal."""
        self._journal.close()
