"""Serve the application with waitress: bounded, in memory, stopped gracefully.

Waitress reads a request to its end before a thread sees it, so clients that
stall their uploads hold a socket and no thread. What it does not do by itself is
done here: bodies stay out of temporary files, one that is too large is read to
its end without being kept (a browser shows our answer instead of a torn
connection), its own errors have our shape, and a stop lets running requests end.
"""

from __future__ import annotations

import io
import json
import logging
import secrets
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import IO, Any

import waitress
from flask import Flask
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.task import ErrorTask

__all__ = ["serve"]

log = logging.getLogger("lablr.web")

MAX_DRAINED_BYTES = 64 << 20  # larger bodies are cut off, not read to their end
MAX_HEADER_BYTES = 32 << 10
MAX_CONNECTIONS = 500
IDLE_TIMEOUT_S = 30
SPARE_THREADS = 4  # answer health checks and refusals while the model is busy
SETTLE_S = 2.0  # after a stop, what had already arrived is still taken in
GRACE_S = 20.0  # what running requests get to finish after a stop


def serve(
    app: Flask,
    host: str = "127.0.0.1",
    port: int = 8000,
    on_listening: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what runs.

    on_listening: called with the address once connections are accepted; with
    port 0 the system chose one.

    Raises
    ------
    OSError : the address cannot be listened on.
    """
    settings = app.extensions["lablr.settings"]
    listener = _listen(host, port)
    sockets: dict[int, Any] = {}
    server = waitress.create_server(
        app,
        map=sockets,
        sockets=[listener],
        threads=settings.max_running + settings.max_waiting + SPARE_THREADS,
        connection_limit=MAX_CONNECTIONS,
        channel_timeout=IDLE_TIMEOUT_S,
        cleanup_interval=5,
        max_request_header_size=MAX_HEADER_BYTES,
        max_request_body_size=MAX_DRAINED_BYTES,
        outbuf_overflow=64 << 20,  # answers, too, stay out of temporary files
        asyncore_use_poll=True,
        ident=None,
        clear_untrusted_proxy_headers=True,
    )
    server.channel_class = _channel_class(app.config["MAX_CONTENT_LENGTH"])
    if on_listening is not None:
        name = f"[{host}]" if ":" in host else host
        on_listening(f"http://{name}:{listener.getsockname()[1]}")
    _run(server, sockets)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)


# ------------------------------------------------------------------ bounded bodies


class _Body:
    """A request's body in memory; beyond `max_bytes` it is counted, not kept.

    The application sees the full length in CONTENT_LENGTH and refuses it.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._length = 0
        self._file = io.BytesIO()

    def append(self, data: bytes) -> None:
        self._length += len(data)
        if self._length <= self._max_bytes:
            self._file.write(data)
        elif self._file.tell():
            self._file = io.BytesIO()  # never looked at: let it go

    def __len__(self) -> int:
        return self._length

    def __bool__(self) -> bool:
        return True

    def getfile(self) -> IO[bytes]:
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        self._file.close()


def _channel_class(max_body_bytes: int) -> type:
    class Parser(HTTPRequestParser):  # type: ignore[misc]
        def parse_header(self, header_plus: bytes) -> None:
            super().parse_header(header_plus)
            if self.body_rcv is not None:
                self.body_rcv.buf = _Body(max_body_bytes)

    class Channel(HTTPChannel):  # type: ignore[misc]
        parser_class = Parser
        error_task_class = _JsonErrorTask

    return Channel


class _JsonErrorTask(ErrorTask):  # type: ignore[misc]
    """Waitress's own refusals (a broken header, an endless body) in our shape."""

    def execute(self) -> None:
        error = self.request.error
        request_id = secrets.token_hex(8)
        details = {
            "code": error.reason.lower().replace(" ", "_"),
            "message": f"{error.reason}.",
            "request_id": request_id,
        }
        body = json.dumps({"error": details}).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [
            ("Content-Type", "application/json"),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Request-Id", request_id),
        ]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


# ------------------------------------------------------------------------ stopping


def _run(server: Any, sockets: dict[int, Any]) -> None:
    stop = threading.Event()

    def ask_to_stop(*_: object) -> None:
        stop.set()
        server.pull_trigger()  # wakes the loop below

    in_main = threading.current_thread() is threading.main_thread()
    signals = (signal.SIGTERM, signal.SIGINT) if in_main else ()
    before = {number: signal.signal(number, ask_to_stop) for number in signals}
    try:
        while not stop.is_set():
            _turn(sockets)
        log.info("stopping: no new connections, running requests finish")
        stopped = time.monotonic()
        while _unread(sockets) and time.monotonic() < stopped + SETTLE_S:
            _turn(sockets, timeout_s=0.05)
        wasyncore.dispatcher.close(server)  # the listening socket, nothing else
        while _busy(server) and time.monotonic() < stopped + GRACE_S:
            _turn(sockets, timeout_s=0.05)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        server.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(sockets, ignore_all=True)


def _turn(sockets: dict[int, Any], timeout_s: float = 1.0) -> None:
    wasyncore.loop(timeout=timeout_s, map=sockets, use_poll=True, count=1)


def _unread(sockets: dict[int, Any]) -> bool:
    """Whether a connection or bytes wait that the loop would take in."""
    poll = select.poll()
    for number, sock in list(sockets.items()):
        if sock.readable():
            poll.register(number, select.POLLIN)
    return bool(poll.poll(0))


def _busy(server: Any) -> bool:
    """Whether a request runs, is queued, or has an answer under way."""
    return any(
        channel.requests or channel.total_outbufs_len
        for channel in list(server.active_channels.values())
    )
