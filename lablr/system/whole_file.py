"""A file that is written whole or not at all, whenever the process is stopped."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from lablr.errors import LablrError


def write_whole(
    path: Path,
    write: Callable[[BinaryIO], Any],
    *,
    private: bool = False,
    unfinished: Path | None = None,
    before: Callable[[Path], Any] | None = None,
    is_new: bool = False,
    flushes_name: bool = True,
) -> None:
    """Write a file under another name, flush it to the disk and rename it.

    What a killed process left under the other name is replaced by the next, and a link
    there is not followed.

    private : nobody else may read it, at no moment (mode 600).
    unfinished : the other name, in the same file system (default: ``NAME.partial``).
    before : called with the other name when the file is whole, just before it is
        renamed; what it raises leaves everything as it was.
    is_new : raise FileExistsError where there is such a file by then.
    flushes_name : make the new name outlast a power cut, too; a caller that writes many
        files may call `flush_folder` once.

    Raises OSError when the system refuses, as with a full disk.
    """
    unfinished = unfinished or path.with_name(path.name + ".partial")
    mode = 0o600 if private else 0o666
    try:
        # A program that has an older one open does not see the new bytes.
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if before is not None:
            before(unfinished)
        _name(unfinished, path, is_new)
    except BaseException as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == str(unfinished):
            error.filename = str(path)  # the name that somebody gave
        raise
    if flushes_name:
        flush_folder(path.parent)


def write_bytes(path: Path, content: bytes, **options: Any) -> None:
    """Write these bytes as `write_whole` does, with its options."""
    write_whole(path, lambda file: file.write(content), **options)


@contextmanager
def refused_as(
    kind: type[LablrError], path: object, what: str = "cannot be written"
) -> Iterator[None]:
    """Raise an error of a kind, which names the path, for what the system refuses."""
    try:
        yield
    except OSError as error:
        raise kind(f"{path}: {what}: {error.strerror or error}") from error


def _name(unfinished: Path, path: Path, is_new: bool) -> None:
    if is_new:
        # A link, unlike a rename, fails where somebody made such a file meanwhile.
        try:
            os.link(unfinished, path, follow_symlinks=False)
        except FileExistsError:
            raise
        except OSError as error:  # a file system without links
            if os.path.lexists(path):
                raise FileExistsError(
                    errno.EEXIST, os.strerror(errno.EEXIST), str(path)
                ) from error
        else:
            unfinished.unlink()
            return
    unfinished.replace(path)


def flush_folder(folder: Path) -> None:
    """Make the names in a folder outlast a power cut, where the system can do so."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # a folder that may be written, but not read
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network disks
            raise
    finally:
        os.close(descriptor)
