"""``lablr serve`` in processes of its own, and what they use."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Server", "half_sent", "multipart_request", "running_server"]

ROOT = Path(__file__).parent.parent
SERVE = (sys.executable, "-m", "lablr", "serve", "--port", "0")
BOUNDARY = "----lablr-benchmark"
START_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Server:
    """A server on 127.0.0.1 that is ready; it took ``start_s`` to become so."""

    port: int
    process: subprocess.Popen[str]
    start_s: float

    def pids(self) -> list[int]:
        """The process that was started and all below it."""
        parents = dict(_parents())
        found = [self.process.pid]
        for pid in found:  # grows while it is walked
            found += [child for child, parent in parents.items() if parent == pid]
        return found

    def resident_mb(self) -> float:
        """Proportional resident memory of all its processes, in MB.

        What two processes share counts half for each.
        """
        return sum(_proportional_bytes(pid) for pid in self.pids()) / 1e6

    def cpu_s(self) -> float:
        """CPU seconds, user and system, that its living processes have used."""
        ticks = sum(_cpu_ticks(pid) for pid in self.pids())
        return ticks / os.sysconf("SC_CLK_TCK")

    def post(self, request: bytes) -> int:
        """The status of one request as `multipart_request` makes it."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as sock:
            sock.sendall(request)
            answer = b""
            while part := sock.recv(1 << 16):
                answer += part
        return int(answer.split(None, 2)[1])

    def get(self, path: str, timeout_s: float = 10.0) -> int:
        """The status of one GET."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=timeout_s
        )
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()


@contextmanager
def running_server(command: Sequence[str] = SERVE, **settings: str) -> Iterator[Server]:
    """Start ``lablr serve`` on a free port, wait for ``/readyz``, and stop it.

    command: another server of the same application, which says where it listens.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        server = Server(_port(process), process, 0.0)
        _wait_until_ready(server)
        yield Server(server.port, process, time.perf_counter() - start)
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        finally:
            process.kill()


def _port(process: subprocess.Popen[str]) -> int:
    """Read where it listens; what it says afterwards is read and let go."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if found := re.search(r"http://[\w.]+:(\d+)", line):
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return int(found[1])
    raise SystemExit(f"the server did not start: {''.join(said)}")


def _wait_until_ready(server: Server) -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end:
        try:
            if server.get("/readyz") == 200:
                return
        except OSError:
            pass  # nobody listens yet
        time.sleep(0.005)
    raise SystemExit("the server listens and does not become ready")


def _parents() -> Iterator[tuple[int, int]]:
    """(process, its parent) of every process."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except OSError:
                continue  # it has ended
            yield int(folder.name), int(stat.rpartition(")")[2].split()[1])


def _cpu_ticks(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    user, system = stat.rpartition(")")[2].split()[11:13]
    return int(user) + int(system)


def _proportional_bytes(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


def half_sent(server: Server, request: bytes) -> socket.socket:
    """A connection on which half of a request has been sent, and no more comes."""
    client = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    client.sendall(request[: len(request) // 2])
    return client


def multipart_request(photo: bytes, path: str = "/api/v1/suggestions?k=10") -> bytes:
    """A whole HTTP request that uploads one photo; the server closes after it."""
    body = (
        f"--{BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="photo"; filename="photo.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    ).encode() + photo
    body += f"\r\n--{BOUNDARY}--\r\n".encode()
    head = (
        f"POST {path} HTTP/1.1\r\n"
        "Host: 127.0.0.1\r\n"
        "Connection: close\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
