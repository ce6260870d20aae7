"""Request bodies in memory: each bounded, and all of them together.

Waitress reads a body before the application sees the request, and would put a large
one into a temporary file. Here a body stays in memory. One that is too large is read to
its end without being kept, so that the client gets our answer instead of a broken
connection; the application refuses it: by its length when it is too long, by `Busy` on
reading it when the memory was full. Only a client that asks before it sends
(``Expect: 100-continue``, RFC 9110, 10.1.1) is refused at once.
"""

from __future__ import annotations

import io
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.task import ErrorTask
from waitress.utilities import BadRequest, Error

from webapp.http.errors import error_of
from webapp.state.admission import Busy

# The text around the chunks of a body has no bound of its own; nobody uses it.
MAX_CHUNK_LINE_BYTES = 4 << 10
MAX_TRAILER_BYTES = 8 << 10
RETRY_AFTER_S = 5


class BodyMemory:
    """A bound on the bytes that the bodies of all requests hold together."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self.held = 0

    def reserve(self, n_bytes: int) -> bool:
        """Take so many bytes, and return whether there was room for them."""
        with self._lock:
            fits = self.held + n_bytes <= self._max_bytes
            if fits:
                self.held += n_bytes
            return fits

    def has_room(self, n_bytes: int) -> bool:
        """Return whether so many bytes would fit now; takes nothing."""
        with self._lock:
            return self.held + n_bytes <= self._max_bytes

    def give_back(self, n_bytes: int) -> None:
        """Free what was taken."""
        with self._lock:
            self.held -= n_bytes


class Body:
    """A body that waitress writes to: kept up to `max_bytes`, counted beyond."""

    def __init__(self, max_bytes: int, memory: BodyMemory) -> None:
        self._max_bytes = max_bytes
        self._memory = memory
        self._length = 0
        self._n_held = 0
        self._file: io.BytesIO | None = io.BytesIO()

    def append(self, data: bytes) -> None:
        """Keep some more of the body, or drop it all."""
        self._length += len(data)
        if self._file is None:
            return
        if self._length <= self._max_bytes and self._memory.reserve(len(data)):
            self._n_held += len(data)
            self._file.write(data)
        else:
            self.close()

    def __len__(self) -> int:
        return self._length

    def __bool__(self) -> bool:
        return True

    def getfile(self) -> io.BytesIO | NotKept:
        """Return the body from its start."""
        if self._file is None:
            return NotKept()
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Free the memory; a second time does nothing."""
        self._memory.give_back(self._n_held)
        self._n_held = 0
        self._file = None


class NotKept(io.RawIOBase):
    """A body that was dropped: reading it raises `Busy`.

    One that was too long is never read: its length is checked first.
    """

    def readinto(self, buffer: object) -> int:
        """Raise `Busy`."""
        raise Busy(RETRY_AFTER_S)


class RequestTimeout(Error):  # type: ignore[misc]
    """408: a request that took too long to arrive (RFC 9110, 15.5.9)."""

    code = 408
    reason = "Request Timeout"


class MemoryFull(Error):  # type: ignore[misc]
    """503: no room for a body that has not been sent yet (RFC 9110, 15.6.4)."""

    code = 503
    reason = "Service Unavailable"


def channel_class(
    memory: BodyMemory, limit_of: Callable[[str], int], max_upload_s: float
) -> type:
    """Waitress's channel with our bodies.

    limit_of: the path of a request -> the bytes its body may have.
    max_upload_s: seconds from a request's first byte to its last; waitress bounds
    only the time without any byte.
    """

    class Parser(HTTPRequestParser):  # type: ignore[misc]
        error: Any = None

        def __init__(self, adjustments: Any) -> None:
            super().__init__(adjustments)
            self.deadline = time.monotonic() + max_upload_s

        def parse_header(self, header_plus: bytes) -> None:
            super().parse_header(header_plus)
            if self.body_rcv is not None:
                self.body_rcv.buf = Body(limit_of(self.path), memory)

        def received(self, data: bytes) -> int:
            n_consumed: int = super().received(data)
            if self.chunked and self.error is None and _talks_around(self.body_rcv):
                self._refuse(BadRequest("Chunk line or trailer too long"))
            elif not self.completed and time.monotonic() > self.deadline:
                self._refuse(RequestTimeout("The request took too long to arrive"))
            elif self.expect_continue and not memory.has_room(self.content_length):
                self._refuse(MemoryFull("The memory for bodies is full"))
            return n_consumed

        def _refuse(self, error: Error) -> None:
            self.error = error
            self.expect_continue = False  # or the channel would ask for the body
            self.completed = True

    class Channel(HTTPChannel):  # type: ignore[misc]
        parser_class = Parser
        error_task_class = JsonErrorTask

        def handle_close(self) -> None:
            super().handle_close()
            if self.request is not None:  # a body that came half
                self.request.close()

        def check_client_disconnected(self) -> bool:
            """Return whether the client has gone, for a view that takes long.

            Waitress reads nothing more while a request runs, so it would see the end
            of the stream only afterwards. This peeks without reading.
            """
            try:
                next_byte: bytes = self.socket.recv(
                    1, socket.MSG_PEEK | socket.MSG_DONTWAIT
                )
            except BlockingIOError:
                return False
            except OSError:
                return True
            return not next_byte

    return Channel


def _talks_around(receiver: Any) -> bool:
    """Return whether the text around the chunks outgrew its bounds.

    Waitress joins such a line anew with every packet, so that one of 64 MiB would keep
    its loop busy for a minute.
    """
    return (
        len(receiver.control_line) > MAX_CHUNK_LINE_BYTES
        or len(receiver.trailer) > MAX_TRAILER_BYTES
    )


class JsonErrorTask(ErrorTask):  # type: ignore[misc]
    """Waitress's own refusals (a broken header, an endless body) in our shape."""

    def execute(self) -> None:
        error = self.request.error
        request_id = secrets.token_hex(8)
        details = {
            "code": error.reason.lower().replace(" ", "_"),
            "message": f"{error.reason}.",
        }
        if isinstance(error, MemoryFull):
            details = error_of(Busy(RETRY_AFTER_S))
            self.response_headers.append(("Retry-After", str(RETRY_AFTER_S)))
        details["request_id"] = request_id
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
