"""Somebody signed in to the local Flickr, and what is on their photos."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner, Result
from command_line import environment, start_lablr
from flickr_client import TIMEOUTS, Clock
from flickr_server import KEY, SECRET, FlickrServer
from flickr_server.members import OwnPhoto

from lablr.cli import main
from lablr.flickr.account import Account, keep_account
from lablr.flickr.credentials import Credentials
from lablr.flickr.pace import Pace
from lablr.flickr.push.run import PushOutcome, push
from lablr.flickr.push.undoing import undo
from lablr.flickr.retries import Retries
from lablr.flickr.session import FlickrSession
from lablr.flickr.sign_in import SignIn
from lablr.metadata import Keyword

__all__ = [
    "Pusher",
    "calls",
    "code_of",
    "errors",
    "finish",
    "folder",
    "lablr_push",
    "more_photos",
    "own_photo",
    "pusher",
    "raws",
    "start",
    "statuses",
]


def code_of(page: str) -> str:
    """Say yes on the consent page, as a browser does, and read the code."""
    answer = requests.get(page, timeout=10)
    found = re.fullmatch("<b>(.+)</b>", answer.text)
    assert found, answer.text
    return found[1]


def own_photo(server: FlickrServer, photo_id: str = "5001") -> OwnPhoto:
    """A photo of anybody on the server."""
    photos = [p for member in server.members.all.values() for p in member.photos]
    return next(photo for photo in photos if photo.id == photo_id)


def raws(server: FlickrServer, photo_id: str = "5001") -> list[str]:
    """The tags of a photo as they were written."""
    return [*own_photo(server, photo_id).tags.values()]


def more_photos(server: FlickrServer, n_photos: int) -> list[str]:
    """Give Zoë more photos, each with a tag of hers; return their numbers."""
    ids = [str(7000 + n) for n in range(n_photos)]
    photos = [OwnPhoto(i, tags={f"7-{i}-own": f"Own {i}"}) for i in ids]
    server.members.all["7@N01"].photos += photos
    return ids


class Pusher:
    """Pushes again and again, as one run after another, with a virtual clock."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.state, self.clock = folder / "state", clock
        self.account: Account | None = None
        self.n_calls = 0

    def session(self) -> FlickrSession:
        """A new one, as every run has."""
        pace = Pace(self.state / "calls", self.clock, self.clock.sleep)
        retries = Retries(sleep=self.clock.sleep)
        credentials = Credentials(KEY, SECRET)
        return FlickrSession(credentials, pace, retries, TIMEOUTS, self.account)

    def sign_in(self) -> Account:
        """As whoever sits at the browser."""
        self.account = None
        attempt = SignIn(self.session())
        self.account = attempt.finish(code_of(attempt.page))
        return self.account

    def push(self, photo_ids: list[str], *tags: str, **options) -> list[PushOutcome]:
        """Push accepted tags to photos."""
        keywords = [Keyword(tag, "accepted") for tag in tags]
        wanted = dict.fromkeys(photo_ids, keywords)
        session = self.session()
        try:
            return [*push(wanted, session, self.account, state=self.state, **options)]
        finally:
            self.n_calls = session.n_calls

    def undo(self, run: str | None = None) -> list[PushOutcome]:
        """Undo a run."""
        return [*undo(self.session(), self.account, state=self.state, run=run)]


def start(folder: Path, server: FlickrServer, *words: str) -> subprocess.Popen[bytes]:
    """Start ``lablr push`` as a person would, all whose files are in ``folder``."""
    settings = environment(
        HOME=folder,
        LABLR_FLICKR_URL=server.url,
        LABLR_FLICKR_KEY=KEY,
        LABLR_FLICKR_SECRET=SECRET,
        LABLR_STATE=folder / "state",
        XDG_STATE_HOME=folder / "shared",
    )
    return start_lablr("push", *words, cwd=folder, env=settings)


def finish(
    process: subprocess.Popen[bytes], said: bytes = b""
) -> tuple[int, bytes, bytes]:
    """Wait for the end of a process; return its status and what it printed."""
    output, told = process.communicate(said)
    return process.returncode, output, told


def lablr_push(*words: str, said: str | bytes | None = None) -> Result:
    """Run ``lablr push WORD...`` in this process."""
    return CliRunner().invoke(main, ["push", *words], input=said)


@pytest.fixture
def folder(
    flickr: FlickrServer, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Where the command is run; Zoë is signed in."""
    monkeypatch.setenv("LABLR_FLICKR_KEY", KEY)
    monkeypatch.setenv("LABLR_FLICKR_SECRET", SECRET)
    monkeypatch.setenv("LABLR_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "shared"))
    monkeypatch.chdir(tmp_path)
    keep_account(Pusher(tmp_path, clock).sign_in(), tmp_path / "state")
    flickr.calls.clear()
    return tmp_path


@pytest.fixture
def pusher(flickr: FlickrServer, clock: Clock, tmp_path: Path) -> Pusher:
    """Zoë, signed in."""
    made = Pusher(tmp_path, clock)
    made.sign_in()
    return made


def statuses(outcomes) -> dict[str, str]:
    return {outcome.photo: outcome.status for outcome in outcomes}


def errors(outcomes) -> dict[str, str]:
    return {o.photo: str(o.error) for o in outcomes if o.error}


def calls(flickr: FlickrServer, method: str) -> list[dict[str, str]]:
    return [
        call for call in flickr.calls if call["method"] == f"flickr.photos.{method}"
    ]
