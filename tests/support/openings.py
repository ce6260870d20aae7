"""Counting how often a process opens a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_COUNTED: dict[str, int] = {}


def _count(event: str, arguments: tuple) -> None:
    if event == "open" and _COUNTED and isinstance(arguments[0], str | bytes | Path):
        path = os.fspath(arguments[0])
        name = os.fsdecode(path)
        if name in _COUNTED:
            _COUNTED[name] += 1


@contextmanager
def openings(path: Path) -> Iterator[list[int]]:
    """Put into the list, at the end, how often `path` was opened inside."""
    if not hasattr(sys, "_lablr_counts_openings"):
        sys.addaudithook(_count)  # there is no way to take one away
        sys._lablr_counts_openings = True
    _COUNTED[str(path)] = 0
    found: list[int] = []
    try:
        yield found
    finally:
        found.append(_COUNTED.pop(str(path)))
