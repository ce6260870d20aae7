"""What goes wrong around the bot: the network, Telegram, restarts, curious logs."""

from __future__ import annotations

import http.client
import io
import json
import logging
import re
import threading

import pytest
from bot_here import (
    SOCKETS_LEFT,
    in_a_loop_of_its_own,
    running_bot,
    tagger,  # noqa: F401
    telegram,  # noqa: F401
)
from telegram_server import BOT_ID, TOKEN, TelegramServer

from lablr.bot.answered import MAX_KEPT, Answered
from lablr.bot.hiding import masked, nothing_of, secret_part
from lablr.bot.replies import NOT_FETCHED
from lablr.bot.settings import BotSettings, checked_url, read_token, state_file
from lablr.bot.webhook import MAX_BODY_BYTES, SECRET_HEADER
from lablr.errors import BotError

OK_WITHOUT = b'{"ok": true}'
PROXY_PAGE = b"<html>502: the address /bot" + TOKEN.encode() + b"/x is away</html>"

pytestmark = SOCKETS_LEFT


def once(method: str, status: int, body: bytes):
    """A fault of the first call of a method."""
    return lambda called, n_before: (
        (status, body) if called == method and n_before == 0 else None
    )


def said(status: int, **more) -> bytes:
    answer = {"ok": False, "error_code": status, "description": "no", **more}
    return json.dumps(answer).encode()


# --- Telegram and the network


@pytest.mark.parametrize("method", ["sendMessage", "getUpdates"])
@pytest.mark.parametrize(
    ("status", "body", "least_s"),
    [
        (429, said(429, parameters={"retry_after": 7}), 7),
        (429, b"slow down", 1),
        (429, said(429, parameters={"retry_after": "soon"}), 1),
        (500, said(500), 1),
        (502, PROXY_PAGE, 1),
        (503, b"", 1),
    ],
)
def test_it_waits_and_tries_again(telegram, tagger, method, status, body, least_s):
    telegram.fault = once(method, status, body)
    with running_bot(telegram, tagger) as bot:
        asked = telegram.say("/help")
        assert len(telegram.answers_to(asked)) == 1
    assert bot.waits == [least_s]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b"[" * 100_000,
        OK_WITHOUT,
        b'{"ok": true, "result": 5}',
        b'{"ok": true, "result": [5]}',
        b'{"ok": true, "result": [{"message": {}}]}',
        b'{"ok": true, "result": [{"update_id": "1"}]}',
        b'{"ok": false}',
        b"\xff\xfe",
        PROXY_PAGE,
    ],
)
def test_a_malformed_answer_does_not_end_it(telegram, tagger, body):
    telegram.fault = once("getUpdates", 200, body)
    with running_bot(telegram, tagger) as bot:
        assert len(telegram.answers_to(telegram.say("/help"))) == 1
    assert bot.waits == [1.0]


@pytest.mark.parametrize(
    "method", ["sendChatAction", "getFile", "file", "sendPhoto", "setMyCommands"]
)
def test_a_malformed_answer_to_one_photo_leaves_the_next(
    telegram, tagger, china_jpg, method
):
    telegram.fault = once(method, 200, b'{"ok": true, "result": "?"}')
    photo = china_jpg.read_bytes()
    with running_bot(telegram, tagger):
        telegram.send_photo(photo)
        (sent,) = telegram.answers_to(telegram.send_photo(photo))
    assert sent.picture


@pytest.mark.parametrize(
    "message", ["text", 5, [], {}, {"message_id": 1}, {"chat": {"id": 7}}]
)
def test_an_update_of_a_wrong_shape_is_passed_over(telegram, tagger, message):
    telegram.deliver_raw({"update_id": 1000, "message": message})
    telegram.deliver_raw({"update_id": 1001, "poll": {"id": "1"}})
    with running_bot(telegram, tagger):
        assert len(telegram.answers_to(telegram.say("/help"))) == 1
    assert telegram.confirmed == 1003


def test_a_photo_that_cannot_be_fetched_is_said(telegram, tagger, china_jpg):
    telegram.fault = lambda method, n_before: (
        (500, PROXY_PAGE) if method == "file" and n_before < 4 else None
    )
    with running_bot(telegram, tagger) as bot:
        asked = telegram.send_photo(china_jpg.read_bytes())
        (sent,) = telegram.answers_to(asked)
        assert sent.text == NOT_FETCHED
        (sent,) = telegram.answers_to(telegram.send_photo(china_jpg.read_bytes()))
    assert sent.picture
    assert bot.waits == [1.0, 2.0, 4.0]


