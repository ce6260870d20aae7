"""A Flickr for the tests: its REST protocol and photo hosts over real HTTP.

``fault`` decides, for every request, what goes wrong with it: it is called with
("rest" or "photo", what is asked for, how often that was asked for before) and
returns the name of a fault or None. ``spread_faults`` makes one that is the same
whatever order the requests come in.
"""

from __future__ import annotations

import importlib.util
import io
import json
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from PIL import Image

KEY, SECRET = "k3yk3yk3yk3y", "s3cr3ts3cr3t"
WORDS = ("sea", "sunset", "cat", "flower", "city", "night", "tree")
REST_FAULTS = (
    "429",
    "429 later",
    "500",
    "502",
    "503",
    "stall",
    "cut",
    "short",
    "html",
    "fail 105",
    "fail 201",
)
PHOTO_FAULTS = (
    "429",
    "429 later",
    "500",
    "502",
    "503",
    "stall",
    "drip",
    "cut",
    "short",
    "truncated",
    "html",
    "unavailable",
    "oversized",
    "no image",
    "redirect loop",
    "404",
)
Fault = Callable[[str, str, int], "str | None"]


def spread_faults(share: float, seed: int = 0) -> Fault:
    """Return faults of every kind on this share of the requests."""

    def fault(kind: str, what: str, n_before: int) -> str | None:
        chance = random.Random(f"{seed} {kind} {what} {n_before}")
        if chance.random() >= share:
            return None
        return chance.choice(REST_FAULTS if kind == "rest" else PHOTO_FAULTS)

    return fault


@cache
def real_photos() -> list[Image.Image]:
    """The photos that scikit-learn and scikit-image ship."""
    names = (
        "sklearn/datasets/images/china.jpg",
        "sklearn/datasets/images/flower.jpg",
        "skimage/data/astronaut.png",
        "skimage/data/chelsea.png",
        "skimage/data/coffee.png",
    )
    photos = []
    for name in names:
        package, _, file = name.partition("/")
        spec = importlib.util.find_spec(package)
        with Image.open(Path(spec.origin).parent / file) as photo:
            photos.append(photo.convert("RGB"))
    return photos


@cache
def picture(number: int, side: int = 96) -> bytes:
    """A JPEG cut out of a real photo, another for every number."""
    chance = random.Random(number)
    photo = real_photos()[number % len(real_photos())]
    left, top = (chance.randrange(length - 200) for length in photo.size)
    crop = photo.resize((side, side), box=(left, top, left + 200, top + 200))
    stream = io.BytesIO()
    crop.save(stream, "JPEG", quality=85)
    return stream.getvalue()


@cache
def unavailable_picture() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (96, 72), (238, 238, 238)).save(stream, "PNG")
    return stream.getvalue()


class FlickrServer(ThreadingHTTPServer):
    """Serves ``n_photos`` photos; photo i carries the i-th word and some more."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, n_photos: int, side: int = 96) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.n_photos, self.side = n_photos, side
        self.fault: Fault = lambda kind, what, n_before: None
        self.before_answer: Callable[[int], object] = lambda n_requests: None
        self.pages_said: Callable[[int, int], int] = lambda page, pages: pages
        self.hot = ["sea", "cat"]
        self.sizes = "tsnmzclo"
        self.closing = threading.Event()
        self.asked: Counter[tuple[str, str]] = Counter()
        self.faults: Counter[str] = Counter()
        self.calls: list[dict[str, str]] = []
        self._turn = threading.Lock()

    def tags_of(self, number: int) -> list[str]:
        return [WORDS[number % len(WORDS)], WORDS[number % 5], f"photo{number}"]

    def numbers_of(self, tag: str) -> list[int]:
        return [n for n in range(self.n_photos) if tag in self.tags_of(n)]

    def fault_of(self, kind: str, what: str) -> str | None:
        with self._turn:
            n_before = self.asked[kind, what]
            self.asked[kind, what] += 1
            fault = self.fault(kind, what, n_before)
            self.faults[f"{kind} {fault}"] += 1
            self.before_answer(sum(self.asked.values()))
        return fault

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up or are killed."""


