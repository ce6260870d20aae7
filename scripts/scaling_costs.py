#!/usr/bin/env python3
"""Write the tables of docs/scaling.md from the figures of docs/performance.md.

``make docs`` runs it. A figure that docs/performance.md does not hold yet is left
out, and the command that measures it stands in its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
BEGIN, END = "<!-- costs: begin -->\n", "<!-- costs: end -->\n"

AMOUNTS = {"1 million": 1e6, "1 billion": 1e9}
EPOCHS = 10
CALLS_AN_HOUR = 3600
PHOTOS_A_CALL = 500
PHOTOS_A_TAG = 4000

# Bytes a photo: measured on the benchmarks' JPEGs (docs/performance.md), and on the
# corpus of the bundled model (12,190 JPEGs of 100 to 288 pixels).
KILOBYTES = {
    "as downloaded, 1280 x 854": 300,
    "resized, 224 x 224": 12.1,
    "a record of photos.jsonl": 0.15,
}

Page = dict[tuple[str, str], list[float]]


@dataclass(frozen=True)
class Stage:
    """A step of the way, and how its core milliseconds a photo follow from figures."""

    name: str
    core_ms: Callable[[Page, float], float]
    benchmark: str


STAGES = (
    Stage(
        "resize, of 4.4 megapixels",
        lambda page, cores: (
            1000 * cores / page["Resizing a corpus", "`resize_corpus`"][0]
        ),
        "resize",
    ),
    Stage(
        f"train, {EPOCHS} epochs, fine-tuned at 192 px",
        lambda page, cores: (
            EPOCHS
            * 1000
            * cores
            / page["Training", "EfficientNet-Lite2, fine-tuned at 192 px"][1]
        ),
        "training",
    ),
    Stage("fit", lambda page, cores: page["Fitting", "threads"][1], "fitting"),
    Stage(
        "label",
        lambda page, cores: (
            1000 * cores / page["Many photos", "`suggest_many`, 1280 x 854"][0]
        ),
        "many_photos",
    ),
)


def figures(text: str) -> Page:
    """The first number of each cell of a row, by its section and its first cell."""
    found: Page = {}
    title = ""
    for line in text.splitlines():
        if line.startswith("## "):
            title = line[3:]
        elif line.startswith("| "):
            name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            numbers = [re.match(r"\d[\d,]*(?:\.\d+)?", cell) for cell in cells]
            found[title, name] = [
                float(number[0].replace(",", "")) if number else float("nan")
                for number in numbers
            ]
    return found


def costs(performance: str) -> str:
    """The tables, as Markdown."""
    page = figures(performance)
    return "\n".join([*_core_hours(page), "", *_the_rest(page)]) + "\n"


def _core_hours(page: Page) -> Iterator[str]:
    cores = page["", "cores"][0]
    yield "| step | core ms a photo | core hours, 1 million | core hours, 1 billion |"
    yield "| --- | ---: | ---: | ---: |"
    for stage in STAGES:
        try:
            core_ms = stage.core_ms(page, cores)
        except KeyError:
            yield (
                f"| {stage.name} | **not measured**: "
                f"`python -m benchmarks {stage.benchmark}`, then `make docs` | | |"
            )
            continue
        hours = [amount * core_ms / 3.6e6 for amount in AMOUNTS.values()]
        cells = [f"{core_ms:.1f}", *(f"{total:,.0f}" for total in hours)]
        yield f"| {stage.name} | {' | '.join(cells)} |"


def _the_rest(page: Page) -> Iterator[str]:
    yield f"| | {' | '.join(AMOUNTS)} |"
    yield "| --- | ---: | ---: |"
    calls = [amount / PHOTOS_A_CALL for amount in AMOUNTS.values()]
    yield _row("search calls", calls, 1, ",.0f")
    yield _row("hours of them, at 3,600 an hour", calls, CALLS_AN_HOUR, ",.1f")
    yield _row(
        "tags needed, at 4,000 photos each", AMOUNTS.values(), PHOTOS_A_TAG, ",.0f"
    )
    hours = "hours to fetch the pictures, small ones 20 ms away"
    seconds = page.get(("Downloading", "a round trip of 20 ms"))
    if seconds is None:
        yield f"| {hours} | **not measured**: `python -m benchmarks download` | |"
    else:
        a_thousand = seconds[1] / 3600  # hours; the benchmark fetches 1,000
        yield _row(hours, AMOUNTS.values(), 1000 / a_thousand, ",.1f")
    for name, kilobytes in KILOBYTES.items():
        yield _row(f"GB, {name}", AMOUNTS.values(), 1e6 / kilobytes, ",.2f")


def _row(name: str, amounts: Iterable[float], divisor: float, style: str) -> str:
    cells = [f"{amount / divisor:{style}}" for amount in amounts]
    return f"| {name} | {' | '.join(cells)} |"


def page() -> str:
    """docs/scaling.md as it should be."""
    text = (DOCS / "scaling.md").read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = costs((DOCS / "performance.md").read_text(encoding="utf-8"))
    return f"{before}{BEGIN}\n{tables}\n{END}{after}"


if __name__ == "__main__":
    (DOCS / "scaling.md").write_text(page(), encoding="utf-8")
