"""The real server: bounded bodies, stalled clients, a graceful stop."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import time
import urllib.request

import pytest
from photo_makers import jpeg
from serving import MULTIPART, Server, form_of, running_server

URL = "/api/v1/suggestions"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with running_server(folder) as running:
        yield running
    assert list(folder.iterdir()) == []  # nothing was left in TMPDIR


def request(server: Server, method: str, path: str, body=None, headers=None, **options):
    """One request, one connection; returns status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(method, path, body, headers or {}, **options)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def send_raw(server: Server, head: bytes) -> bytes:
    """Everything the server answers to raw bytes until it closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        client.sendall(head)
        answer = b""
        while part := client.recv(65536):
            answer += part
        return answer


def test_a_photo_over_the_wire(server, china_jpg):
    body = form_of(china_jpg.read_bytes())
    status, headers, answer = request(
        server, "POST", URL, body, {"Content-Type": MULTIPART}
    )
    assert status == 200
    assert json.loads(answer)["tags"]
    assert "Server" not in headers


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("path", ["/", URL])
def test_an_oversized_body_gets_an_answer_not_a_torn_connection(server, path, chunked):
    body = form_of(bytes(30 << 20))
    parts = (body[start : start + 65536] for start in range(0, len(body), 65536))
    status, _, answer = request(
        server,
        "POST",
        path,
        parts if chunked else body,
        {"Content-Type": MULTIPART},
        encode_chunked=chunked,
    )
    assert status == 413
    assert b"10 MiB" in answer
    if path == URL:
        assert json.loads(answer)["error"]["code"] == "photo_too_large"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nBad Header\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n", 413),
        # as long as the limit: bytes left unread would tear the connection
        (b"GET / HTTP/1.1\r\nX: ".ljust(32 << 10, b"x"), 431),
    ],
)
def test_a_broken_request_gets_our_error_shape(server, head, status):
    top, _, body = send_raw(server, head).partition(b"\r\n\r\n")
    assert top.split()[1] == str(status).encode()
    assert set(json.loads(body)["error"]) == {"code", "message", "request_id"}


def test_stalled_uploads_hold_nobody_up(server, china_jpg):
    head = (
        f"POST {URL} HTTP/1.1\r\nHost: a\r\nContent-Type: {MULTIPART}\r\n"
        "Content-Length: 1000000\r\n\r\n"
    ).encode()
    stalled = [
        socket.create_connection(("127.0.0.1", server.port), timeout=60)
        for _ in range(200)
    ]
    try:
        for client in stalled:
            client.sendall(head + b"--x")
        start = time.monotonic()
        assert request(server, "GET", "/livez")[0] == 200
        assert time.monotonic() - start < 5  # design: 1 s on an idle machine
        body = form_of(china_jpg.read_bytes())
        assert request(server, "POST", URL, body, {"Content-Type": MULTIPART})[0] == 200
    finally:
        for client in stalled:
            client.close()


def test_a_stop_lets_running_requests_finish(tmp_path):
    with running_server(tmp_path, LABLR_MAX_RUNNING="1") as server:
        connections = [
            http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            for _ in range(6)
        ]
        for connection in connections:
            connection.request(
                "POST", URL, form_of(jpeg()), {"Content-Type": MULTIPART}
            )
        server.process.send_signal(signal.SIGTERM)
        answers = [connection.getresponse() for connection in connections]
        assert [answer.status for answer in answers] == [200] * 6
        for connection in connections:
            connection.close()
        assert server.process.wait(timeout=60) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), timeout=5)


def test_a_bundle_that_cannot_be_used_is_said_at_the_start(tmp_path, run_lablr):
    done = run_lablr("serve", "--port", "0", "--bundle", str(tmp_path / "none"))
    assert done.returncode != 0
    assert b"Traceback" not in done.stderr


def test_a_taken_port_is_said_at_the_start(server, run_lablr):
    done = run_lablr("serve", "--port", str(server.port))
    assert done.returncode != 0
    assert b"Traceback" not in done.stderr
    assert str(server.port).encode() in done.stderr


def test_pages_come_from_the_server_too(server):
    with urllib.request.urlopen(f"{server.url}/about", timeout=60) as page:
        assert page.status == 200