@contextmanager
def serving(n_photos: int, **options: int) -> Iterator[FlickrServer]:
    """Run a Flickr in a thread."""
    server = FlickrServer(n_photos, **options)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: FlickrServer
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        call = {name: values[0] for name, values in parse_qs(body).items()}
        if urlsplit(self.path).path != "/services/rest/":
            return self._send(404, b"not found", "text/plain")
        self.server.calls.append(call)
        what = f"{call['method']} {call.get('tags')} {call.get('page')}"
        fault = self.server.fault_of("rest", what)
        if fault and fault.startswith("fail "):
            return self._json({"stat": "fail", "code": int(fault[5:]), "message": "no"})
        if f'oauth_consumer_key="{KEY}"' not in self.headers["Authorization"]:
            message = "Invalid API Key (Key has invalid format)"
            return self._json({"stat": "fail", "code": 100, "message": message})
        answer = json.dumps(self._answer(call)).encode()
        return self._faulty(fault, answer, "application/json")

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.endswith("photo_unavailable.png"):
            return self._send(200, unavailable_picture(), "image/png")
        number = int(path.rpartition("/")[2].partition("_")[0])
        fault = self.server.fault_of("photo", str(number))
        return self._faulty(fault, picture(number, self.server.side), "image/jpeg")

    def _answer(self, call: dict[str, str]) -> dict[str, object]:
        if call["method"] == "flickr.tags.getHotList":
            tags = [{"_content": tag} for tag in self.server.hot]
            return {"hottags": {"count": len(tags), "tag": tags}, "stat": "ok"}
        if call["method"] != "flickr.photos.search":
            return {"stat": "fail", "code": 112, "message": "Method not found"}
        numbers = self.server.numbers_of(call["tags"])
        page, per_page = int(call["page"]), int(call["per_page"])
        pages = -(-len(numbers) // per_page)
        # As Flickr does, a page beyond the last repeats the last.
        start = (min(page, pages) - 1) * per_page
        photos = {
            "page": page,
            "pages": self.server.pages_said(page, pages),
            "perpage": per_page,
            "total": len(numbers),
            "photo": [self._record(n) for n in numbers[start : start + per_page]],
        }
        return {"photos": photos, "stat": "ok"}

    def _record(self, number: int) -> dict[str, object]:
        side = self.server.side
        record: dict[str, object] = {
            "id": str(1000 + number),
            "owner": f"{number % 9}@N01",
            "ownername": f"Zoë {number % 9}",
            "title": f"Photo\t{number}\nof a day",
            "license": str(number % 10 + 1),
            "views": str(number * 3),
            "tags": " ".join([*self.server.tags_of(number)[1:], "geo:lat=52", "新宿"]),
        }
        for size in self.server.sizes:
            record[f"url_{size}"] = f"{self.server.url}/photos/{number}_{size}.jpg"
            record[f"width_{size}"] = record[f"height_{size}"] = side
        return record

    def _json(self, answer: dict[str, object]) -> None:
        self._send(200, json.dumps(answer).encode(), "application/json")

    def _send(
        self, status: int, body: bytes, kind: str, n_said: int | None = None, **extra
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(n_said or len(body)))
        for name, value in extra.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _faulty(self, fault: str | None, body: bytes, kind: str) -> None:
        """Send a body, or what the fault makes of it."""
        if fault is None:
            self._send(200, body, kind)
        elif fault == "429 later":
            self._send(429, b"slow down", "text/plain", Retry_After="7")
        elif fault.isdecimal():
            self._send(int(fault), b"<html>no</html>", "text/html")
        elif fault == "stall":
            self.server.closing.wait()
        elif fault == "cut":
            self._reset()
        elif fault == "short":
            self._send(200, body[: len(body) // 2], kind, n_said=len(body))
            self.close_connection = True
        elif fault == "drip":
            self._drip(body, kind)
        elif fault == "html":
            self._send(200, b"<html>Please log in</html>", "text/html")
        elif fault == "truncated":
            self._send(200, body[: len(body) // 2], kind)
        elif fault == "no image":
            self._send(200, b"II*\0 this is no photo", kind)
        elif fault == "oversized":
            self._send(200, b"\xff\xd8" + bytes(1000), kind, n_said=1 << 40)
            self.close_connection = True
        elif fault == "unavailable":
            place = f"{self.server.url}/images/photo_unavailable.png"
            self._send(302, b"", "text/plain", Location=place)
        elif fault == "same picture":
            self._send(200, picture(-1), kind)
        elif fault == "PNG":
            self._send(200, unavailable_picture(), "image/png")
        else:
            self._send(302, b"", "text/plain", Location=self.path)

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
