"""Run the benchmarks and write docs/performance.md.

Each runs in a process of its own and leaves its figures in build/benchmarks/; the
page is made of all that lie there, so one can be measured again alone::

    python -m benchmarks                      # all
    python -m benchmarks one_photo int8       # these two, and the page
    python -m benchmarks --quick              # tries them out; build/benchmarks-quick/
    python -m benchmarks servers              # by name only: it asks for granian
"""

from __future__ import annotations

import argparse
import inspect
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.machine import describe, load_now
from benchmarks.reporting import Report, Table, as_markdown, say

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"

BENCHMARKS = (
    "one_photo",
    "plain_way",
    "many_photos",
    "label",
    "many_tags",
    "search",
    "http_load",
    "startup",
    "download",
    "resize",
    "training",
    "disk_cache_memory",
    "fitting",
    "int8",
    "micro_batches",
    "rating",
    "learning",
    "why",
    "rank_again",
)
# What they need is in none of Lablr's extras.
BY_NAME = ("servers",)

WITH_CORPUS = {"int8", "disk_cache_memory", "learning"}

INTRODUCTION = """\
# Performance

Written by `make bench`; not to be edited. Each table compares ways that do the same
work in the same run, in turns, so that whatever else the machine did slowed all of
them. Figures are medians, with the quartiles of the repetitions in brackets; ratios
are taken repetition by repetition."""


def run(name: str, words: argparse.Namespace, folder: Path) -> bool:
    """Run a benchmark and keep its report, its command, its date and the load."""
    command = ["python", "-m", f"benchmarks.{name}"]
    more = ["--json"]
    if words.quick:
        more.append("--quick")
        command.append("--quick")
    if name in WITH_CORPUS and words.corpus:
        more += ["--corpus", str(words.corpus.absolute())]
        command += ["--corpus", "CORPUS"]  # where it lies is nobody's business
    busy, start = load_now(), time.monotonic()
    say(f"== {' '.join(command)}")
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *more],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        say(f"== {name} failed with status {done.returncode}")
        return False
    kept = {
        "report": json.loads(done.stdout),
        "command": " ".join(command),
        "date": datetime.now(timezone.utc).isoformat(" ", "minutes")[:16],
        "seconds": time.monotonic() - start,
        "load": busy,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(kept, ensure_ascii=False), "utf-8")
    return True


def page(folder: Path) -> str:
    """The Markdown of all the reports that lie in a folder."""
    files = [folder / f"{name}.json" for name in (*BENCHMARKS, *BY_NAME)]
    kept = [json.loads(file.read_text("utf-8")) for file in files if file.exists()]
    parts = [INTRODUCTION, describe().markdown(), summary(kept)]
    parts += [section(one) for one in kept]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def summary(kept: Sequence[dict[str, Any]]) -> str:
    """All targets in one table."""
    headings = ("target", "promised", "measured", "met")
    reports = [Report.from_dict(one["report"]) for one in kept]
    rows = [target.cells() for report in reports for target in report.targets]
    return "## Targets\n\n" + Table(headings, rows).markdown()


def section(kept: dict[str, Any]) -> str:
    """One report, its command, and when and under what load it was made."""
    made = (
        f"`{kept['command']}`, {kept['date']} UTC, {kept['seconds']:.0f} s; "
        f"load before it: {kept['load']:.1f}."
    )
    return as_markdown(Report.from_dict(kept["report"])) + "\n" + made


def main() -> None:
    known = (*BENCHMARKS, *BY_NAME)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=inspect.getdoc(sys.modules["__main__"]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    parser.add_argument(
        "--corpus",
        type=Path,
        help=f"tagged photos, for {', '.join(sorted(WITH_CORPUS))}",
    )
    words = parser.parse_args()
    if unknown := set(words.names) - set(known):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    folder = ROOT / "build" / ("benchmarks-quick" if words.quick else "benchmarks")
    names = words.names or BENCHMARKS
    failed = [name for name in names if not run(name, words, folder)]
    written = folder / "performance.md" if words.quick else PAGE
    written.write_text(page(folder), "utf-8")
    say(f"== {written.relative_to(ROOT)}")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
