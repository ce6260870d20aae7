"""A secret in a file that nobody else may read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from lablr.errors import LablrError

MAX_BYTES = 4096


def read_private(path: Path, error_type: type[LablrError]) -> str:
    """Return the text of a small file of mode 600.

    Raises ``error_type`` naming the file when it cannot be read, is no regular file
    or may be read by others.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise error_type(f"{path}: not a regular file")
            if status.st_mode & 0o077:
                raise error_type(f"{path}: others may read it; 'chmod 600' it first")
            return file.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise error_type(f"{path}: {error.strerror}") from error
