"""The server: methods of the Bot API, files, and their faults.

Source: https://core.telegram.org/bots/api (making requests, getUpdates, getFile).
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = ["BOT_ID", "TOKEN", "USERNAME", "Sent", "TelegramServer", "serving"]

BOT_ID = 4242
TOKEN = f"{BOT_ID}:canary-AAF_planted-token-of-the-bot_0"
USERNAME = "lablr_test_bot"
LONGEST_POLL_S = 30.0

Fields = dict[str, Any]
# (HTTP status, body) instead of the right answer, or None.
Fault = Callable[[str, int], tuple[int, bytes] | None]


@dataclass(frozen=True)
class Sent:
    """Something the bot sent: the method, its fields, and the picture if any."""

    method: str
    fields: Fields
    picture: bytes | None

    @property
    def text(self) -> str:
        """The text of the message, as HTML."""
        return self.fields.get("text") or self.fields.get("caption") or ""

    @property
    def chat(self) -> int:
        return int(self.fields["chat_id"])

    @property
    def answers(self) -> int:
        """The number of the message that it replies to."""
        return json.loads(self.fields["reply_parameters"])["message_id"]


class TelegramServer(ThreadingHTTPServer):
    """The Bot API on a free port of 127.0.0.1, for one bot.

    fault : returns the fault of a method (or ``"file"``) called the n-th time.
    endless : files that are sent until the client hangs up.
    before : called with a method's name before the method is answered.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.fault: Fault = lambda method, n_before: None
        self.before: Callable[[str], object] = lambda method: None
        self.files: dict[str, bytes] = {}
        self.sizes_said: dict[str, int | None] = {}
        self.sent: list[Sent] = []
        self.calls: list[tuple[str, Fields]] = []
        self.fetched: list[str] = []
        self.n_bytes_sent = 0  # of files without end
        self.endless: set[str] = set()
        self.webhook: Fields = {}
        self.confirmed = 0
        self._updates: list[Fields] = []
        self._next_update, self._next_message = 1000, 1
        self.changed = threading.Condition()
        self.closing = False

    # --- people

    def say(self, text: str, chat: int = 7, **more: Any) -> int:
        """Write a text to the bot; returns the message's number."""
        return self.deliver({"text": text}, chat, **more)

    def send_photo(self, payload: bytes, chat: int = 7, **more: Any) -> int:
        """Send a photo, of which Telegram makes several sizes."""
        sizes = [
            self._file(b"not this size", "small") | {"width": 90, "height": 60},
            self._file(payload, "large") | {"width": 1280, "height": 853},
        ]
        return self.deliver({"photo": sizes}, chat, **more)

    def send_document(
        self, payload: bytes, chat: int = 7, size: int | None = -1, **more: Any
    ) -> int:
        """Send a file; ``size`` is what Telegram says of it, -1 the truth."""
        said = len(payload) if size == -1 else size
        document = self._file(payload, "document", said)
        return self.deliver({"document": document}, chat, **more)

    def deliver(
        self, content: Fields, chat: int = 7, kind: str = "private", **more: Any
    ) -> int:
        """Queue a message; returns its number."""
        with self.changed:
            self._next_message += 1
            message = {
                "message_id": self._next_message,
                "date": 1_700_000_000,
                "chat": {"id": chat, "type": kind, "title": "a chat"},
                "from": {"id": chat, "is_bot": False, "first_name": "Zoë"},
                **content,
                **more,
            }
            self.deliver_raw({"update_id": self._next_update, "message": message})
            return self._next_message

    def deliver_raw(self, update: Fields) -> Fields:
        """Queue any update, as the next or under its own number."""
        with self.changed:
            self._next_update += 1
            self._updates.append(update)
            self.changed.notify_all()
        return update

    def next_update(self, content: Fields, chat: int = 7) -> Fields:
        """Return an update that is not queued: for a webhook."""
        self.deliver(content, chat)
        with self.changed:
            return self._updates.pop()

    def bring_again(self, first: int) -> None:
        """Forget that updates from this number on were confirmed."""
        with self.changed:
            self.confirmed = min(self.confirmed, first)
            self.changed.notify_all()

    def _file(self, payload: bytes, name: str, said: int | None = -1) -> Fields:
        file_id = f"{name}-{len(self.files)}"
        self.files[file_id] = payload
        size = len(payload) if said == -1 else said
        self.sizes_said[file_id] = size
        known = {"file_id": file_id, "file_unique_id": file_id}
        return known if size is None else {**known, "file_size": size}

    # --- what the tests look at

    def wait_until(self, is_so: Callable[[], object], timeout_s: float = 240) -> None:
        """Wait until the bot has done something; looks at each of its requests."""
        with self.changed:
            assert self.changed.wait_for(is_so, timeout_s), [
                (sent.method, sent.text) for sent in self.sent
            ]

    def answers_to(self, *messages: int, timeout_s: float = 240) -> list[Sent]:
        """Return what the bot sent in reply to messages, once each has an answer."""
        self.wait_until(
            lambda: set(messages) <= {sent.answers for sent in self.sent}, timeout_s
        )
        return [sent for sent in self.sent if sent.answers in messages]

    def times_called(self, method: str) -> int:
        return sum(called == method for called, _ in self.calls)

    # --- methods

    def answer(self, method: str, fields: Fields, picture: bytes | None) -> Any:
        """Return the result of a method; raises _Refused."""
        if method in ("sendMessage", "sendPhoto"):
            return self._take(Sent(method, fields, picture))
        if method == "getUpdates":
            return self._get_updates(fields)
        if method == "getFile":
            return self._get_file(fields["file_id"])
        if method == "getMe":
            return self._me()
        if method == "setWebhook":
            self.webhook = fields
            return True
        if method == "deleteWebhook":
            self.webhook = {}
            return True
        if method in ("sendChatAction", "setMyCommands"):
            return True
        raise _Refused(404, "Not Found")

    def _me(self) -> Fields:
        said = {"id": BOT_ID, "is_bot": True, "first_name": "Lablr"}
        return {**said, "username": USERNAME}

    def _take(self, sent: Sent) -> Fields:
        with self.changed:
            self.sent.append(sent)
            self._next_message += 1
            return {
                "message_id": self._next_message,
                "date": 1_700_000_001,
                "chat": {"id": sent.chat, "type": "private"},
            }

    def _get_file(self, file_id: str) -> Fields:
        if file_id not in self.files:
            raise _Refused(400, "Bad Request: invalid file_id")
        said = self.sizes_said[file_id]
        found = {"file_id": file_id, "file_unique_id": file_id}
        size = {} if said is None else {"file_size": said}
        return {**found, **size, "file_path": f"photos/{file_id}.jpg"}

    def _get_updates(self, fields: Fields) -> list[Fields]:
        if self.webhook:
            raise _Refused(409, "Conflict: can't use getUpdates while webhook is set")
        limit, offset = int(fields["limit"]), int(fields["offset"])
        held_s = min(float(fields["timeout"]), LONGEST_POLL_S)
        with self.changed:
            self.confirmed = max(self.confirmed, offset)
            self.changed.notify_all()

            def waiting() -> list[Fields]:
                return [
                    update
                    for update in self._updates
                    if update.get("update_id", self.confirmed) >= self.confirmed
                ]

            self.changed.wait_for(lambda: self.closing or waiting(), held_s)
            return waiting()[:limit]


