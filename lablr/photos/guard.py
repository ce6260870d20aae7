"""Decode a costly photo in a child process that can be stopped.

A thread that decodes cannot be stopped, and a limit on this process would hit its
other threads. So a photo whose header announces a costly decode is decoded by a child
that limits its own CPU time and memory: bytes in on its standard input, raw pixels out
on its standard output, nothing else in between.

Without ``resource`` (Windows) only the wall clock bounds the child. Where macOS does
not enforce RLIMIT_AS, the bound on pixels is what bounds memory.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import cast

import numpy as np
import PIL

from lablr.errors import BrokenPhoto, PhotoError, PhotoTooLarge
from lablr.photos import pixels
from lablr.photos.header import CORRUPT

_logger = logging.getLogger("lablr")

_STOPPED = (
    "Decoding the photo took longer than {seconds:g} seconds and was stopped. "
    "Save it as an ordinary (not progressive) JPEG, or smaller, and retry."
)
_NO_MEMORY = (
    "Decoding the photo takes more than {mebibytes} MiB of memory. "
    "Save it with fewer pixels and retry."
)
_STOPPED_BY = {
    getattr(signal, name)
    for name in ("SIGKILL", "SIGTERM", "SIGXCPU")
    if hasattr(signal, name)
}
# Two such children at a time are enough to work and too few to fill the memory.
_turns = threading.BoundedSemaphore(2)
# A child that waits for a busy machine has used no CPU; only a stuck one gets here.
_WALL_PER_CPU_SECOND = 6


def decode_guarded(
    essence: bytes,
    kind: str,
    orientation: int,
    size: int | None,
    shape: tuple[int, int, int],
    max_decode_s: float,
    max_decode_bytes: int,
    fit: str = "crop",
) -> np.ndarray:
    """Return what ``pixels.decode_pixels`` gives as (H, W, 3) uint8 of this shape.

    Raises BrokenPhoto where the photo is corrupt or its decode outlives
    ``max_decode_s`` seconds of CPU, PhotoTooLarge where it takes over
    ``max_decode_bytes`` of memory, PhotoError (503) where no child can be run.
    """
    cpu_s = max(1, math.ceil(max_decode_s))
    arguments = [kind, orientation, size or 0, fit, cpu_s, max_decode_bytes]
    image = np.empty(shape, np.uint8)
    try:
        with _turns:
            status, is_whole = _run_child(
                [str(argument) for argument in arguments],
                essence,
                image.data.cast("B"),
                _WALL_PER_CPU_SECOND * cpu_s,
            )
    except (OSError, RuntimeError) as error:  # no more processes, threads or pipes
        raise _cannot_run(repr(error)) from error
    if status == 0 and is_whole:
        return image
    if status == pixels.STATUS_NO_MEMORY:
        raise PhotoTooLarge(_NO_MEMORY.format(mebibytes=max_decode_bytes >> 20))
    if -status in _STOPPED_BY:
        raise BrokenPhoto(_STOPPED.format(seconds=max_decode_s))
    if status < 0 or status == pixels.STATUS_CORRUPT:
        raise BrokenPhoto(CORRUPT)
    raise _cannot_run(f"exit status {status}")


def _cannot_run(reason: str) -> PhotoError:
    """Return the error for a child that failed for no fault of the photo."""
    _logger.error("cannot decode a costly photo in a child process: %s", reason)
    error = PhotoError(
        "This photo is costly to decode, and that is not possible here at present. "
        "Save it as an ordinary JPEG with fewer pixels and retry."
    )
    error.http_status = 503
    return error


def _run_child(
    arguments: list[str], essence: bytes, image: memoryview, wall_s: float
) -> tuple[int, bool]:
    """Return the child's exit status and whether it filled ``image`` to the byte."""
    site = str(Path(PIL.__file__).parent.parent)
    child = subprocess.Popen(
        [_python(), "-I", "-S", str(Path(pixels.__file__)), site, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
    )
    alarm = threading.Timer(wall_s, child.kill)
    try:
        alarm.start()
        # The child reads to the end before it writes, so these cannot block each other.
        # One that ended early says why with its status, not here.
        pipe = cast(io.BufferedWriter, child.stdin)
        with contextlib.suppress(BrokenPipeError), pipe:
            pipe.write(essence)
        n_read = _receive(image, cast(io.BufferedReader, child.stdout))
        return child.wait(), n_read == len(image)
    finally:
        alarm.cancel()
        child.kill()
        child.wait()


def _receive(image: memoryview, pipe: io.BufferedReader) -> int:
    """Fill ``image`` from the pipe and return the number of bytes that came."""
    n_read = 0
    with pipe:
        while n_read < len(image) and (n_new := pipe.readinto(image[n_read:])):
            n_read += n_new
    return n_read


def _python() -> str:
    """Return an interpreter to run: in some servers sys.executable is the server."""
    candidates = [
        Path(sys.executable or "."),
        Path(sys.prefix) / "bin" / "python3",
        Path(sys.prefix) / "python.exe",
    ]
    for candidate in candidates:
        if candidate.name.lower().startswith(("python", "pypy")) and candidate.exists():
            return str(candidate)
    raise FileNotFoundError("no Python interpreter")


def _environment() -> dict[str, str]:
    """Return what a process needs to start, and none of the secrets beside it."""
    names = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
    return {name: os.environ[name] for name in names if name in os.environ}
