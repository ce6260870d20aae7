"""A command's report: the progress, each photo, the summary, and the exit code."""

from __future__ import annotations

import json
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from lablr.cli.messages import print_message, shown
from lablr.errors import LablrError

if TYPE_CHECKING:
    from lablr.system.undoable import UndoableRun

T = TypeVar("T")


def progress_bar(items: Iterable[T], total: int | None, label: str) -> Iterator[T]:
    """Yield ``items`` under a bar of how many have gone by, the rate and the time left.

    A ``lablr.system.progress.Progress``. Nothing is drawn where nobody watches: when
    standard error is not a terminal.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    start = time.monotonic()
    bar = click.progressbar(
        items, length=total, label=label, file=sys.stderr, show_pos=True
    )

    def rate(_: T | None) -> str:
        return f"{bar.pos / max(time.monotonic() - start, 1e-3):.1f}/s"

    bar.item_show_func = rate
    with bar:
        yield from bar


def emit(
    as_json: bool, record: Mapping[str, Any], *lines: str, is_ascii: bool = True
) -> None:
    """Print a record as one line of JSON, or its lines for people.

    In ASCII, bytes of names that are not UTF-8 stay ``\\udcXX`` escapes.
    """
    said = [json.dumps(record, ensure_ascii=is_ascii)] if as_json else lines
    for line in said:
        click.echo(line)


def summary(counts: Mapping[str, int], note: str = "") -> str:
    """Return "attempted 3 = written 2 + failed 1" of counts that add up to it."""
    parts = " + ".join(f"{kind} {n:,}" for kind, n in counts.items())
    return f"attempted {sum(counts.values()):,}{note} = {parts}"


def figure(value: float | None, width: int = 0) -> str:
    """Return a figure at this width, a hyphen where it is undefined."""
    is_undefined = value is None or math.isnan(value)
    return f"{'-':>{width}}" if is_undefined else f"{value:{width}.3f}"


def figures_of(report: object, columns: Mapping[str, str]) -> str:
    """Return the figures of a line: columns are field -> heading, as wide as it."""
    fields = columns.items()
    return "  ".join(
        figure(getattr(report, field), len(head)) for field, head in fields
    )


def exit_if(has_failed: object) -> None:
    """End the command with exit code 1 if something failed."""
    if has_failed:
        raise click.exceptions.Exit(1)


@dataclass(frozen=True)
class Item:
    """The report of one photo: a record for JSON, lines and notes for people."""

    name: str
    kind: str
    record: Mapping[str, Any]
    lines: Iterable[str] = ()
    notes: Iterable[str] = ()
    error: LablrError | None = None


class _Outcome(Protocol):
    @property
    def run(self) -> str | None: ...


Outcome = TypeVar("Outcome", bound=_Outcome)


class Reporter:
    """A printer of items that counts their kinds.

    kinds : those that the summary names even where there were none.
    """

    def __init__(self, as_json: bool, *kinds: str) -> None:
        self.as_json = as_json
        self.counts: Counter[str] = Counter(dict.fromkeys(kinds, 0))

    def add(self, item: Item) -> None:
        """Count an item and print it; for people, errors and notes go to stderr."""
        self.counts[item.kind] += 1
        error, record = item.error, item.record
        if error is not None:
            said = {"code": error.code, "message": str(error)}
            record = {**record, "error": said}
        if error is None or self.as_json:
            emit(self.as_json, record, *item.lines)
        else:
            print_message(f"error: {item.name}: {shown(str(error))}")
        for note in () if self.as_json else item.notes:
            print_message(f"{item.name}: {shown(note)}")

    def run(
        self,
        outcomes: Iterable[Outcome],
        total: int | None,
        label: str,
        view: Callable[[Outcome], Item],
        undo: str = "",
    ) -> None:
        """Report the outcomes of a run, under a progress bar, and how to undo it.

        undo : the kind of what can be undone, and the command: "written: lablr write".
        """
        run, (kind, _, command) = None, undo.partition(": ")
        try:
            for outcome in progress_bar(outcomes, total, label):
                run = outcome.run or run
                self.add(view(outcome))
        finally:  # stopped in the middle, too: what is done can be undone
            print_message(summary(self.counts))
            if run and self.counts[kind]:
                print_message(f"run {run}; to undo it: {command} --undo {run}")
        exit_if(self.counts["failed"])


def report_runs(
    runs: Iterable[UndoableRun[Any]], noun: str, as_json: bool, unknown: str = ""
) -> None:
    """List runs that can be undone, and of how many photos or files each is.

    unknown : the attribute that lists changes that may or may not have happened.
    """
    for run in runs:
        n, n_left = len(run.changes), len(run.to_undo)
        record = {"run": run.name, f"{noun}s": n, "to_undo": n_left}
        line = f"{run.name}  {n:,} {noun}{'s' * (n != 1)}, {n_left:,} can be undone"
        if unknown:
            record[unknown] = n_unknown = len(getattr(run, unknown))
            line += f", {n_unknown:,} not known" if n_unknown else ""
        emit(as_json, record, line)
