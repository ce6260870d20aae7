"""A folder that is replaced as a whole, and read while that happens.

A folder cannot be replaced by another in one step on every system. So the new one
is written whole into ``.NAME.new`` beside the old one and flushed to disk; the old
folder is renamed to ``.NAME.old``, the new one into its place, and the old one
removed. Between the two renames, some microseconds, there is no folder ``NAME``: a
reader that finds none reads ``.NAME.old``, and goes on doing so when the writer died
just there, until the next writer puts things right. Writers wait for one another by
a lock on the folder above, which ends with their process.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from lablr.errors import BundleError
from lablr.system.locks import locked_folder
from lablr.system.whole_file import flush_folder, refused_as, write_bytes


def swap_folder(
    target: Path,
    files: Mapping[str, bytes],
    is_ours: Callable[[Path, list[str]], bool],
) -> None:
    """Put a folder of these files in the target's place, whole or not at all.

    Other plain files of the old folder are kept. ``is_ours(target, their names)``
    returns whether the old folder may be replaced, so that nobody's photos are
    lost. Raises BundleError when it may not, holds more than plain files, or when
    the new folder cannot be written.
    """
    target = target.resolve()
    with refused_as(BundleError, target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked_folder(target.parent) as parent:
            _swap(target, files, is_ours, parent)


def open_folder(place: Path) -> int:
    """Return a descriptor of a folder, or of the one set aside for a new one.

    Files opened through it are of one folder, whatever its name leads to since.
    Raises BundleError when there is none.
    """
    # The name comes a third time because a swap may end between the first two.
    for candidate in (place, _aside(place), place):
        try:
            return os.open(candidate, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise BundleError(f"{place}: {error.strerror}") from error
    raise BundleError(f"{place}: no such folder")


def still_leads_to(place: Path, opened: int) -> bool:
    """Return whether a folder's name still leads to the folder that was opened."""
    try:
        return os.path.samestat(place.stat(), os.fstat(opened))
    except OSError:
        return False


def _swap(
    target: Path,
    files: Mapping[str, bytes],
    is_ours: Callable[[Path, list[str]], bool],
    parent: int,
) -> None:
    new = target.parent / f".{target.name}.new"
    old = _aside(target)
    _clear_up(target, new, old)
    kept = _files_to_keep(target, files, is_ours)
    try:
        new.mkdir()
        for name, content in files.items():
            write_bytes(new / name, content, flushes_name=False)
        for path in kept:
            shutil.copy2(path, new / path.name)
        flush_folder(new)
        if target.exists():
            target.rename(old)
        new.rename(target)
        os.fsync(parent)
    finally:
        _clear_up(target, new, old)


def _clear_up(target: Path, new: Path, old: Path) -> None:
    """Clear up after a writer that failed or was killed."""
    if old.exists() and not target.exists():
        old.rename(target)
    for leftover in (new, old):
        if leftover.exists():
            shutil.rmtree(leftover)


def _files_to_keep(
    target: Path,
    files: Mapping[str, bytes],
    is_ours: Callable[[Path, list[str]], bool],
) -> list[Path]:
    if not target.exists():
        return []
    if not target.is_dir():
        raise BundleError(f"{target}: not a folder")
    # Importing an __init__.py beside the files makes a __pycache__; it may go.
    names = {*files, "__pycache__"}
    others = [path for path in target.iterdir() if path.name not in names]
    if not is_ours(target, [path.name for path in others]):
        raise BundleError(f"{target}: holds other files; name another folder")
    for path in others:
        if path.is_symlink() or not path.is_file():
            raise BundleError(
                f"{target}: {path.name} is not a plain file; name another folder"
            )
    return others


def _aside(target: Path) -> Path:
    """Return where the old folder lies while a new one takes its place."""
    resolved = target.resolve()
    return resolved.parent / f".{resolved.name}.old"
