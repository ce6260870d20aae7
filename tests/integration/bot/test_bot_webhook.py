"""The bot behind a webhook: who may call it, and what is answered once."""

from __future__ import annotations

import http.client
import json
import re
import threading

import pytest
from bot_here import (
    SOCKETS_LEFT,
    running_bot,
)
from telegram_server import TelegramServer, serving

from lablr.bot.webhook import MAX_BODY_BYTES, SECRET_HEADER
from lablr.errors import BotError

pytestmark = SOCKETS_LEFT


class Caller:
    """Telegram, as it calls a webhook."""

    def __init__(self, server: TelegramServer, port: int) -> None:
        self._secret, self._port = server.webhook["secret_token"], port

    def post(self, body: bytes, path: str = "/hook", method: str = "POST", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=240)
        given = {SECRET_HEADER: self._secret, **headers}
        given = {name: value for name, value in given.items() if value is not None}
        try:
            connection.request(method, path, body, given)
            return connection.getresponse().status
        finally:
            connection.close()

    def bring(self, update: dict, **headers) -> int:
        return self.post(json.dumps(update).encode(), **headers)


@pytest.fixture(scope="module")
def called_bot(tagger):
    settings = {"webhook": "https://example.org/hook", "port": 0}
    with serving() as server, running_bot(server, tagger, **settings) as bot:
        yield server, int(bot.said.rpartition(" ")[2])


@pytest.fixture
def telegram(called_bot) -> TelegramServer:
    called_bot[0].sent.clear()
    return called_bot[0]


@pytest.fixture
def caller(called_bot) -> Caller:
    return Caller(*called_bot)


def test_the_webhook_is_set_with_a_secret(caller, telegram):
    assert telegram.webhook["url"] == "https://example.org/hook"
    assert re.fullmatch(r"[\w-]{43}", telegram.webhook["secret_token"])
    assert json.loads(telegram.webhook["allowed_updates"]) == ["message"]
    assert telegram.times_called("getUpdates") == 0


def test_the_webhook_answers_when_the_photo_is_answered(caller, telegram, china_jpg):
    document = telegram._file(china_jpg.read_bytes(), "document")
    update = telegram.next_update({"document": document})
    assert caller.bring(update) == 200
    (sent,) = telegram.sent
    assert sent.picture
    assert caller.bring(update) == 200  # brought again
    assert len(telegram.sent) == 1


def test_an_update_brought_twice_at_once_is_answered_once(caller, telegram):
    update = telegram.next_update({"text": "/help"})
    statuses = []
    threads = [
        threading.Thread(target=lambda: statuses.append(caller.bring(update)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 8
    assert len(telegram.sent) == 1


@pytest.mark.parametrize("secret", [None, "", "wrong", "x" * 5000, "é"])
def test_who_does_not_know_the_secret_is_refused(caller, telegram, secret):
    update = telegram.next_update({"text": "/help"})
    assert caller.bring(update, **{SECRET_HEADER: secret}) == 403
    assert caller.post(b"", path="/elsewhere") == 404
    assert caller.bring(update) == 200
    assert len(telegram.sent) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"not json", 400),
        (b"[]", 400),
        (b"[" * 100_000, 400),
        (b'{"update_id": true}', 400),
        (b'{"update_id": 1, "message": 5}', 200),
        (b'{"update_id": 2}', 200),
        (b" " * (MAX_BODY_BYTES + 1), 400),
    ],
)
def test_what_is_no_update_is_refused(caller, telegram, body, status):
    try:
        assert caller.post(body) == status
    except ConnectionError:  # hung up while the body was sent
        assert len(body) > MAX_BODY_BYTES
    assert caller.post(b"{}", method="GET") == 405
    assert caller.bring(telegram.next_update({"text": "/help"})) == 200
    assert len(telegram.sent) == 1


def test_a_taken_port_is_named(caller, telegram, tagger):
    settings = {"webhook": "https://example.org/hook", "port": caller._port}
    registered = telegram.webhook
    with (
        pytest.raises(BotError, match=f"cannot listen on .* {caller._port}"),
        running_bot(telegram, tagger, **settings),
    ):
        pass
    assert telegram.webhook is registered
