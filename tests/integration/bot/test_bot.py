"""The bot in conversation: photos, files, albums, commands, limits, bad photos."""

from __future__ import annotations

import copy
import html
import io
import json
import re
import shlex
import threading

import pytest
from bot_here import (
    SOCKETS_LEFT,
    in_a_loop_of_its_own,
    running_bot,
)
from photo_makers import jpeg, resized_header
from PIL import Image
from places import ROOT

from lablr.bot import polling
from lablr.bot.chats import Chat, Chats
from lablr.bot.commands import reply_to_text
from lablr.bot.replies import DEFECT, MAX_MESSAGE, NO_PHOTO, NOT_FETCHED, tags_text
from lablr.errors import BrokenPhoto, PhotoError, PhotoTooLarge, UnsupportedPhoto
from lablr.figures.map_layout import percent
from lablr.photos import PhotoLimits
from lablr.ranking.tagger import RANKINGS, Suggestion, TagScore

pytestmark = SOCKETS_LEFT


def tags_of(text: str) -> list[str]:
    """Return the tags of the block to copy."""
    return shlex.split(re.search(r"<pre>(.*)</pre>", text)[1])


def expected_tags(tagger, photo: bytes, k: int = 10, ranking: str = "calibrated"):
    return [score.tag for score in tagger.suggest(photo, k, ranking).tags]


# --- photos


def test_a_photo_gets_tags_to_copy_and_the_map(telegram, tagger, china_jpg):
    photo = china_jpg.read_bytes()
    with running_bot(telegram, tagger):
        (sent,) = telegram.answers_to(telegram.send_photo(photo))
    assert sent.method == "sendPhoto"
    assert tags_of(sent.text) == expected_tags(tagger, photo)
    best = tagger.suggest(photo).tags[0]
    assert f"\n{best.tag} {percent(best.probability)} · " in sent.text
    assert sent.fields["parse_mode"] == "HTML"
    with Image.open(io.BytesIO(sent.picture)) as picture:
        assert (picture.format, picture.size) == ("PNG", (1200, 900))
    assert telegram.times_called("sendChatAction") == 1


def test_the_largest_size_of_a_photo_is_looked_at(telegram, tagger, flower_jpg):
    with running_bot(telegram, tagger):
        telegram.answers_to(telegram.send_photo(flower_jpg.read_bytes()))
    assert telegram.fetched == ["large-1"]


def test_an_album_gets_an_answer_for_each_photo_in_order(
    telegram, tagger, china_jpg, flower_jpg
):
    photos = [china_jpg.read_bytes(), flower_jpg.read_bytes(), jpeg()]
    with running_bot(telegram, tagger):
        with telegram.changed:  # all at once
            album = [telegram.send_photo(p, media_group_id="1") for p in photos]
        sent = telegram.answers_to(*album)
    assert [answer.answers for answer in sent] == album
    assert [tags_of(answer.text) for answer in sent] == [
        expected_tags(tagger, photo) for photo in photos
    ]


def test_what_a_chat_chooses_holds_for_that_chat(telegram, tagger, china_jpg):
    photo = china_jpg.read_bytes()
    with running_bot(telegram, tagger):
        telegram.say("/k 3", chat=7)
        telegram.say("/method mahalanobis", chat=7)
        mine = telegram.send_document(photo, chat=7)
        others = telegram.send_document(photo, chat=8)
        by_message = {s.answers: s for s in telegram.answers_to(mine, others)}
    chosen = expected_tags(tagger, photo, 3, "mahalanobis")
    assert tags_of(by_message[mine].text) == chosen
    assert tags_of(by_message[others].text) == expected_tags(tagger, photo)
    assert (by_message[mine].chat, by_message[others].chat) == (7, 8)


