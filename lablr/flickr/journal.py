"""What has been done so far with Flickr: a file that is only ever added to.

One JSON object a line, added in one write; a line that a kill or a full disk cut short
is dropped when the journal is opened again. A download adds a line after what it tells
of lies whole on the disk, and does it again when the line is not there; a push adds
lines before and after, each flushed to the disk.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lablr.errors import DownloadError
from lablr.system.whole_file import whole_lines

__all__ = ["DownloadJournal"]

Entry = dict[str, Any]


class DownloadJournal:
    """The journal at ``path``, which one process at a time may hold.

    ``busy`` says who else may hold it; ``flushes`` that a line outlasts a power cut
    when `add` returns; ``mode`` who may read it.
    Raises DownloadError when another does, or when it cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        busy: str = "another download is writing there",
        flushes: bool = False,
        mode: int = 0o644,
    ) -> None:
        self._path, self._flushes = path, flushes
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(
                path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, mode
            )
        except OSError as error:
            raise self._refused(error) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise DownloadError(f"{path.parent}: {busy}") from error

    def entries(self) -> Iterator[Entry]:
        """Yield the entries in their order, and drop a torn end."""
        return whole_lines(self._path, self._descriptor, DownloadError)

    def add(self, entry: Entry) -> None:
        """Add an entry; raises DownloadError, and adds nothing, on a full disk."""
        line = (json.dumps(entry, separators=(",", ":")) + "\n").encode("ascii")
        size = os.fstat(self._descriptor).st_size
        try:
            if os.write(self._descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if self._flushes:
                os.fsync(self._descriptor)
        except OSError as error:
            os.ftruncate(self._descriptor, size)
            raise self._refused(error) from error

    def close(self) -> None:
        """Let others have it."""
        os.close(self._descriptor)

    def _refused(self, error: OSError) -> DownloadError:
        return DownloadError(f"{self._path}: cannot be written: {error.strerror}")
