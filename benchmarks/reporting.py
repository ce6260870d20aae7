"""What a benchmark says: tables, targets and sentences, as JSON or Markdown."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

__all__ = ["Report", "Table", "Target", "as_markdown", "run_as_command", "say"]


@dataclass(frozen=True)
class Table:
    """Rows of figures, already written as text, under their headings."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        rule = ["---", *("---:" for _ in self.headings[1:])]
        lines = [self.headings, rule, *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass(frozen=True)
class Target:
    """A promise about one figure, and the figure.

    bound : the most (``at_most``) or the least that it may be.
    """

    what: str
    bound: float
    measured: float
    unit: str = "x"
    at_most: bool = True

    @property
    def met(self) -> bool:
        """Whether the promise is kept; a figure that is no number keeps none."""
        if self.at_most:
            return self.measured <= self.bound
        return self.measured >= self.bound

    def cells(self) -> list[str]:
        """What, target, measured, met."""
        sign = "≤" if self.at_most else "≥"
        return [
            self.what,
            f"{sign} {self.bound:g} {self.unit}",
            f"{self.measured:.3g} {self.unit}",
            "yes" if self.met else "**no**",
        ]


@dataclass(frozen=True)
class Report:
    """One question and its answer.

    method : what is compared, and under which conditions.
    findings : sentences that the tables do not say.
    """

    title: str
    method: str
    tables: Sequence[Table]
    targets: Sequence[Target] = ()
    findings: Sequence[str] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Report:
        """Read back `dataclasses.asdict`."""
        return cls(
            title=values["title"],
            method=values["method"],
            tables=[Table(**table) for table in values["tables"]],
            targets=[Target(**target) for target in values["targets"]],
            findings=values["findings"],
        )


def as_markdown(report: Report) -> str:
    """The report under a heading of the second level."""
    parts = [f"## {report.title}", report.method]
    parts += [table.markdown() for table in report.tables]
    if report.targets:
        headings = ("target", "promised", "measured", "met")
        rows = [target.cells() for target in report.targets]
        parts.append(Table(headings, rows).markdown())
    parts += report.findings
    return "\n\n".join(parts) + "\n"


def run_as_command(
    measure: Callable[[argparse.Namespace], Report],
    add_arguments: Callable[[argparse.ArgumentParser], None] | None = None,
) -> None:
    """Read ``--quick`` and ``--json``, measure, and print the report."""
    purpose = inspect.getdoc(sys.modules["__main__"])
    parser = argparse.ArgumentParser(
        description=purpose, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="few repetitions: tries the benchmark out"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    if add_arguments is not None:
        add_arguments(parser)
    words = parser.parse_args()
    # As `lablr serve` and `lablr suggest` set it, see lablr/system/cpu.py.
    with threadpool_limits(1, user_api="blas"):
        report = measure(words)
    if words.json:
        print(json.dumps(dataclasses.asdict(report), ensure_ascii=False))
    else:
        print(as_markdown(report))


def say(message: str) -> None:
    """A line for who waits, on standard error."""
    print(message, file=sys.stderr, flush=True)