def test_it_says_when_it_is_not_sure(telegram, tagger):
    grey = io.BytesIO()
    Image.new("RGB", (64, 64), (120, 120, 120)).save(grey, "PNG")
    with running_bot(telegram, tagger):
        telegram.say("/k 1")
        (sent,) = telegram.answers_to(telegram.send_document(grey.getvalue()))
    is_sure = tagger.suggest(grey.getvalue(), 1).sure
    assert ("Not sure: no tag reaches" in sent.text) == (not is_sure)


def test_many_tags_come_as_a_message_before_the_map(telegram, tagger, china_jpg):
    photo = china_jpg.read_bytes()
    with running_bot(telegram, tagger):
        telegram.say("/k 75")
        asked = telegram.send_document(photo)
        telegram.wait_until(lambda: telegram.times_called("sendPhoto") == 1)
        telegram.wait_until(lambda: telegram.sent[-1].picture)
        text, picture = telegram.answers_to(asked)
    assert (text.method, picture.method) == ("sendMessage", "sendPhoto")
    assert tags_of(text.text) == expected_tags(tagger, photo, 75)
    assert picture.text == ""


def test_where_pictures_are_not_allowed_the_tags_come_alone(
    telegram, tagger, china_jpg
):
    refused = {"ok": False, "description": "Bad Request: not enough rights"}
    telegram.fault = lambda method, n_before: (
        (400, json.dumps(refused).encode()) if method == "sendPhoto" else None
    )
    with running_bot(telegram, tagger):
        (sent,) = telegram.answers_to(telegram.send_photo(china_jpg.read_bytes()))
    assert sent.method == "sendMessage"
    assert len(tags_of(sent.text)) == 10


def test_in_a_topic_the_answer_stays_in_the_topic(telegram, tagger, china_jpg):
    more = {"kind": "supergroup", "is_topic_message": True, "message_thread_id": 5}
    with running_bot(telegram, tagger):
        asked = telegram.send_photo(china_jpg.read_bytes(), chat=-9, **more)
        (sent,) = telegram.answers_to(asked)
    assert sent.fields["message_thread_id"] == "5"


def with_suggest(tagger, suggest):
    """Return a tagger that suggests otherwise."""
    other = copy.copy(tagger)
    other.suggest = suggest
    return other


def test_a_slow_photo_keeps_nobody_else_waiting(
    telegram, tagger, china_jpg, monkeypatch
):
    others_answered = threading.Event()
    monkeypatch.setattr(polling, "BATCH_S", 0.05)

    def patient(*args, **options):
        assert others_answered.wait(240)
        return tagger.suggest(*args, **options)

    with running_bot(telegram, with_suggest(tagger, patient)):
        slow = telegram.send_photo(china_jpg.read_bytes(), chat=7)
        telegram.wait_until(lambda: telegram.times_called("sendChatAction"))
        telegram.answers_to(telegram.say("/help", chat=8))
        others_answered.set()
        telegram.answers_to(slow)


def test_a_defect_is_said_and_the_next_photo_works(telegram, tagger, china_jpg):
    calls = []

    def faulty(*args, **options):
        calls.append(args)
        return 1 / 0 if len(calls) == 1 else tagger.suggest(*args, **options)

    photo = china_jpg.read_bytes()
    with running_bot(telegram, with_suggest(tagger, faulty)):
        (first,) = telegram.answers_to(telegram.send_photo(photo))
        (second,) = telegram.answers_to(telegram.send_photo(photo))
    assert first.text == DEFECT
    assert second.picture


# --- too much


def test_a_chat_is_told_once_that_it_sends_too_much(telegram, tagger, china_jpg):
    seconds, photo = [0.0], china_jpg.read_bytes()
    with running_bot(telegram, tagger, clock=lambda: seconds[0], rate_limit=2):
        asked = [telegram.send_photo(photo) for _ in range(5)]
        other = telegram.send_photo(photo, chat=8)
        last = telegram.say("/help")  # after all of them
        telegram.answers_to(other, last)
        answers = {sent.answers: sent for sent in telegram.sent}
        assert [message in answers for message in asked] == [True] * 3 + [False] * 2
        assert "wait 30 seconds" in answers[asked[2]].text
        seconds[0] += 30
        (sent,) = telegram.answers_to(telegram.send_photo(photo))
    assert sent.picture
    assert answers[other].picture
    assert len(telegram.fetched) == 4  # what is refused is not fetched


