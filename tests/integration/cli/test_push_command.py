"""``lablr push`` in a terminal: signed in, killed, undone, and silent about secrets."""

from __future__ import annotations

import json
import logging
import signal
import stat
from concurrent.futures import Future
from pathlib import Path
from random import Random
from subprocess import Popen

import pytest
from click.testing import CliRunner
from flickr_client import Clock, clock, flickr  # noqa: F401
from flickr_server import KEY, SECRET, FlickrServer, kill_once
from push_makers import Pusher, code_of, more_photos, own_photo, raws, start

from lablr.cli import main
from lablr.cli.push import ORIGINS
from lablr.flickr.account import account_file, keep_account
from lablr.metadata import ORIGINS as OF_WRITING


@pytest.fixture
def folder(flickr: FlickrServer, clock: Clock, tmp_path: Path, monkeypatch) -> Path:
    """Where the command is run; Zoë is signed in."""
    monkeypatch.setenv("LABLR_FLICKR_KEY", KEY)
    monkeypatch.setenv("LABLR_FLICKR_SECRET", SECRET)
    monkeypatch.setenv("LABLR_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "shared"))
    monkeypatch.chdir(tmp_path)
    keep_account(Pusher(tmp_path, clock).sign_in(), tmp_path / "state")
    flickr.calls.clear()
    return tmp_path


def lablr(*words: str, said: str | bytes | None = None):
    return CliRunner().invoke(main, ["push", *words], input=said)


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


# --- in processes of their own


def finish(process: Popen[bytes], said: bytes = b"") -> tuple[int, bytes, bytes]:
    output, told = process.communicate(said)
    return process.returncode, output, told


def signed_in(folder: Path, server: FlickrServer) -> tuple[str, bytes]:
    """Sign in as a person does; return the code, and what was said."""
    process = start(folder, server, "--sign-in")
    assert process.stderr is not None
    told = process.stderr.readline()
    page = process.stderr.readline()
    code = code_of(page.decode().strip())
    status, output, more = finish(process, code.encode() + b"\n")
    assert status == 0, more
    return code, output + told + page + more


def test_secrets_appear_nowhere_but_in_the_private_file(flickr, tmp_path, caplog):
    code, said = signed_in(tmp_path, flickr)
    file = account_file(tmp_path / "state")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    account = json.loads(file.read_text())
    flickr.fail_message = f"no, {account['token']} {account['secret']} {KEY} {SECRET}"
    flickr.fault = lambda kind, what, n: "fail 116" if "5002" in what else None
    process = start(tmp_path, flickr, "5001", "5002", "--tags", "sky", "--json")
    status, *parts = finish(process)
    assert status == 1
    assert b"refused_by_flickr" in parts[0]
    for words in (["--undo"], ["--runs"], ["404", "--tags", "x"]):
        parts += finish(start(tmp_path, flickr, *words))[1:]
    wrong = start(tmp_path, flickr, "--sign-in")
    status, *more = finish(wrong, b"wrong\n")
    assert status == 1
    assert b"does not accept this code" in more[1]
    said += b"".join([*parts, *more])
    planted = [KEY, SECRET, account["token"], account["secret"], code]
    assert [word for word in planted if word.encode() in said] == []
    for path in tmp_path.rglob("*"):
        if path.is_file() and path != file:
            held = path.read_bytes()
            assert [word for word in planted if word.encode() in held] == [], path
    assert [w for w in (KEY, SECRET, code) if w in file.read_text()] == []
    assert finish(start(tmp_path, flickr, "--sign-out"))[0] == 0
    assert not file.exists()


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


class Moment:
    """Kills a process when the server comes to a moment, the first time."""

    def __init__(self, server: FlickrServer, method: str, when: str) -> None:
        self.server, self.method, self.when = server, method, when
        self.process: Popen[bytes] | None = None
        self.n_seen = 0
        server.fault, server.carried_out = self.asked, self.carried_out

    def asked(self, kind: str, what: str, n_before: int) -> str | None:
        if self.when == "asked" and self._is_it(what.split()[0]):
            self._kill()
            return "early cut"
        return None

    def carried_out(self, method: str) -> None:
        if self.when == "carried out" and self._is_it(method):
            self._kill()

    def _is_it(self, method: str) -> bool:
        self.n_seen += method == f"flickr.photos.{self.method}"
        return self.n_seen == 1 and method == f"flickr.photos.{self.method}"

    def _kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@pytest.mark.parametrize("when", ["asked", "carried out"])
@pytest.mark.parametrize("method", ["getInfo", "addTags", "removeTag"])
def test_killed_around_a_call_nothing_is_lost_or_doubled(folder, flickr, method, when):
    words = ["--undo"] if method == "removeTag" else ["5001", "--tags", "sky,dog"]
    if method == "removeTag":
        assert lablr("5001", "--tags", "sky,dog").exit_code == 0
    moment = Moment(flickr, method, when)
    moment.process = start(folder, flickr, *words)
    assert finish(moment.process)[0] == -signal.SIGKILL
    again = lablr(*words)
    assert again.exit_code == 0, again.stderr
    if method != "removeTag":
        assert raws(flickr) == ["The Sea", "sky", "dog"]
        done = [call for call in flickr.calls if "tags" in call]
        assert len(done) == (2 if (method, when) == ("addTags", "asked") else 1)
        assert lablr("--undo").exit_code == 0
    assert raws(flickr) == ["The Sea"]
    assert "nothing to undo" in lablr("--undo").stderr


def test_ctrl_c_in_the_middle_of_a_call_loses_nothing(folder, flickr):
    started: Future[Popen[bytes]] = Future()

    def interrupt(method: str) -> None:
        if method == "flickr.photos.addTags":
            started.result().send_signal(signal.SIGINT)

    flickr.carried_out = interrupt
    flickr.fault = lambda kind, what, n: "stall" if "addTags" in what else None
    process = start(folder, flickr, "5001", "--tags", "sky,dog")
    started.set_result(process)
    status, _, told = finish(process)
    assert status == 130
    assert b"attempted 0 = ok 0 + unchanged 0 + failed 0" in told
    assert b"Traceback" not in told
    flickr.fault = lambda *_: None
    assert "1 photo, 0 can be undone, 1 not known" in lablr("--runs").stdout
    assert lablr("--undo").stdout == ('5001 "By the sea": ok\n  The Sea, -sky, -dog\n')
    assert raws(flickr) == ["The Sea"]


def test_killed_at_random_moments_every_tag_is_there_once_and_can_be_undone(
    folder, flickr
):
    chance, ids = Random(5), more_photos(flickr, 4)
    first = {photo: raws(flickr, photo) for photo in ids}
    wanted = [json.dumps({"flickr_id": i, "tags": ["sky", "a dog"]}) for i in ids]
    (folder / "wanted.jsonl").write_text("\n".join(wanted))
    words = ["--from", "wanted.jsonl"]
    carried_out: list[str] = []
    flickr.carried_out = carried_out.append

    def kill(n_more: int, *words: str) -> int:
        later_s = chance.choice((0.0, chance.uniform(0, 0.005)))
        moment = flickr.n_requests + chance.randint(1, 4) + n_more
        return kill_once(lambda: start(folder, flickr, *words), flickr, moment, later_s)

    n_killed = 0
    while (n_done := sum(len(raws(flickr, i)) == 3 for i in ids)) < len(ids):
        n_killed += kill(n_done, *words) == -signal.SIGKILL
    assert n_killed >= 3
    assert finish(start(folder, flickr, *words))[0] == 0
    assert all(raws(flickr, i) == [*first[i], "sky", "a dog"] for i in ids)
    assert carried_out.count("flickr.photos.addTags") == len(ids)
    own_photo(flickr, ids[2]).tags["7-mine"] = "mine"
    first[ids[2]].append("mine")
    n_killed = 0
    while any("sky" in raws(flickr, i) for i in ids):
        n_killed += kill(0, "--undo") == -signal.SIGKILL
    assert n_killed >= 3
    while finish(start(folder, flickr, "--undo"))[0] == 0:
        pass
    assert {i: raws(flickr, i) for i in ids} == first
    assert carried_out.count("flickr.photos.removeTag") == 2 * len(ids)
