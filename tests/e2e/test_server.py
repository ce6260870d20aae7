"""The real server: bounded bodies, stalled clients, a graceful stop."""

from __future__ import annotations

import http.client
import json
import re
import select
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from photo_makers import jpeg, progressive_bomb
from serving import (
    BOUNDARY,
    MULTIPART,
    SERVE,
    SUGGESTIONS,
    Server,
    form_of,
    running_server,
)
from small_app import small_server

EXPLANATIONS = "/api/v1/explanations"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with running_server(folder) as running:
        yield running
    assert list(folder.iterdir()) == []  # nothing was left in TMPDIR


def send_raw(server: Server, head: bytes) -> bytes:
    """Everything the server answers to raw bytes until it closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        client.sendall(head)
        answer = b""
        while part := client.recv(65536):
            answer += part
        return answer


def test_a_photo_over_the_wire(server, china_jpg):
    status, headers, answer = server.suggest(china_jpg.read_bytes())
    assert status == 200
    assert json.loads(answer)["tags"]
    assert "Server" not in headers


def test_a_large_batch_over_the_wire(server, china_jpg):
    end = f"\r\n--{BOUNDARY}--\r\n".encode()
    photo = china_jpg.read_bytes() + bytes(6 << 20)  # trailing bytes are let in
    parts = [form_of(one).removesuffix(end) for one in (photo, b"text", photo, photo)]
    body = b"\r\n".join(parts) + end
    path, kind = f"{SUGGESTIONS}/batch?k=1", {"Content-Type": MULTIPART}
    results = json.loads(server.request("POST", path, body, kind)[2])["results"]
    assert ["error" in result for result in results] == [False, True, False, False]
    assert results[0] == results[2] == results[3]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("path", ["/", SUGGESTIONS])
def test_an_oversized_body_gets_an_answer_not_a_torn_connection(server, path, chunked):
    body = form_of(bytes(30 << 20))
    parts = (body[start : start + 65536] for start in range(0, len(body), 65536))
    status, _, answer = server.request(
        "POST",
        path,
        parts if chunked else body,
        {"Content-Type": MULTIPART},
        encode_chunked=chunked,
    )
    assert status == 413
    assert b"10 MiB" in answer
    if path == SUGGESTIONS:
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


@pytest.mark.parametrize(
    "endless",
    # one byte over the bound, for the reason above
    [b"1;".ljust(4097, b"x"), b"0\r\n" + b"X: ".ljust(8193, b"x")],
    ids=["chunk line", "trailer"],
)
def test_what_stands_around_chunks_is_bounded(server, endless):
    head = (
        f"POST {SUGGESTIONS} HTTP/1.1\r\nHost: a\r\nContent-Type: {MULTIPART}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    ).encode()
    top, _, body = send_raw(server, head + endless).partition(b"\r\n\r\n")
    assert top.split()[1] == b"400"
    assert json.loads(body)["error"]["code"] == "bad_request"


def stalled_upload(server: Server, n_bytes: int) -> socket.socket:
    """A connection that sent so many bytes of a body, and then no more."""
    head = (
        f"POST {SUGGESTIONS} HTTP/1.1\r\nHost: a\r\nContent-Type: {MULTIPART}\r\n"
        "Content-Length: 10000000\r\n\r\n"
    ).encode()
    client = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    client.sendall(head + bytes(n_bytes))
    return client


@pytest.mark.alone
def test_stalled_uploads_hold_nobody_up(server, china_jpg):
    with ExitStack() as stalled:
        for _ in range(200):
            stalled.enter_context(stalled_upload(server, 3))
        start = time.monotonic()
        assert server.request("GET", "/livez")[0] == 200
        assert time.monotonic() - start < 10  # 1 s on an idle machine, see benchmarks/
        assert server.suggest(china_jpg.read_bytes())[0] == 200


def test_an_upload_that_drips_is_cut_off(tmp_path, china_jpg):
    """Each byte comes in time, the last one never would."""
    with small_server(tmp_path, LABLR_MAX_UPLOAD_S="1") as server:
        with stalled_upload(server, 1) as client:
            for _ in range(10_000):
                if select.select([client], [], [], 0.05)[0]:
                    break
                client.sendall(b".")
            answer = b""  # headers and body may come apart
            while b"}" not in answer and (more := client.recv(65536)):
                answer += more
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout")
        assert b'"code": "request_timeout"' in answer
        assert server.suggest(china_jpg.read_bytes())[0] == 200


def until(status: object, ask: Callable[[], tuple]) -> tuple:
    """The first answer of this status; others come before it, but not for long."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        answer = ask()
        if answer[0] == status:
            return answer
    raise AssertionError(f"no answer {status}; the last one is {answer}")


def test_all_bodies_together_have_a_bound(tmp_path, china_jpg):
    photo = china_jpg.read_bytes() + bytes(2 << 20)  # trailing bytes are let in
    with small_server(tmp_path, LABLR_MAX_BODY_MEMORY_MIB="16") as server:
        with ExitStack() as stalled:

            def ask_among_ever_more():
                stalled.enter_context(stalled_upload(server, 1 << 20))
                return server.suggest(photo)

            _, headers, body = until(503, ask_among_ever_more)
            assert json.loads(body)["error"]["code"] == "busy"
            assert int(headers["Retry-After"]) > 0
            form = {"Content-Type": MULTIPART}
            status, _, page = server.request("POST", "/", form_of(photo), form)
            assert status == 503
            assert b"busy" in page
            # what is small still fits in
            assert server.suggest(china_jpg.read_bytes())[0] == 200
        until(200, lambda: server.suggest(photo))  # they left, and gave it back
    assert list(tmp_path.iterdir()) == []