def too_large(tagger) -> str:
    with pytest.raises(PhotoError) as raised:
        tagger.suggest(bytes(tagger.limits.max_bytes + 1))
    return str(raised.value)


def test_a_file_that_is_said_to_be_too_large_is_not_asked_for(
    telegram, tagger, china_jpg
):
    photo = china_jpg.read_bytes()
    with running_bot(telegram, tagger):
        large = telegram.send_document(photo, size=tagger.limits.max_bytes + 1)
        (sent,) = telegram.answers_to(large)
        assert sent.text == too_large(tagger)
        assert telegram.times_called("getFile") == 0
        (sent,) = telegram.answers_to(telegram.send_document(photo))
    assert sent.picture


@pytest.mark.parametrize("said", [None, 1000])
def test_a_file_without_end_is_not_read_to_its_end(telegram, tagger, china_jpg, said):
    photo = china_jpg.read_bytes()
    telegram.endless = {"document-0"}
    with running_bot(telegram, tagger):
        (sent,) = telegram.answers_to(telegram.send_document(photo, size=said))
        assert sent.text == too_large(tagger)
        (sent,) = telegram.answers_to(telegram.send_document(photo))
    assert sent.picture
    # what the system's buffers hold comes on top
    assert telegram.n_bytes_sent < tagger.limits.max_bytes + (16 << 20)


def test_no_file_of_this_machine_is_read(telegram, tagger, china_jpg):
    """python-telegram-bot would open any path that the Bot API names."""
    answer = {"file_id": "f", "file_unique_id": "f", "file_path": str(china_jpg)}
    telegram.fault = lambda method, n_before: (
        (200, json.dumps({"ok": True, "result": answer}).encode())
        if method == "getFile"
        else None
    )
    with running_bot(telegram, tagger):
        (sent,) = telegram.answers_to(telegram.send_photo(b"something else"))
    assert sent.text == NOT_FETCHED
    assert telegram.fetched == ["china"]


# --- bad photos


def test_each_kind_of_bad_photo_gets_its_message_and_the_next_its_tags(
    telegram, tagger, china_jpg
):
    """One of a kind: the door itself is tried with all of them."""
    good = china_jpg.read_bytes()
    bad = {
        UnsupportedPhoto: b"%PDF-1.4",
        BrokenPhoto: good[:5000],
        PhotoTooLarge: resized_header(good, 65_500, 65_500),
    }
    with running_bot(telegram, tagger):
        asked = [telegram.send_document(photo) for photo in (*bad.values(), good)]
        *said, answer = telegram.answers_to(*asked)
    for sent, (error, photo) in zip(said, bad.items(), strict=True):
        with pytest.raises(error) as raised:
            tagger.read(photo)
        assert sent.text == html.escape(str(raised.value), quote=False)
    assert answer.picture


# --- words


def say(text: str, chat: Chat | None = None, is_private: bool = True) -> str | None:
    rankings, limits = RANKINGS, PhotoLimits()
    found = reply_to_text(text, chat or Chat(), rankings, limits, "A_Bot", is_private)
    return None if found is None else html.unescape(found.text)


@pytest.mark.parametrize(
    "text", ["/start", "/help", "/START", "/help@a_bot", "/start x"]
)
def test_help_names_the_commands_and_the_bounds(text):
    found = say(text, Chat(k=4))
    for part in ("/k 10", "/method", "10 MiB", "Now: 4 tags, calibrated", *RANKINGS):
        assert part in found


@pytest.mark.parametrize(
    ("text", "k"),
    [("/k 3", 3), ("/k  75 ", 75), ("/k@A_Bot 1", 1), ("/K\n5", 5), ("/k 007", 7)],
)
def test_k_is_set(text, k):
    chat = Chat()
    assert say(text, chat).startswith(f"From now on you get {k} tag")
    assert chat.k == k


