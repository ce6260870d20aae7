"""Speaking to Flickr: key, pace, retries, search and single pictures."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import pytest
from flickr_client import (  # noqa: F401
    TIMEOUTS,
    Clock,
    clock,
    flickr,
    most_in_an_hour,
    pictures,
    session,
)
from flickr_server import (
    KEY,
    PHOTO_FAULTS,
    REST_FAULTS,
    SECRET,
    UPLOADED,
    FlickrServer,
)

from lablr.errors import CorpusError, DownloadError
from lablr.flickr.credentials import Credentials, read_credentials
from lablr.flickr.licenses import License, license_numbers, read_licenses
from lablr.flickr.pace import MAX_CALLS, Pace
from lablr.flickr.pictures import Pictures
from lablr.flickr.retries import Fault, Retries
from lablr.flickr.search import (
    SearchConfig,
    hot_tags,
    search_page,
)
from lablr.flickr.session import FlickrSession
from lablr.tags.lists import popular_tags, read_tags

CONFIG = SearchConfig(licenses="4,9")

# --- key and secret


def test_the_key_comes_from_the_environment_or_a_private_file(tmp_path: Path):
    environment = {"LABLR_FLICKR_KEY": KEY, "LABLR_FLICKR_SECRET": SECRET}
    assert read_credentials(environment) == Credentials(KEY, SECRET)
    file = tmp_path / "flickr"
    file.write_text(f"# mine\nkey = {KEY}\nsecret={SECRET}\n")
    file.chmod(0o600)
    assert read_credentials({}, file) == Credentials(KEY, SECRET)
    named = {"LABLR_FLICKR_CREDENTIALS": str(file)}
    assert read_credentials(named) == Credentials(KEY, SECRET)
    assert KEY not in repr(Credentials(KEY, SECRET))
    assert SECRET not in repr(Credentials(KEY, SECRET))


def test_a_file_that_others_may_read_is_refused(tmp_path: Path):
    file = tmp_path / "flickr"
    file.write_text(f"key = {KEY}\nsecret = {SECRET}\n")
    file.chmod(0o640)
    with pytest.raises(DownloadError, match="chmod 600"):
        read_credentials({}, file)
    file.chmod(0o600)
    file.write_text(f"key = {KEY}\n")
    with pytest.raises(DownloadError, match="secret is missing"):
        read_credentials({}, file)
    with pytest.raises(DownloadError, match="No such file"):
        read_credentials({}, tmp_path / "nonesuch")


def test_no_log_holds_the_key(session: FlickrSession, caplog):
    with caplog.at_level(logging.DEBUG):
        search_page(session, "sea", 1, CONFIG)
    assert session.n_calls == 1
    assert KEY not in caplog.text
    assert SECRET not in caplog.text


# --- pace


def test_never_more_than_3600_calls_in_any_hour(tmp_path: Path, clock: Clock):
    times = []
    for number in range(8000):
        if number % 1000 == 0:  # as a restart does
            pace = Pace(tmp_path / "calls", clock, clock.sleep)
        pace.wait()
        times.append(clock.now)
        clock.now += 0.1
    assert most_in_an_hour(times) == MAX_CALLS
    assert clock.now - times[0] < 2.1 * 3700
    assert (tmp_path / "calls").stat().st_size <= 8 * (2 * MAX_CALLS + 1)


def test_a_torn_time_and_a_clock_set_back_do_no_harm(tmp_path: Path, clock: Clock):
    pace = Pace(tmp_path / "calls", clock, clock.sleep)
    for _ in range(MAX_CALLS - 1):
        pace.wait()
    with (tmp_path / "calls").open("ab") as file:
        file.write(b"abc")
    clock.now -= 86_400
    pace.wait()
    assert clock.slept == []
    pace.wait()
    assert sum(clock.slept) == pytest.approx(3630)


def test_a_long_wait_is_said(tmp_path: Path, clock: Clock, caplog):
    pace = Pace(tmp_path / "calls", clock, clock.sleep)
    for _ in range(MAX_CALLS):
        pace.wait()
    assert not caplog.records
    pace.wait()
    (record,) = caplog.records
    assert "3,600 times within an hour: going on in 61 minutes" in record.message
    caplog.clear()
    faults = iter([Fault("HTTP 503"), Fault("HTTP 429", retry_after_s=120)])

    def attempt() -> str:
        for fault in faults:
            raise fault
        return "done"

    assert Retries(sleep=clock.sleep).run(attempt) == "done"
    assert caplog.messages == ["HTTP 429: trying again in 120 s"]


def test_a_pace_that_cannot_be_kept_stops_the_call(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match="XDG_STATE_HOME"):
        Pace(tmp_path / "file" / "calls").wait()


# --- the API


def test_search_gives_records(session: FlickrSession, flickr: FlickrServer):
    page = search_page(session, "sea", 1, CONFIG)
    numbers = flickr.album.numbers_of("sea")
    assert [photo.id for photo in page.photos] == [str(1000 + n) for n in numbers]
    found = page.photos[0]
    assert found.tags == ("photo0", "sea", "新宿")
    assert found.owner_name == "Zoë 0"
    assert found.url == f"{flickr.url}/photos/0_c.jpg"
    call = flickr.calls[0]
    assert call["license"] == "4,9"
    assert call["tag_mode"] == "all"
    assert call["sort"] == "relevance"
    assert {"url_c", "date_upload", "views"} < {*call["extras"].split(",")}
    number = numbers[5]
    seen = page.photos[5]
    assert (seen.views, seen.uploaded) == (3 * number, UPLOADED + 86_400 * number)


@pytest.mark.parametrize(
    ("sizes", "chosen"), [("tsnmzclo", "c"), ("tsn", "n"), ("lo", "l"), ("o", "o")]
)
def test_the_size_falls_back(
    session: FlickrSession, flickr: FlickrServer, sizes: str, chosen: str
):
    flickr.sizes = sizes
    photo = search_page(session, "cat", 1, CONFIG).photos[0]
    assert photo.url.endswith(f"_{chosen}.jpg")


def test_without_any_size_there_is_no_address(session, flickr, pictures: Pictures):
    flickr.sizes = ""
    photo = search_page(session, "cat", 1, CONFIG).photos[0]
    with pytest.raises(Fault, match="no picture address"):
        pictures.fetch(photo.url)


@pytest.mark.parametrize("fault", REST_FAULTS)
def test_every_fault_of_the_api_is_tried_again(
    session: FlickrSession, flickr: FlickrServer, clock: Clock, fault: str
):
    flickr.fault = lambda kind, what, n_before: fault if n_before < 2 else None
    assert search_page(session, "sea", 1, CONFIG).photos
    assert session.n_calls == 3
    first, second = clock.slept
    if fault == "429 later":
        assert first == second == 7
    else:
        assert 0.5 <= first <= 1 <= second <= 2


def test_an_api_that_stays_down_ends_in_an_error(session, flickr, clock: Clock):
    flickr.fault = lambda *_: "503"
    with pytest.raises(DownloadError, match=r"HTTP 503.*later"):
        search_page(session, "sea", 1, CONFIG)
    assert len(clock.slept) == session.n_calls - 1 == 5


def test_a_refusal_is_not_tried_again(session, flickr):
    flickr.fault = lambda *_: "fail 3"
    with pytest.raises(DownloadError, match="Flickr refuses flickr"):
        search_page(session, "sea", 1, CONFIG)
    assert session.n_calls == 1


def test_a_wrong_key_is_said_and_not_shown(flickr, tmp_path: Path, clock: Clock):
    wrong = Credentials("wr0ngwr0ng", "wr0ngs3cr3t")
    pace = Pace(tmp_path / "pace", clock, clock.sleep)
    session = FlickrSession(wrong, pace, Retries(sleep=clock.sleep), TIMEOUTS)
    with pytest.raises(DownloadError, match=r"Invalid API Key.*check the") as caught:
        hot_tags(session)
    assert "wr0ng" not in str(caught.value)


def test_hot_and_popular_tags(session: FlickrSession, tmp_path: Path):
    assert hot_tags(session) == ["sea", "cat"]
    assert popular_tags()[:5] == ["sunset", "beach", "water", "sky", "flower"]
    assert popular_tags()[44] == "garden"
    assert Counter(popular_tags()).most_common(1)[0][1] == 1
    (tmp_path / "tags").write_text("New York\n\n# no\nsea  # yes\nnewyork\n")
    assert read_tags(tmp_path / "tags") == ["newyork", "sea"]
    (tmp_path / "tags").write_text("sea\n!!!\n")
    with pytest.raises(CorpusError, match=r"tags:2: the tag '!!!' holds no letter"):
        read_tags(tmp_path / "tags")
    (tmp_path / "tags").write_text("#beach\n\n")
    with pytest.raises(CorpusError, match="tags: holds no tag"):
        read_tags(tmp_path / "tags")


def test_licences_are_those_that_flickr_lists(session: FlickrSession):
    known = read_licenses(session)
    deed = "https://creativecommons.org/licenses/by/2.0/"
    assert known["4"] == License("CC BY 2.0", deed)
    assert known["9"].name == "CC0 1.0"
    assert known["10"].name == "Public Domain Mark 1.0"
    assert known["21"].name == "CC BY-NC-SA 4.0"
    assert license_numbers("all", known) == tuple(known)
    assert {*known} - {*license_numbers("open", known)} == {"0"}
    names = {known[n].name for n in license_numbers("commercial", known)}
    assert {"CC BY 4.0", "CC0 1.0", "United States Government Work"} < names
    assert not any("NC" in name or "All" in name for name in names)
    assert license_numbers("4, 9", known) == ("4", "9")
    with pytest.raises(DownloadError, match="'99' is no licence"):
        license_numbers("99", known)


# --- pictures

LASTING = {"unavailable", "oversized", "redirect loop", "404"}


@pytest.mark.parametrize("fault", PHOTO_FAULTS)
def test_every_fault_of_a_picture_is_tried_again_or_told(
    pictures: Pictures, flickr: FlickrServer, fault: str
):
    flickr.fault = lambda kind, what, n_before: fault if n_before < 1 else None
    url = f"{flickr.url}/photos/3_c.jpg"
    if fault in LASTING:
        with pytest.raises(Fault):
            pictures.fetch(url)
    else:
        fetched = pictures.fetch(url)
        assert fetched.content == flickr.album.picture(3)
        assert fetched.suffix == ".jpg"


@pytest.mark.parametrize(
    ("fault", "reason", "is_content"),
    [
        ("500", "HTTP 500", False),
        ("stall", "time-out", False),
        ("drip", "slow drip", False),
        ("cut", "connection lost", False),
        ("short", "short body", False),
        ("redirect loop", "redirect loop", False),
        ("truncated", "broken photo", True),
        ("html", "HTML", True),
        ("unavailable", "unavailable", True),
        ("PNG", "unavailable", True),
        ("oversized", "too large", True),
        ("no image", "unsupported photo", True),
        ("404", "gone", True),
    ],
)
def test_a_lasting_fault_is_counted_under_its_name(
    flickr: FlickrServer, clock: Clock, fault, reason, is_content
):
    pictures = Pictures(Retries(attempts=2, sleep=clock.sleep), TIMEOUTS)
    flickr.fault = lambda *_: fault
    with pytest.raises(Fault) as caught:
        pictures.fetch(f"{flickr.url}/photos/3_c.jpg")
    assert (caught.value.reason, caught.value.is_content) == (reason, is_content)
