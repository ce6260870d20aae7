"""What can go wrong with an answer, and answers with which it did."""

from __future__ import annotations

import io
import random
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from http.server import BaseHTTPRequestHandler
from typing import Protocol

from PIL import Image

from flickr_server.albums import Album

__all__ = [
    "PHOTO_FAULTS",
    "REST_FAULTS",
    "Fault",
    "FaultyAnswers",
    "spread_faults",
    "unavailable_picture",
]

_BOTH = ("429", "429 later", "500", "502", "503", "stall", "drip", "cut", "short")
_OF_PHOTOS = ("truncated", "unavailable", "oversized", "no image", "redirect loop")
REST_FAULTS = (*_BOTH, "html", "fail 105", "fail 201")
PHOTO_FAULTS = (*_BOTH, "html", *_OF_PHOTOS, "404")

# Called with ("rest" or "photo", what is asked for, how often that was asked for
# before); returns the name of a fault or None. A call is carried out, whatever becomes
# of its answer; of one with "early " before the name of the fault it is not.
Fault = Callable[[str, str, int], "str | None"]


def spread_faults(share: float, seed: int = 0) -> Fault:
    """Return faults of every kind on this share of the requests.

    They are the same whatever order the requests come in.
    """

    def fault(kind: str, what: str, n_before: int) -> str | None:
        chance = random.Random(f"{seed} {kind} {what} {n_before}")
        if chance.random() >= share:
            return None
        return chance.choice(REST_FAULTS if kind == "rest" else PHOTO_FAULTS)

    return fault


@cache
def unavailable_picture() -> bytes:
    """Flickr's "this photo is no longer available", a PNG."""
    stream = io.BytesIO()
    Image.new("RGB", (96, 72), (238, 238, 238)).save(stream, "PNG")
    return stream.getvalue()


class FaultyServer(Protocol):
    """What the answers must know: where they are, and that it is over."""

    url: str
    album: Album
    closing: threading.Event


class FaultyAnswers(BaseHTTPRequestHandler):
    """Sends answers, whole or with a fault."""

    protocol_version = "HTTP/1.1"
    server: FaultyServer

    def setup(self) -> None:
        super().setup()
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def send(
        self, status: int, body: bytes, kind: str, n_said: int | None = None, **extra
    ) -> None:
        """Send an answer; ``n_said`` is a length that is not the body's."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(n_said or len(body)))
        for name, value in extra.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def send_faulty(self, fault: str | None, body: bytes, kind: str) -> None:
        """Send a body, or what the fault makes of it."""
        if fault is None:
            self.send(200, body, kind)
        elif fault == "429 later":
            self.send(429, b"slow down", "text/plain", Retry_After="7")
        elif fault.isdecimal():
            self.send(int(fault), b"<html>no</html>", "text/html")
        elif fault == "stall":
            self.server.closing.wait()
        elif fault == "cut":
            self._reset()
        elif fault == "short":
            self.send(200, body[: len(body) // 2], kind, n_said=len(body))
            self.close_connection = True
        elif fault == "drip":
            self._drip(body, kind)
        elif fault == "html":
            self.send(200, b"<html>Please log in</html>", "text/html")
        elif fault == "oversized":
            self.send(200, b"\xff\xd8" + bytes(1000), kind, n_said=1 << 40)
            self.close_connection = True
        else:
            self._send_other(fault, body, kind)

    def _send_other(self, fault: str, body: bytes, kind: str) -> None:
        """What happens to photos only, and redirects."""
        unavailable = f"{self.server.url}/images/photo_unavailable.png"
        others = {
            "truncated": (200, body[: len(body) // 2], kind),
            "no image": (200, b"II*\0 this is no photo", kind),
            "same picture": (200, self.server.album.picture(-1), kind),
            "PNG": (200, unavailable_picture(), "image/png"),
        }
        if fault in others:
            self.send(*others[fault])
        else:
            loop = f"{self.server.url}/loop"
            self.redirect(unavailable if fault == "unavailable" else loop)

    def redirect(self, place: str) -> None:
        """Send the client elsewhere."""
        self.send(302, b"", "text/plain", Location=place)

    def _reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()

    def _drip(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for byte in body:
            self.wfile.write(bytes([byte]))
            if self.server.closing.wait(0.02):
                return
        with suppress(OSError):
            self.wfile.flush()