@pytest.mark.parametrize(
    "wrong", ["0", "76", "-1", "3.5", "1_0", "٣", "x", "3 4", "9" * 5000, "", "1e1"]
)
def test_what_is_no_k_changes_nothing(wrong):
    chat = Chat(k=9)
    found = say(f"/k {wrong}", chat)
    assert found
    assert len(found) < 100
    assert chat.k == 9


def test_method_is_set_and_told():
    chat = Chat()
    for ranking in RANKINGS:
        assert ranking in say(f"/method {ranking.upper()}", chat)
        assert chat.ranking == ranking
    assert say("/method", chat) == (
        f"Tags are ranked by {RANKINGS[-1]}. There are: {', '.join(RANKINGS)}."
    )
    found = say("/method <b>none" + "x" * 999, chat)
    assert found.startswith("There is no method '<b>none")
    assert len(found) < 200
    assert chat.ranking == RANKINGS[-1]


def test_other_words_get_a_hint_in_private_and_silence_in_groups():
    assert say("hello") == say("") == say("   ") == NO_PHOTO
    assert say("/nonesuch <b>").startswith("I do not know /nonesuch.")
    for text in ("hello", "", "/nonesuch", "/k@other_bot 3"):
        assert say(text, is_private=False) is None
    assert say("/k@other_bot 3") is None
    assert say("/nonesuch@a_bot", is_private=False)
    assert "4" in say("/k 4", is_private=False)


def test_html_is_escaped_and_the_length_kept():
    scores = tuple(TagScore(f"<b>&{i:03}{'x' * 40}", 0.5, 1, 1) for i in range(75))
    reply = tags_text(Suggestion(scores, None, (0, 0), 0.9, "calibrated"))
    shown = html.unescape(reply.text.replace("<pre>", "").replace("</pre>", ""))
    assert len(shown) == reply.n_shown <= MAX_MESSAGE
    assert "<b>" not in reply.text
    assert tags_of(html.unescape(reply.text))[0] == scores[0].tag
    assert not reply.fits_a_caption


def test_a_tag_with_a_space_is_quoted():
    scores = tuple(TagScore(t, 0.004, 1, 1) for t in ("sea", "new york", 'a "b" c'))
    reply = tags_text(Suggestion(scores, None, (0, 0), 0.001, "calibrated"))
    assert reply.text.startswith('<pre>sea "new york" "a b c"</pre>\nsea &lt; 1 % · ')


def test_few_chats_are_remembered():
    async def visit() -> None:
        chats = Chats(most=3)
        for number in (1, 2, 3, 1, 4):
            async with chats.turn(number) as chat:
                chat.k += number
        async with chats.turn(1) as first, chats.turn(2) as second:
            assert (first.k, second.k) == (12, 10)  # the second was forgotten

    in_a_loop_of_its_own(visit())


def test_the_bot_asks_for_messages_only_and_shows_its_menu(telegram, tagger):
    with running_bot(telegram, tagger):
        telegram.answers_to(telegram.say("/start"))
    (asked, *_) = [fields for name, fields in telegram.calls if name == "getUpdates"]
    assert json.loads(asked["allowed_updates"]) == ["message"]
    (menu,) = [fields for name, fields in telegram.calls if name == "setMyCommands"]
    assert [c["command"] for c in json.loads(menu["commands"])] == [
        "k",
        "method",
        "help",
    ]


# --- the guide


def test_the_guide_names_every_setting():
    sources = [
        *(ROOT / "lablr" / "bot").glob("*.py"),
        ROOT / "lablr" / "cli" / "bot.py",
    ]
    used = {
        name for path in sources for name in re.findall(r"LABLR_\w+", path.read_text())
    }
    table = (ROOT / "docs" / "bot.md").read_text()
    assert (
        set(re.findall(r"^\| `(LABLR_\w+)` \|", table, re.MULTILINE)) - {"LABLR_BUNDLE"}
        == used
    )
