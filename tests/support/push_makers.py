"""Somebody signed in to the local Flickr, and what is on their photos."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from flickr_client import TIMEOUTS, Clock
from flickr_server import KEY, SECRET, FlickrServer
from flickr_server.members import OwnPhoto
from places import ROOT

from lablr.flickr.account import Account
from lablr.flickr.credentials import Credentials
from lablr.flickr.pace import Pace
from lablr.flickr.push import PushOutcome, push, undo
from lablr.flickr.retries import Retries
from lablr.flickr.session import FlickrSession
from lablr.flickr.sign_in import SignIn
from lablr.metadata import Keyword

__all__ = [
    "Pusher",
    "calls",
    "code_of",
    "errors",
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


def start(
    folder: Path, server: FlickrServer, *words: str, **options
) -> subprocess.Popen[bytes]:
    """Start ``lablr push`` as a person would, all whose files are in ``folder``."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    settings = {
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "LABLR_FLICKR_URL": server.url,
        "LABLR_FLICKR_KEY": KEY,
        "LABLR_FLICKR_SECRET": SECRET,
        "LABLR_STATE": str(folder / "state"),
        "XDG_STATE_HOME": str(folder / "shared"),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "lablr", "push", *words],
        cwd=folder,
        env={**os.environ, **settings},
        **{**pipes, **options},
    )


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
