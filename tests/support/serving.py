"""The real server in its own process, and photos to send to it."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from places import ROOT

from lablr.bundle import Bundle

SERVE = (sys.executable, "-W", "error", "-m", "lablr", "serve", "--port", "0")

BOUNDARY = "----lablr-test"
SUGGESTIONS = "/api/v1/suggestions"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def n_latent() -> int:
    """Size of the bundled model's latents."""
    return len(Bundle.load().latent_map["mean"])


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
    """A server that answers at ``url``; `process` is its supervisor."""

    url: str
    port: int
    process: subprocess.Popen[str]

    def connect(self) -> http.client.HTTPConnection:
        """A new connection that waits long enough for any machine."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def request(self, method, path, body=None, headers=None, **options):
        """One request, one connection; returns status, headers and body."""
        connection = self.connect()
        try:
            connection.request(method, path, body, headers or {}, **options)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def suggest(self, photo: bytes, query: str = ""):
        """Send a photo to the API; returns status, headers and body."""
        kind = {"Content-Type": MULTIPART}
        return self.request("POST", SUGGESTIONS + query, form_of(photo), kind)

    def worker(self) -> int:
        """The process id of the supervisor's one child."""
        (worker,) = children_of(self.process.pid)
        return worker


def children_of(parent: int) -> list[int]:
    """The process ids of a process's living children."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            # "pid (name) state parent ...", where the name may hold anything
            state, its_parent = status.read_text().rpartition(")")[2].split()[:2]
            if int(its_parent) == parent and state != "Z":
                found.append(int(status.parent.name))
    return found


def wait_for_end(pidfd: int, timeout_s: float = 60) -> None:
    """Wait until a process that `os.pidfd_open` opened has ended."""
    ended, _, _ = select.select([pidfd], [], [], timeout_s)
    assert ended, f"the process still runs after {timeout_s} s"


@contextmanager
def running_server(
    folder: Path, command: Sequence[str] = SERVE, **settings: str
) -> Iterator[Server]:
    """``lablr serve`` on a free port, its temporary files in `folder`."""
    environment = {**os.environ, "TMPDIR": str(folder), **settings}
    process = subprocess.Popen(
        command,
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