def test_a_wait_that_is_too_long_is_not_waited(telegram, tagger):
    long = said(429, parameters={"retry_after": 4000})
    telegram.fault = once("sendMessage", 429, long)
    with running_bot(telegram, tagger) as bot:
        telegram.say("/help")
        assert len(telegram.answers_to(telegram.say("/help"))) == 1
    assert bot.waits == []


def test_a_refused_token_ends_it_without_naming_it(telegram, tagger):
    refused = said(401, description=f"Unauthorized: {TOKEN}")
    for method in ("getMe", "getUpdates"):
        telegram.fault = once(method, 401, refused)
        with (
            pytest.raises(BotError, match="refuses the token") as raised,
            running_bot(telegram, tagger) as bot,
        ):
            bot.wait()
        assert secret_part(TOKEN) not in str(raised.value)
        telegram.calls.clear()


@pytest.mark.parametrize("body", [b"?", b"[]", b'{"ok": true, "result": "?"}'])
def test_a_start_that_is_not_understood_is_said(telegram, tagger, body):
    telegram.fault = once("getMe", 200, body)
    with (
        pytest.raises(BotError, match="the Bot API"),
        running_bot(telegram, tagger),
    ):
        pass


def test_a_bot_api_that_is_away_is_named_at_the_start(tagger):
    with TelegramServer() as closed:
        pass
    with (
        pytest.raises(BotError, match="cannot be used: not sent"),
        running_bot(closed, tagger),
    ):
        pass


# --- twice


def test_what_telegram_brings_again_is_answered_once(telegram, tagger, tmp_path):
    state = tmp_path / "deep" / "state"
    with running_bot(telegram, tagger, state=state):
        first = telegram.say("/help")
        telegram.answers_to(first)
        telegram.bring_again(1000)
        telegram.answers_to(telegram.say("/help"))
    telegram.bring_again(1000)
    with running_bot(telegram, tagger, state=state):  # a restart
        telegram.answers_to(telegram.say("/help"))
    assert len(telegram.sent) == 3
    assert state.read_text().split() == ["1000", "1001", "1002"]


def test_an_update_is_confirmed_when_it_is_answered(telegram, tagger):
    confirmed = []
    telegram.before = lambda method: (
        confirmed.append(telegram.confirmed) if method == "sendMessage" else None
    )
    with running_bot(telegram, tagger):
        telegram.answers_to(telegram.say("/help"))
    assert confirmed == [0]
    assert telegram.confirmed == 1001


def test_a_stop_lets_the_answer_under_way_go_out(telegram, tagger):
    come, stopped = threading.Event(), threading.Event()

    def before(method: str) -> None:
        if method == "sendMessage":
            come.set()
            assert stopped.wait(240)

    telegram.before = before
    with running_bot(telegram, tagger) as bot:
        asked = telegram.say("/help")
        assert come.wait(240)
        bot._loop.call_soon_threadsafe(bot._stop.set)
        stopped.set()
    assert len(telegram.answers_to(asked)) == 1
    assert telegram.confirmed == 1001


def test_few_numbers_are_kept(tmp_path):
    async def keep_many() -> Answered:
        answered = Answered(tmp_path / "state")
        for number in range(MAX_KEPT - 2):
            answered._kept[number] = None
        for number in range(5000, 5005):
            assert answered.begin(number)
            assert not answered.begin(number)
            await answered.keep(number)
            answered.end(number)
        return answered

    assert len(in_a_loop_of_its_own(keep_many())) == MAX_KEPT
    again = Answered(tmp_path / "state")
    assert len(again) == MAX_KEPT
    assert again.begin(0)
    assert not again.begin(5004)
    assert not again.begin(900)


@pytest.mark.parametrize("text", ["12\nx\n", "-1", "1" * 70_000, "٣"])
def test_a_file_of_something_else_is_refused(tmp_path, text):
    file = tmp_path / "state"
    file.write_text(text)
    with pytest.raises(BotError, match=re.escape(str(file))):
        Answered(file)
    assert file.read_text() == text


# --- the webhook


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


