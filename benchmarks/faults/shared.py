"""The tests' server and photos, and how a fault's figures are shown."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serving import Server, running_server

__all__ = ["Server", "arguments", "resident_mib", "server", "show", "timed", "verdict"]


def arguments(description: str | None, **defaults: int) -> argparse.Namespace:
    """Read whole numbers from the command line, one option each."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    for name, default in defaults.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=int, default=default, help=" ")
    return parser.parse_args()


@contextmanager
def server(*command: str, **settings: str) -> Iterator[Server]:
    """``lablr serve``, whose folder for temporary files has to be empty in the end."""
    with tempfile.TemporaryDirectory() as folder:
        options = {"command": command} if command else {}
        with running_server(Path(folder), **options, **settings) as running:
            yield running
        left = [path.name for path in Path(folder).iterdir()]
        assert left == [], f"left in the temporary files: {left}"


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """The seconds that it took, and what it returned."""
    started = time.perf_counter()
    answer = work()
    return time.perf_counter() - started, answer


def resident_mib(process: int) -> float:
    """The memory of a process that is in RAM, MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def show(rows: Sequence[tuple[str, object]]) -> None:
    """Print a table of two columns."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        text = f"{value:.3g}" if isinstance(value, float) else str(value)
        print(f"| {name:{width}} | {text} |")


def verdict(is_kept: bool) -> int:
    """Say whether the promise is kept; the exit status."""
    print("kept" if is_kept else "BROKEN")
    return 0 if is_kept else 1
