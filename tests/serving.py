"""The real server in its own process, and photos to send to it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


BOUNDARY = "----lablr-test"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def form_of(photo: bytes, name: str = "photo.jpg") -> bytes:
    """The body of a form with one photo.

    Written by hand, because Werkzeug's test client lays large forms into temporary
    files, and temporary files are what several tests look for.
    """
    head = (
        f"--{BOUNDARY}\r\n"
        f'Content-Disposition: form-data; name="photo"; filename="{name}"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    return head.encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()


@dataclass(frozen=True)
class Server:
    """A server that answers at ``url``, as process."""

    url: str
    port: int
    process: subprocess.Popen[str]


@contextmanager
def running_server(folder: Path, **settings: str) -> Iterator[Server]:
    """``lablr serve`` on a free port, its temporary files in `folder`."""
    environment = {**os.environ, "TMPDIR": str(folder), **settings}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "lablr", "serve", "--port", "0"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield _listening(process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        finally:
            process.kill()
            process.stderr.close()


def _listening(process: subprocess.Popen[str]) -> Server:
    """Wait until the server says where it listens."""
    said = []
    for line in process.stderr:
        said.append(line)
        found = re.search(r"http://[\w.]+:(\d+)", line)
        if found:
            return Server(found[0], int(found[1]), process)
    raise AssertionError(f"the server did not start: {''.join(said)}")