@pytest.fixture
def caller(telegram, tagger):
    settings = {"webhook": "https://example.org/hook", "port": 0}
    with running_bot(telegram, tagger, **settings) as bot:
        yield Caller(telegram, int(bot.said.rpartition(" ")[2]))


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
        (b'{"update_id": 1}', 200),
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
    with (
        pytest.raises(BotError, match=f"cannot listen on .* {caller._port}"),
        running_bot(telegram, tagger, **settings),
    ):
        pass


# --- secrets


@pytest.fixture
def everything_logged():
    """What all loggers of this process write, at every level, in a text."""
    stream, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(pathname)s"))
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


def test_no_log_holds_the_token_or_the_secret(
    telegram, tagger, china_jpg, everything_logged
):
    telegram.fault = lambda method, n_before: (
        (502, PROXY_PAGE) if n_before == 0 else None
    )
    with running_bot(telegram, tagger):
        telegram.answers_to(telegram.send_photo(china_jpg.read_bytes()))
    with running_bot(telegram, tagger, webhook=telegram.url, port=0):
        secret = telegram.webhook["secret_token"]
    text = everything_logged.getvalue()
    # the library logs the addresses of its calls, and all that it sends
    assert f"HTTP Request: POST {telegram.url}/bot{BOT_ID}:***/sendPhoto" in text
    assert "Calling Bot API endpoint `setWebhook`" in text
    assert secret_part(TOKEN) not in text
    assert secret not in text


def test_tracebacks_are_looked_through_too(everything_logged):
    log = logging.getLogger("some.library")
    with nothing_of("s3cret"):
        try:
            raise ValueError("the address of s3cret")
        except ValueError:
            log.exception("failed")
        log.info("%s and %d", "s3cret", 5)
        log.info("s3cret %", *())
    log.info("s3cret, afterwards")
    text = everything_logged.getvalue()
    assert "ValueError: the address of ***" in text
    assert "*** and 5" in text
    assert text.count("s3cret") == 1


def test_the_token_is_not_shown():
    assert secret_part(TOKEN) not in repr(BotSettings(TOKEN))
    assert masked(f"bot{TOKEN}/x", secret_part(TOKEN)) == f"bot{BOT_ID}:***/x"


# --- settings


def test_the_token_comes_from_the_environment_or_a_private_file(tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o600)
    other = "1:" + "x" * 35
    assert read_token(None, {"LABLR_BOT_TOKEN": other}) == other
    assert read_token(None, {"LABLR_BOT_TOKEN_FILE": str(file)}) == TOKEN
    assert read_token(file, {"LABLR_BOT_TOKEN": other}) == TOKEN
    file.chmod(0o640)
    with pytest.raises(BotError, match="others may read it"):
        read_token(file, {})
    with pytest.raises(BotError, match="No such file"):
        read_token(tmp_path / "none", {})


@pytest.mark.parametrize("token", ["x", "1:short", f"{TOKEN} {TOKEN}", f"bot{TOKEN}"])
def test_what_is_no_token_is_refused_without_repeating_it(token):
    with pytest.raises(BotError, match="LABLR_BOT_TOKEN: this is not") as raised:
        read_token(None, {"LABLR_BOT_TOKEN": token})
    assert token not in str(raised.value).partition("(")[0].split()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "ftp://example.org",
        "http://",
        "http://user:pass@example.org",
        "http://example.org/?a",
        "http://example.org/#a",
        "http://example.org:port",
        "http://ex ample.org",
        "http://example.org/é",
        "http://[::1",
    ],
)
def test_an_address_that_cannot_work_is_refused(url):
    with pytest.raises(BotError, match=r"must be like https://") as raised:
        BotSettings(TOKEN, base_url=url)
    assert "pass" not in str(raised.value)


def test_addresses_that_work():
    for url in ("https://a.org", "http://127.0.0.1:80/b/", "http://[::1]:80"):
        assert checked_url("x", url) == url
    settings = BotSettings(TOKEN, base_url="http://a/b/")
    assert (settings.api_url, settings.file_url) == (
        "http://a/b/bot",
        "http://a/b/file/bot",
    )
    assert settings.bot_id == str(BOT_ID)


def test_the_state_has_its_place():
    assert state_file("5", {"XDG_STATE_HOME": "/s"}).as_posix() == "/s/lablr/bot-5"