@contextmanager
def serving() -> Iterator[TelegramServer]:
    """Run a Telegram in a thread."""
    server = TelegramServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        with server.changed:
            server.closing = True
            server.changed.notify_all()
        server.shutdown()
        server.server_close()
        thread.join()


class _Refused(Exception):
    def __init__(self, status: int, description: str) -> None:
        super().__init__(description)
        self.status, self.description = status, description


class _Handler(BaseHTTPRequestHandler):
    server: TelegramServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path.startswith("/file/bot"):
            return self._file(unquote(parts.path))
        return self._method(parts.path, dict(parse_qsl(parts.query)), None)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        fields, picture = _form(self.headers.get("Content-Type", ""), body)
        return self._method(urlsplit(self.path).path, fields, picture)

    def _method(self, path: str, fields: Fields, picture: bytes | None) -> None:
        _, token, method = path.split("/", 2)
        if unquote(token) != f"bot{TOKEN}":
            return self._send_json(401, {"ok": False, "description": "Unauthorized"})
        self.server.before(method)
        with self.server.changed:
            n_before = self.server.times_called(method)
            self.server.calls.append((method, fields))
            self.server.changed.notify_all()
        fault = self.server.fault(method, n_before)
        if fault:
            return self._send(*fault)
        try:
            result = self.server.answer(method, fields, picture)
        except _Refused as refused:
            said = {"ok": False, "error_code": refused.status}
            said["description"] = refused.description
            return self._send_json(refused.status, said)
        self._send_json(200, {"ok": True, "result": result})
        with self.server.changed:
            self.server.changed.notify_all()
        return None

    def _file(self, path: str) -> None:
        name = path.rpartition("/")[2].removesuffix(".jpg")
        with self.server.changed:
            n_before = len(self.server.fetched)
            self.server.fetched.append(name)
        self.server.before("file")
        fault = self.server.fault("file", n_before)
        if name in self.server.endless:
            return self._send_without_end(self.server.files[name])
        if path.startswith(f"/file/bot{TOKEN}/photos/") and not fault:
            return self._send(200, self.server.files[name], "image/jpeg")
        return self._send(*(fault or (404, b"not found")))

    def _send_without_end(self, beginning: bytes) -> None:
        self.close_connection = True
        self.send_response(200)
        self.end_headers()
        part = beginning
        while not self.server.closing:
            self.wfile.write(part)
            self.server.n_bytes_sent += len(part)
            part = bytes(1 << 16)

    def _send_json(self, status: int, answer: Fields) -> None:
        self._send(status, json.dumps(answer).encode())

    def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        """Serve a connection, until the client hangs up."""
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def _form(kind: str, body: bytes) -> tuple[Fields, bytes | None]:
    """Return the fields of a form, and the file in it."""
    if not kind.startswith("multipart/"):
        return dict(parse_qsl(body.decode())), None
    boundary = b"--" + kind.partition("boundary=")[2].encode()
    fields: Fields = {}
    picture = None
    for part in body.split(boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        content = content.removesuffix(b"\r\n")
        if b"filename=" in head:
            picture = content
        else:
            name = re.search(rb'name="(.+?)"', head)[1].decode()
            fields[name] = content.decode()
    return fields, picture
