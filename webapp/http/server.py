"""Serve the application with waitress: bounded, in memory, stopped gracefully.

Waitress reads a request to its end before a thread sees it, so clients that stall
their uploads hold a socket and no thread. This module and webapp/http/bodies.py add the
rest: bodies stay in memory and within its bounds, waitress's own errors have our shape,
and a stop lets running requests end.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import waitress
from flask import Flask
from waitress import wasyncore

from webapp.http.bodies import BodyMemory, channel_class
from webapp.http.uploads import body_limit
from webapp.state import state_of

log = logging.getLogger("lablr.web")
# It would warn of every request that waits a moment; admission bounds that.
logging.getLogger("waitress.queue").setLevel(logging.ERROR)

MAX_DRAINED_BYTES = 96 << 20  # larger bodies are cut off, not read to their end
MAX_HEADER_BYTES = 32 << 10
MAX_CONNECTIONS = 500
IDLE_TIMEOUT_S = 30
SPARE_THREADS = 4  # answer health checks and refusals while the model is busy
SETTLE_S = 2.0  # after a stop, for reading what had already arrived
M_ARENA_MAX = -8  # malloc.h
GRACE_S = 20.0  # after a stop, for requests that run


def serve(
    app: Flask,
    listener: socket.socket,
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what runs.

    listener: a listening TCP socket, such as `socket.create_server` makes; it is
    closed at the end. on_ready: called once, just before requests are accepted.
    """
    state = replace(state_of(app), listens_on=listener.getsockname()[0])
    state.store(app)
    settings = state.settings
    state.model.watch(settings.reload_s)
    _share_heaps()
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
        **_proxy(settings.trusted_proxy),
    )
    server.channel_class = channel_class(
        BodyMemory(settings.max_body_memory_mib << 20),
        lambda path: body_limit(app, path),
        settings.max_upload_s,
    )
    if on_ready is not None:
        on_ready()
    _run(server, sockets)


def _share_heaps() -> None:
    """Let all threads allocate from two heaps.

    glibc would give them eight a core, each keeping what a large photo once took:
    380 MiB instead of 230 after 1,200 requests, and still growing. Without glibc
    nothing is done.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def _proxy(address: str | None) -> dict[str, Any]:
    """Believe two headers of one proxy, and nobody else's."""
    if address is None:
        return {"clear_untrusted_proxy_headers": True}
    return {
        "clear_untrusted_proxy_headers": True,
        "trusted_proxy": address,
        "trusted_proxy_count": 1,
        "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto"},
    }


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
    """Return whether a connection or bytes wait that the loop would read."""
    poll = select.poll()
    for number, sock in list(sockets.items()):
        if sock.readable():
            poll.register(number, select.POLLIN)
    return bool(poll.poll(0))


def _busy(server: Any) -> bool:
    """Return whether a request runs, is queued, or has an answer under way."""
    return any(
        channel.requests or channel.total_outbufs_len
        for channel in list(server.active_channels.values())
    )
