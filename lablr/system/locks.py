"""Locks of open files and folders, which end with the process that holds them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def hold(descriptor: int, busy: Exception | None = None) -> None:
    """Take the lock of an open file or folder until it is closed.

    Waits while another process has it; with ``busy`` raises that instead.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
    except BlockingIOError:
        if busy is None:
            raise
        raise busy from None


@contextmanager
def locked_folder(folder: Path, busy: Exception | None = None) -> Iterator[int]:
    """Hold a folder's lock, see `hold`; yield the descriptor by which to flush it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        hold(descriptor, busy)
        yield descriptor
    finally:
        os.close(descriptor)
