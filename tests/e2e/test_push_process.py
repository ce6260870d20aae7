"""``lablr push`` in processes of its own: killed, stopped, and silent about secrets."""

from __future__ import annotations

import json
import signal
import stat
from concurrent.futures import Future
from pathlib import Path
from subprocess import Popen

import pytest
from flickr_client import clock, flickr  # noqa: F401
from flickr_server import KEY, SECRET, FlickrServer
from push_makers import code_of, finish, folder, raws, start  # noqa: F401
from push_makers import lablr_push as lablr

from lablr.flickr.account import account_file


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


def test_secrets_appear_nowhere_but_in_the_private_file(folder, flickr, tmp_path):
    code, said = signed_in(tmp_path, flickr)
    file = account_file(tmp_path / "state")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    account = json.loads(file.read_text())
    flickr.fail_message = f"no, {account['token']} {account['secret']} {KEY} {SECRET}"
    flickr.fault = lambda kind, what, n: "fail 116" if "5002" in what else None
    done = lablr("5001", "5002", "--tags", "sky", "--json")
    assert done.exit_code == 1
    assert "refused_by_flickr" in done.stdout
    runs = [done, *map(lablr, ("--undo", "--runs")), lablr("404", "--tags", "x")]
    wrong = lablr("--sign-in", said="wrong\n")
    assert wrong.exit_code == 1
    assert "does not accept this code" in wrong.stderr
    said += b"".join(run.output_bytes for run in [*runs, wrong])
    planted = [KEY, SECRET, account["token"], account["secret"], code]
    assert [word for word in planted if word.encode() in said] == []
    for path in tmp_path.rglob("*"):
        if path.is_file() and path != file:
            held = path.read_bytes()
            assert [word for word in planted if word.encode() in held] == [], path
    assert [w for w in (KEY, SECRET, code) if w in file.read_text()] == []
    assert lablr("--sign-out").exit_code == 0
    assert not file.exists()


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


@pytest.mark.parametrize(
    ("method", "when"),
    [
        ("getInfo", "asked"),
        ("addTags", "asked"),
        ("addTags", "carried out"),
        ("removeTag", "asked"),
        ("removeTag", "carried out"),
    ],
)
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
