"""Downloads from the tests' Flickr, one run after another or in a process."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from command_line import environment, start_lablr
from flickr_client import Clock
from flickr_server import KEY, SECRET, FlickrServer

from lablr.flickr.credentials import Credentials
from lablr.flickr.download import download
from lablr.flickr.pace import Pace
from lablr.flickr.pictures import Pictures
from lablr.flickr.retries import Retries, Timeouts
from lablr.flickr.search import SearchConfig
from lablr.flickr.session import FlickrSession

__all__ = ["CONFIG", "TAGS", "Client", "client", "start_download"]

CONFIG = SearchConfig(per_tag=30, licenses="4")
TAGS = ["sea", "cat"]


class Client:
    """Downloads from the server again and again, as one run after another."""

    def __init__(self, folder: Path, clock: Clock, timeouts: Timeouts | None = None):
        # The usual ones are for any machine; short ones only where a server stalls.
        self.folder, self.clock, self.timeouts = folder, clock, timeouts

    def session(self) -> FlickrSession:
        pace = Pace(self.folder / "pace", self.clock, self.clock.sleep)
        retries = Retries(sleep=self.clock.sleep)
        return FlickrSession(Credentials(KEY, SECRET), pace, retries, self.timeouts)

    def download(self, name: str = "corpus", tags=TAGS, config=CONFIG):
        fetch = Pictures(Retries(sleep=self.clock.sleep), self.timeouts)
        return download(self.folder / name, tags, config, self.session(), fetch)

    def files(self, name: str = "corpus") -> dict[str, bytes]:
        root = self.folder / name
        files = [root / "photos.jsonl", *(root / "photos").iterdir()]
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def client(flickr, clock: Clock, tmp_path: Path) -> Client:
    return Client(tmp_path, clock)


def start_download(
    folder: Path, server: FlickrServer, *words: str, **options
) -> subprocess.Popen[bytes]:
    """Start ``lablr download`` as a person would, into ``folder/killed``."""
    settings = environment(
        LABLR_FLICKR_URL=server.url,
        LABLR_FLICKR_KEY=KEY,
        LABLR_FLICKR_SECRET=SECRET,
        XDG_STATE_HOME=folder / "state",
    )
    command = ["download", "--tags", "sea,cat", "--per-tag", "30", "--licenses", "4"]
    words = (*command, "--out", "killed", *words)
    return start_lablr(*words, cwd=folder, env=settings, **options)
