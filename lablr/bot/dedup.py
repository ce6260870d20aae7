"""The updates already answered: Telegram may bring one twice, even after a restart."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from pathlib import Path

from lablr.errors import BotError
from lablr.system.whole_file import write_bytes

log = logging.getLogger("lablr.bot")

MAX_KEPT = 1000
MAX_FILE_BYTES = 64 << 10


class Answered:
    """The numbers of the updates answered last, and of those being answered.

    A number is written just before its answer is sent. A process that is killed
    therefore answers no update twice; the one being sent at that moment may get no
    answer.

    file : holds the numbers across restarts; None keeps them in memory.

    Raises BotError when the file cannot be read or written, or holds something else.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._kept: deque[int] = deque(maxlen=MAX_KEPT)
        self._begun: set[int] = set()
        self._writing = asyncio.Lock()
        if file is None:
            return
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if file.exists():
                self._kept.extend(_read(file))
            write_bytes(file, self._text())
        except OSError as error:
            raise BotError(f"{file}: {error.strerror}") from error

    def begin(self, update_id: int) -> bool:
        """Claim an update; returns False if it was answered or is being answered."""
        if update_id in self._kept or update_id in self._begun:
            return False
        self._begun.add(update_id)
        return True

    def end(self, update_id: int) -> None:
        """Release the claim on an update."""
        self._begun.discard(update_id)

    async def keep(self, update_id: int) -> None:
        """Record an update as answered, in the file too."""
        self._kept.append(update_id)
        if self._file is None:
            return
        async with self._writing:
            try:
                await asyncio.to_thread(write_bytes, self._file, self._text())
            except OSError as error:
                log.warning("%s: %s", self._file, error.strerror)

    def _text(self) -> bytes:
        return "".join(f"{number}\n" for number in self._kept).encode()


def _read(file: Path) -> list[int]:
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        text = stream.read(MAX_FILE_BYTES + 1)
    lines = text.decode("ascii", "replace").split()
    if len(text) > MAX_FILE_BYTES or not all(
        line.isascii() and line.isdigit() and len(line) < 20 for line in lines
    ):
        raise BotError(f"{file}: not a list of answered updates; remove the file")
    return [int(line) for line in lines]
