"""Faults around the bot: the network, Telegram, restarts."""

from __future__ import annotations

import json
import re
import threading

import pytest
from bot_here import (
    SOCKETS_LEFT,
    in_a_loop_of_its_own,
    running_bot,
)
from telegram_server import TOKEN, TelegramServer

from lablr.bot.dedup import MAX_KEPT, Answered
from lablr.bot.redaction import secret_part
from lablr.bot.replies import NOT_FETCHED
from lablr.errors import BotError

PROXY_PAGE = b"<html>502: the address /bot" + TOKEN.encode() + b"/x is away</html>"

pytestmark = SOCKETS_LEFT


def once(method: str, status: int, body: bytes):
    """Return a fault of the first call of a method."""
    return lambda called, n_before: (
        (status, body) if called == method and n_before == 0 else None
    )


def said(status: int, **more) -> bytes:
    answer = {"ok": False, "error_code": status, "description": "no", **more}
    return json.dumps(answer).encode()


# --- Telegram and the network


@pytest.mark.parametrize("method", ["sendMessage", "getUpdates"])
def test_it_waits_and_tries_again(telegram, tagger, method):
    faults = [
        (429, said(429, parameters={"retry_after": 7})),
        (429, b"slow down"),
        (429, said(429, parameters={"retry_after": "soon"})),
        (500, said(500)),
        (502, PROXY_PAGE),
        (503, b""),
    ]
    turns = iter([turn for fault in faults for turn in (fault, None)])
    telegram.fault = lambda called, n_before: (
        next(turns, None) if called == method else None
    )
    with running_bot(telegram, tagger) as bot:
        for _ in faults:
            assert len(telegram.answers_to(telegram.say("/help"))) == 1
        telegram.wait_until(lambda: len(bot.waits) == len(faults))
    assert bot.waits == [7, 1, 1, 1, 1, 1]


def test_malformed_answers_do_not_end_it(telegram, tagger):
    bodies = iter(
        [
            b"",
            b"not json",
            b"[]",
            b"null",
            b"[" * 100_000,
            b'{"ok": true}',
            b'{"ok": true, "result": 5}',
            b'{"ok": true, "result": [5]}',
            b'{"ok": true, "result": [{"message": {}}]}',
            b'{"ok": true, "result": [{"update_id": "1"}]}',
            b'{"ok": false}',
            b"\xff\xfe",
            PROXY_PAGE,
        ]
    )
    telegram.fault = lambda method, n_before: (
        next(((200, body) for body in bodies), None) if method == "getUpdates" else None
    )
    with running_bot(telegram, tagger) as bot:
        assert len(telegram.answers_to(telegram.say("/help"))) == 1
    assert bot.waits == [1, 2, 4, 8, 16, *[30] * 8]


def test_a_malformed_answer_to_one_photo_leaves_the_next(telegram, tagger, china_jpg):
    malformed = (200, b'{"ok": true, "result": "?"}')
    methods = ("setMyCommands", "sendChatAction", "getFile", "file")
    firsts = {*((method, 0) for method in methods), ("sendPhoto", 1)}
    telegram.fault = lambda method, n_before: (
        malformed if (method, n_before) in firsts else None
    )
    photo = china_jpg.read_bytes()
    with running_bot(telegram, tagger):
        asked = [telegram.send_photo(photo) for _ in range(5)]
        telegram.answers_to(asked[4])
        answers = {sent.answers: sent for sent in telegram.sent}
    assert answers[asked[0]].text == NOT_FETCHED  # getFile
    assert answers[asked[1]].text.startswith("This is not a JPEG")  # file
    assert answers[asked[2]].picture
    assert asked[3] not in answers  # sendPhoto
    assert answers[asked[4]].picture


def test_updates_of_a_wrong_shape_are_passed_over(telegram, tagger):
    messages = ["text", 5, [], {}, {"message_id": 1}, {"chat": {"id": 7}}]
    for number, message in enumerate(messages, start=1000):
        telegram.deliver_raw({"update_id": number, "message": message})
    telegram.deliver_raw({"update_id": 1006, "poll": {"id": "1"}})
    with running_bot(telegram, tagger):
        assert len(telegram.answers_to(telegram.say("/help"))) == 1
    assert telegram.confirmed == 1008


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
    async def keep_many() -> None:
        answered = Answered(tmp_path / "state")
        for number in range(MAX_KEPT - 2):
            answered._kept.append(number)
        for number in range(5000, 5005):
            assert answered.begin(number)
            assert not answered.begin(number)
            await answered.keep(number)
            answered.end(number)

    in_a_loop_of_its_own(keep_many())
    assert len((tmp_path / "state").read_text().split()) == MAX_KEPT
    again = Answered(tmp_path / "state")
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