def answer_to_one_who_asks_first(server: Server, body: bytes) -> bytes:
    """All that comes to a client that sends its body only when it is told to."""
    head = (
        f"POST {SUGGESTIONS} HTTP/1.1\r\nHost: a\r\nContent-Type: {MULTIPART}\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n"
        "Connection: close\r\n\r\n"
    )
    go_on = b"HTTP/1.1 100 Continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as client:
        client.sendall(head.encode())
        answer = client.recv(len(go_on))
        if answer == go_on:
            client.sendall(body)
        while part := client.recv(65536):
            answer += part
    return answer


def test_who_asks_before_sending_is_told_at_once_that_there_is_no_room(
    tmp_path, china_jpg
):
    body = form_of(china_jpg.read_bytes() + bytes(2 << 20))
    with small_server(tmp_path, LABLR_MAX_BODY_MEMORY_MIB="16") as server:

        def ask() -> tuple[list[bytes], bytes]:
            answer = answer_to_one_who_asks_first(server, body)
            return re.findall(rb"^HTTP/1.1 (\d+) ", answer, re.MULTILINE), answer

        assert ask()[0] == [b"100", b"200"]
        with ExitStack() as stalled:
            for _ in range(20):
                stalled.enter_context(stalled_upload(server, 1 << 20))
            _, answer = until([b"503"], ask)  # without a 100: the body is not sent
        head, _, said = answer.partition(b"\r\n\r\n")
        assert b"\r\nRetry-After: 5\r\n" in head
        error = json.loads(said)["error"]
        assert error["code"] == "busy"
        assert error["message"].endswith("try again in 5 seconds.")
        until([b"100", b"200"], ask)  # they left, and gave it back
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_not_noticed(tmp_path, china_jpg):
    """No file may grow by a byte: what a full disk is to a program."""
    command = ("sh", "-c", 'ulimit -f 0 && exec "$@"', "sh", *SERVE)
    with small_server(tmp_path, command) as server:
        photo = china_jpg.read_bytes() + bytes(9 << 20)
        assert server.suggest(photo)[0] == 200
        form = {"Content-Type": MULTIPART}
        assert server.request("POST", "/", form_of(photo), form)[0] == 200
        # one that is decoded by a child process
        assert server.suggest(progressive_bomb(4500, 4000, 3))[0] == 200
    assert list(tmp_path.iterdir()) == []


SERVES_WHO_ASKS = """
import socket, sys
from flask import request
from webapp import create_app
from webapp.http.server import serve

app = create_app()
app.add_url_rule("/who", view_func=lambda: request.remote_addr)
listener = socket.create_server(("127.0.0.1", 0))
print(f"http://127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
serve(app, listener)
"""


@pytest.mark.parametrize(
    ("trusted", "seen"), [("", "127.0.0.1"), ("127.0.0.1", "203.0.113.9")]
)
def test_only_a_trusted_proxy_may_say_who_asks(tmp_path, trusted, seen):
    """It is the last of the addresses: the client may have written the others."""
    command = [sys.executable, "-c", SERVES_WHO_ASKS]
    with small_server(tmp_path, command, LABLR_TRUSTED_PROXY=trusted) as server:
        said = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9", "Forwarded": "for=a"}
        assert server.request("GET", "/who", headers=said)[2] == seen.encode()


def test_a_stop_lets_running_requests_finish(tmp_path):
    with running_server(tmp_path, LABLR_MAX_RUNNING="1") as server:
        connections = [
            http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            for _ in range(6)
        ]
        for connection in connections:
            connection.request(
                "POST", SUGGESTIONS, form_of(jpeg()), {"Content-Type": MULTIPART}
            )
        server.process.send_signal(signal.SIGTERM)
        answers = [connection.getresponse() for connection in connections]
        assert [answer.status for answer in answers] == [200] * 6
        for connection in connections:
            connection.close()
        assert server.process.wait(timeout=60) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), timeout=5)


def test_a_bundle_that_cannot_be_used_is_said_at_the_start(tmp_path, lablr_process):
    done = lablr_process("serve", "--port", "0", "--bundle", str(tmp_path / "none"))
    assert done.returncode != 0
    assert b"Traceback" not in done.stderr


def test_a_taken_port_is_said_at_the_start(server, lablr_process):
    done = lablr_process("serve", "--port", str(server.port))
    assert done.returncode != 0
    assert b"Traceback" not in done.stderr
    assert str(server.port).encode() in done.stderr


def test_pages_come_from_the_server_too(server):
    with urllib.request.urlopen(f"{server.url}/about", timeout=60) as page:
        assert page.status == 200


def test_an_explanation_stops_when_the_client_goes_away(tmp_path, china_jpg):
    """Counted as refused, and the place is free for the next."""
    body = form_of(china_jpg.read_bytes())
    with running_server(tmp_path, LABLR_MAX_RUNNING="1") as server:
        client = server.connect()
        kind = {"Content-Type": MULTIPART}
        client.request("POST", EXPLANATIONS + "?tag=sky&saliency=1", body, kind)
        wait_until(server, "lablr_photos_running 1.0")
        client.close()
        wait_until(server, 'lablr_refused_total{reason="bad_request"} 1.0')
        wait_until(server, "lablr_photos_running 0.0")
        status, _, _ = server.request("POST", EXPLANATIONS + "?tag=sky", body, kind)
        assert status == 200


def wait_until(server, line: str) -> None:
    """Ask for the metrics until they say so, or for some minutes."""
    for _ in range(10_000):
        if line in server.request("GET", "/metrics")[2].decode().splitlines():
            return
    raise AssertionError(f"the metrics never say {line}")
