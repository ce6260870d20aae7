"""Progress of the library's long functions, drawn on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import click

__all__ = ["progress_bar"]

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
