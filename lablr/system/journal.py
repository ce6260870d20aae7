"""A file that is only ever added to: one JSON document a line.

Each line is one write, so a kill or a full disk tears the last line at most; a torn
line is dropped when the journal is read again, for what it records was never
confirmed. One process at a time holds a journal.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from lablr.errors import LablrError
from lablr.system.locks import hold
from lablr.system.whole_file import flush_folder

T = TypeVar("T")

MAX_HEADER_BYTES = 1 << 20
# What reading an entry raises that is JSON, but not of the expected form.
OTHER_FORM = (ValueError, TypeError, LookupError, AttributeError, RecursionError)


class Journal:
    """The journal at ``path``, locked until it is closed.

    error : the class of errors raised: when another process holds the journal, when it
        cannot be written, or is damaged.
    busy : what to say when another process holds it.
    header : the first line of a new journal. Its "made_by", such as "lablr write,
        form 1", must also stand in that of an old one.
    is_durable : flush each line to the disk before `add` returns, and let nobody else
        read the file (mode 600).
    makes_folder : make the folder that it lies in.

    Learned by opening: ``header``, the first line that it has (empty without one), and
    ``is_new``, whether it was begun just now (True without a header).
    """

    def __init__(
        self,
        path: Path,
        error: type[LablrError],
        busy: str,
        header: Mapping[str, Any] | None = None,
        *,
        is_durable: bool = False,
        makes_folder: bool = True,
    ) -> None:
        self.path, self._error, self._is_durable = path, error, is_durable
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        try:
            if makes_folder:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, flags, 0o600 if is_durable else 0o644)
        except OSError as refused:
            raise self._refused(refused) from refused
        try:
            hold(self._descriptor, error(f"{path}: {busy}"))
            self.is_new, self.header = self._begin(header) if header else (True, {})
        except BaseException:
            self.close()
            raise

    def read(
        self, parse: Callable[[Any], T], believes_beginning: bool = False
    ) -> Iterator[T]:
        """Yield what ``parse`` makes of each entry, and drop a torn end.

        For an entry that is damaged, because it is no JSON or ``parse`` raises one of
        OTHER_FORM, an error that names the line is raised; with ``believes_beginning``
        it is dropped with all behind it.
        """
        whole = 0
        with self.path.open("rb") as file:
            if self.header:
                whole += len(file.readline())
            for number, line in enumerate(file, 2 if self.header else 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    parsed = parse(json.loads(line))
                except OTHER_FORM as damage:
                    if believes_beginning:
                        break
                    other = "" if self.header else ", or of another program"
                    where = f"{self.path}:{number}"
                    raise self._error(f"{where}: damaged{other}") from damage
                whole += len(line)
                yield parsed
        os.ftruncate(self._descriptor, whole)

    def add(self, entry: object) -> None:
        """Add an entry; on a full disk raises the error and adds nothing."""
        line = _line(entry)
        size = os.fstat(self._descriptor).st_size
        try:
            if os.write(self._descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if self._is_durable:
                os.fsync(self._descriptor)
        except OSError as error:
            os.ftruncate(self._descriptor, size)
            raise self._refused(error) from error

    def close(self) -> None:
        """Release the journal."""
        os.close(self._descriptor)

    def _begin(self, header: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]]:
        """Return whether the journal is new, and its first line."""
        with self.path.open("rb") as file:
            found = file.readline(MAX_HEADER_BYTES)
        start = _line({"made_by": header["made_by"]})[:-2]  # without "}\n"
        is_ours = found.startswith(start) or start.startswith(found)
        if is_ours and not found.endswith(b"\n"):  # empty, or killed while it began
            os.ftruncate(self._descriptor, 0)
            self.add(header)
            if self._is_durable:
                flush_folder(self.path.parent)
            return True, header
        first = _object(found)
        if first.get("made_by") != header["made_by"]:
            program = header["made_by"].partition(",")[0]
            raise self._error(f"{self.path} is no journal of this {program}")
        return False, first

    def _refused(self, error: OSError) -> LablrError:
        return self._error(f"{self.path}: cannot be written: {error.strerror}")


def _line(entry: object) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode("ascii") + b"\n"


def _object(line: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
