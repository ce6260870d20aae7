"""A quick, patient client of the tests' Flickr, with a clock that only waits move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flickr_server import KEY, SECRET, Album, FlickrServer, serving

from lablr.flickr.credentials import Credentials
from lablr.flickr.pace import Pace
from lablr.flickr.pictures import Pictures
from lablr.flickr.retries import Retries, Timeouts
from lablr.flickr.session import FlickrSession

TIMEOUTS = Timeouts(connect_s=5, read_s=1, total_s=1.5)


class Clock:
    """A virtual clock: ``sleep`` moves it and returns at once."""

    def __init__(self) -> None:
        self.now = 1e9
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def most_in_an_hour(times: list[float]) -> int:
    """How many of these times, which are in order, lie within an hour at most."""
    start = most = 0
    for end, last in enumerate(times):
        while times[start] <= last - 3600:
            start += 1
        most = max(most, end - start + 1)
    return most


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def flickr(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlickrServer]:
    """A Flickr of 140 photos, which LABLR_FLICKR_URL leads to."""
    with serving(Album(140)) as server:
        monkeypatch.setenv("LABLR_FLICKR_URL", server.url)
        yield server


@pytest.fixture
def session(flickr: FlickrServer, clock: Clock, tmp_path: Path) -> FlickrSession:
    pace = Pace(tmp_path / "pace", clock, clock.sleep)
    retries = Retries(sleep=clock.sleep)
    return FlickrSession(Credentials(KEY, SECRET), pace, retries, TIMEOUTS)


@pytest.fixture
def pictures(clock: Clock) -> Pictures:
    return Pictures(Retries(sleep=clock.sleep), TIMEOUTS)
