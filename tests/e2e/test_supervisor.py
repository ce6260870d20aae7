"""The worker is replaced when it dies, and does not outlive its supervisor."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from photo_makers import jpeg
from serving import (
    MULTIPART,
    ROOT,
    SUGGESTIONS,
    Server,
    children_of,
    form_of,
    wait_for_end,
)
from small_app import small_server


@pytest.fixture
def server(tmp_path):
    with small_server(tmp_path) as running:
        yield running
    assert list(tmp_path.iterdir()) == []  # nothing was left in TMPDIR


def half_a_request(server: Server) -> socket.socket:
    """A connection on which a photo is under way to the worker, who has said so."""
    client = socket.create_connection(("127.0.0.1", server.port), timeout=120)
    body = form_of(jpeg())
    head = (
        f"POST {SUGGESTIONS} HTTP/1.1\r\nHost: a\r\nContent-Type: {MULTIPART}\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    client.sendall(head.encode())
    go_on = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert client.recv(len(go_on), socket.MSG_WAITALL) == go_on
    client.sendall(body[:100])
    return client


def until_closed(client: socket.socket) -> bytes:
    """What still comes, whether the other side ends in peace or not."""
    answer = b""
    try:
        while part := client.recv(65536):
            answer += part
    except ConnectionResetError:
        pass
    return answer


def test_a_killed_worker_is_replaced_and_nobody_notices_but_its_own(server):
    worker = server.worker()
    with half_a_request(server) as torn:
        os.kill(worker, signal.SIGKILL)
        # asked while there is no worker: it waits in the queue and is answered
        assert server.suggest(jpeg())[0] == 200
        assert until_closed(torn) == b""
    assert server.worker() != worker
    said = server.process.stderr.readline()
    assert "signal 9 (SIGKILL)" in said
    assert "another starts in 0.5 s" in said


def test_a_worker_that_was_asked_to_end_is_replaced_too(server):
    os.kill(server.worker(), signal.SIGTERM)
    assert "exit status 0" in server.process.stderr.readline()
    assert server.suggest(jpeg())[0] == 200


def test_the_worker_ends_with_its_supervisor(server):
    worker = os.pidfd_open(server.worker())
    try:
        server.process.kill()
        wait_for_end(worker)
    finally:
        os.close(worker)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=60)


def test_the_supervisor_is_small(server):
    """What is not loaded cannot break."""

    def mapped(process: int) -> str:
        return Path(f"/proc/{process}/maps").read_text()

    assert "onnxruntime" in mapped(server.worker())
    assert "onnxruntime" not in mapped(server.process.pid)
    assert "numpy" not in mapped(server.process.pid)


# --- The supervisor alone, with workers that do as a test wants -----------------------

SUPERVISES = """
import os, signal, socket, sys, logging, time
from lablr.cli import supervisor

logging.basicConfig(format="%(message)s")
supervisor.FIRST_PAUSE_S, supervisor.LONGEST_PAUSE_S, supervisor.GRACE_S = 0.1, 0.2, 0.1

def work(on_ready):
    WORK

ready = lambda: print("ready", file=sys.stderr, flush=True)
with socket.create_server(("127.0.0.1", 0)) as listener:
    sys.exit(supervisor.Supervisor(listener, work, ready).run())
"""


def supervise(work: str) -> subprocess.Popen[str]:
    """A supervisor whose workers run this line, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SUPERVISES.replace("WORK", work)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_the_pause_before_a_new_worker_grows_to_its_bound():
    with supervise("on_ready(); os._exit(3)") as process:
        said = [process.stderr.readline() for _ in range(5)]
        process.terminate()  # while it pauses, or not
        assert process.wait(timeout=60) == 0
    assert said[0] == "ready\n"  # once, not for every worker
    assert [line.split()[-2] for line in said[1:]] == ["0.1", "0.2", "0.2", "0.2"]
    assert all("exit status 3" in line for line in said[1:])


@pytest.mark.parametrize(
    ("work", "status"), [("sys.exit(5)", 5), ("os.kill(os.getpid(), 9)", 1)]
)
def test_a_first_worker_that_cannot_start_is_not_tried_again(work, status):
    with supervise(work) as process:
        assert process.wait(timeout=60) == status
        assert process.stderr.read() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_does_not_stop_is_killed(number):
    work = "signal.signal(15, signal.SIG_IGN); on_ready(); time.sleep(600)"
    with supervise(work) as process:
        assert process.stderr.readline() == "ready\n"
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
        assert "did not stop in 0.1 s" in process.stderr.read()
    assert children_of(process.pid) == []


def test_ctrl_c_reaches_the_whole_group_and_stops_it_once(tmp_path):
    with small_server(tmp_path) as server:
        # as a terminal does it: every process of the group gets the signal
        for process in (server.process.pid, server.worker()):
            os.kill(process, signal.SIGINT)
        assert server.process.wait(timeout=60) == 0
        assert server.process.stderr.read() == ""
