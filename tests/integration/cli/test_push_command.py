"""``lablr push`` in a terminal."""

from __future__ import annotations

import json
import logging

import pytest
from flickr_client import Clock, clock, flickr  # noqa: F401
from flickr_server import KEY, SECRET
from push_makers import Pusher, folder, raws  # noqa: F401
from push_makers import lablr_push as lablr

from lablr.cli.push import ORIGINS
from lablr.flickr.account import account_file
from lablr.metadata.keywords import ORIGINS as OF_WRITING


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_push_list_and_undo(folder, flickr):
    page = "https://www.flickr.com/photos/zoe/5002/"
    done = lablr("5001", page, "6001", "--tags", "the sea, New York", "--tags", "sky")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        '5001 "By the sea": ok',
        "  The Sea, +New York, +sky",
        "5002: ok",
        "  +the sea, +New York, +sky",
    ]
    assert "lablr: as zoe\n" in done.stderr
    assert "lablr: error: 6001: It is a photo of li's" in done.stderr
    assert "lablr: attempted 3 = ok 2 + unchanged 0 + failed 1\n" in done.stderr
    (run,) = lines(lablr("--runs", "--json").stdout)
    assert (run["photos"], run["to_undo"], run["unsettled"]) == (2, 2, 0)
    assert f"lablr push --undo {run['run']}" in done.stderr
    assert lablr("--runs").stdout == f"{run['run']}  2 photos, 2 can be undone\n"
    undone = lablr("--undo", run["run"])
    assert undone.exit_code == 0
    assert undone.stdout.splitlines() == [
        "5002: ok",
        "  -the sea, -New York, -sky",
        '5001 "By the sea": ok',
        "  The Sea, -New York, -sky",
    ]
    assert raws(flickr) == ["The Sea"]
    assert "nothing to undo" in lablr("--undo").stderr


def test_lines_from_a_file_and_standard_input_with_json(folder, flickr):
    said = (
        b'{"flickr_id": "5001", "accepted": ["sky"], "typed": ["dog"]}\n'
        b'{"flickr_id": "5002", "tags": []}\n{"flickr_id": "404", "tags": ["sky"]}\n'
    )
    (folder / "wanted.jsonl").write_bytes(said)
    dry = lablr("--from", "-", "--dry-run", "--json", said=said)
    assert [line["status"] for line in lines(dry.stdout)] == [
        "would be pushed",
        "unchanged",
        "failed",
    ]
    assert raws(flickr) == ["The Sea"]
    done = lablr("--from", "wanted.jsonl", "--json")
    first, second, third = lines(done.stdout)
    assert first["found"] == ["The Sea"]
    assert first["added"] == [
        {"tag": "sky", "origin": "accepted"},
        {"tag": "dog", "origin": "typed"},
    ]
    assert second["notes"] == ["No tag of it is accepted."]
    assert third["error"]["code"] == "push_error"
    assert "attempted 3 = ok 1 + unchanged 1 + failed 1" in done.stderr
    undone = lines(lablr("--undo", "--json").stdout)
    assert [tag["tag"] for tag in undone[0]["removed"]] == ["sky", "dog"]


def test_what_lablr_label_suggests_is_refused_before_anything_is_pushed(folder, flickr):
    suggested = {"link": "https://www.flickr.com/photos/zoe/5001", "tags": []}
    accepted = {"flickr_id": "5001", "tags": ["sky"]}
    suggested["tags"] = [{"tag": "sea", "probability": 0.9}]
    said = f"{json.dumps(accepted)}\n{json.dumps(suggested)}\n"
    done = lablr("--from", "-", said=said)
    assert done.exit_code == 1
    assert "line 2: tags holds suggestions" in done.stderr
    assert flickr.calls == []


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("5001",),
        ("--tags", "sea"),
        ("5001", "--tags", "sea", "--undo"),
        ("--from", "-", "--runs"),
        ("--undo", "--dry-run"),
        ("5001", "--tags", "sea", "--origin", "suggested"),
    ],
)
def test_a_wrong_command_line(folder, words):
    assert lablr(*words).exit_code == 2


def test_what_is_said_where_nobody_is_signed_in_or_no_file_is(folder):
    assert lablr("--sign-out").exit_code == 0
    assert not account_file(folder / "state").exists()
    assert "nobody was signed in" in lablr("--sign-out").stderr
    assert "lablr push --sign-in" in lablr("5001", "--tags", "sea").stderr
    assert "No such file" in lablr("--from", "nonesuch").stderr


def test_the_command_offers_what_a_person_has_seen():
    assert [*ORIGINS] == [origin for origin in OF_WRITING if origin != "suggested"]


def test_no_log_holds_a_secret(flickr, clock, tmp_path, caplog):
    pusher = Pusher(tmp_path, clock)
    with caplog.at_level(logging.DEBUG):
        account = pusher.sign_in()
        flickr.fault = lambda kind, what, n: "500" if "addTags" in what else None
        pusher.push(["5001"], "sky")
        pusher.undo()
    assert caplog.records
    planted = (KEY, SECRET, account.token, account.secret)
    assert [word for word in planted if word in caplog.text] == []
