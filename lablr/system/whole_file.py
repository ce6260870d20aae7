"""A file that is written whole or not at all, whenever the process is stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["flush_folder", "whole_lines", "write_whole"]


def write_whole(
    path: Path, write: Callable[[BinaryIO], Any], private: bool = False
) -> None:
    """Write a file under another name, flush it to the disk and rename it.

    What a killed process left under the other name is overwritten by the next. With
    ``private`` nobody else may read it, at no moment (mode 600).
    Raises OSError when the system refuses, as with a full disk.
    """
    unfinished = path.with_name(path.name + ".partial")
    try:
        with open(
            unfinished, "wb", opener=_create_private if private else None
        ) as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == str(unfinished):
            error.filename = str(path)  # the name that somebody gave
        raise


def _create_private(path: str, flags: int) -> int:
    # Whoever has an older one open does not see what comes.
    Path(path).unlink(missing_ok=True)
    return os.open(path, flags | os.O_EXCL | os.O_NOFOLLOW, 0o600)


def flush_folder(folder: Path) -> None:
    """Make the names in a folder outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def whole_lines(
    path: Path, descriptor: int, error: type[Exception]
) -> Iterator[dict[str, Any]]:
    """Yield the JSON of every line of a journal in order, and drop a torn end.

    `descriptor` is the journal's, open for writing. Raises `error`, naming the line,
    for one that is whole but no JSON.
    """
    whole = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                break
            try:
                entry = json.loads(line)
            except ValueError as damaged:
                raise error(f"{path}:{number}: damaged") from damaged
            whole += len(line)
            yield entry
    os.ftruncate(descriptor, whole)
