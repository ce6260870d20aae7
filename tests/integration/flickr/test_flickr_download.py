"""The whole download: complete, resumed after kill -9, honest about every photo."""

from __future__ import annotations

import json
import re
import resource
import signal
from pathlib import Path

import pytest
from download_makers import CONFIG, TAGS, Client, client, start_download  # noqa: F401
from flickr_client import (  # noqa: F401
    Clock,
    clock,
    flickr,
    most_in_an_hour,
    pictures,
    session,
)
from flickr_server import (
    PHOTO_FAULTS,
    REST_FAULTS,
    UPLOADED,
    WORDS,
    Album,
    FlickrServer,
    serving,
    spread_faults,
)

from lablr.corpus import Corpus
from lablr.errors import CorpusError, DownloadError
from lablr.flickr.credits import credit_lines
from lablr.flickr.download import Estimate, estimate
from lablr.flickr.pace import MAX_CALLS, Pace
from lablr.flickr.retries import Timeouts
from lablr.flickr.search import SIZES, SearchConfig
from lablr.ranking.reach import ViewSums
from lablr.system.journal import Journal


def add_up(summary: dict[str, int]) -> bool:
    parts = ("ok", "failed", "skipped")
    return summary["attempted"] == sum(summary[part] for part in parts)


def test_the_download_is_a_corpus(client: Client, flickr: FlickrServer, tmp_path):
    summary = client.download()
    expected = {n for tag in TAGS for n in flickr.album.numbers_of(tag)[:30]}
    assert summary["attempted"] == summary["ok"] == len(expected)
    assert summary["api_calls"] == 3  # licences, and a page a tag
    photos = list(Corpus.open(tmp_path / "corpus"))
    assert {int(photo.flickr_id) - 1000 for photo in photos} == expected
    for photo in photos:
        number = int(photo.flickr_id) - 1000
        assert photo.path.read_bytes() == flickr.album.picture(number)
        # A photo found under two tags is one record with both.
        assert {*flickr.album.tags_of(number)[1:], "新宿"} <= {*photo.tags}
        assert not any("geo" in tag for tag in photo.tags)
        assert photo.views == 3 * number
        assert photo.others["uploaded"] == UPLOADED + 86_400 * number
    sea, cat = ({*flickr.album.numbers_of(tag)[:30]} for tag in TAGS)
    both = [photo for photo in photos if {*TAGS} <= {*photo.tags}]
    assert len(both) == len(sea & cat) > 0
    assert json.loads((tmp_path / "corpus/download.json").read_text()) == summary
    # A fit adjusts the views of all of them for age: n is that of the known uploads.
    n_seen, _, n_dated, *_ = ViewSums.of(photos).all
    assert n_seen == n_dated > 0


def test_a_journal_of_before_times_of_upload_goes_on(client: Client, tmp_path: Path):
    client.download()
    journal = tmp_path / "corpus/journal.jsonl"
    older = re.sub(rb'"uploaded":\d+,', b"", journal.read_bytes())
    assert older != journal.read_bytes()
    journal.write_bytes(older)
    (tmp_path / "corpus/photos.jsonl").unlink()
    client.download()
    photos = list(Corpus.open(tmp_path / "corpus"))
    assert photos
    assert not any("uploaded" in photo.others for photo in photos)


def test_the_same_again_does_nothing_and_a_lost_photo_comes_back(
    client: Client, flickr: FlickrServer, tmp_path: Path
):
    client.download()
    before, n_asked = client.files(), sum(flickr.asked.values())
    assert client.download()["api_calls"] == 0
    assert sum(flickr.asked.values()) == n_asked
    next((tmp_path / "corpus/photos").iterdir()).unlink()
    client.download()
    assert client.files() == before
    assert sum(flickr.asked.values()) == n_asked + 1


def test_further_tags_may_be_given_but_no_other_settings(client: Client):
    first = client.download(tags=["sea"])
    assert client.download(tags=["sea", "city"])["ok"] > first["ok"]
    with pytest.raises(DownloadError, match="another size"):
        client.download(config=SearchConfig(30, licenses="4", size="z"))


def test_a_tag_of_no_photo_is_counted(client: Client):
    summary = client.download(tags=["sea", "misspelt"])
    assert summary["tags"] == {"sea": 30, "misspelt": 0}
    assert client.download(tags=["sea", "misspelt"]) == {**summary, "api_calls": 0}


def test_somebody_elses_list_of_photos_is_not_overwritten(client: Client, tmp_path):
    mine = b'{"file": "mine.jpg", "tags": ["precious"]}\n'
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/photos.jsonl").write_bytes(mine)
    with pytest.raises(DownloadError, match="did not make; name another folder"):
        client.download()
    assert [path.name for path in (tmp_path / "corpus").iterdir()] == ["photos.jsonl"]
    assert (tmp_path / "corpus/photos.jsonl").read_bytes() == mine


@pytest.mark.parametrize("line", ["5", "{}", '{"id": "1"}', '{"page": 1, "tag": "a"}'])
def test_a_journal_of_another_program_is_refused(client: Client, tmp_path, line: str):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/journal.jsonl").write_text(line + "\n")
    with pytest.raises(
        DownloadError, match=r"journal\.jsonl:1: damaged, or of another"
    ):
        client.download()


def test_only_licences_that_were_asked_for(client: Client, flickr: FlickrServer):
    client.download(config=SearchConfig(30))
    asked = [call["license"].split(",") for call in flickr.calls if "tags" in call]
    assert all("0" not in numbers and "26" in numbers for numbers in asked)
    with pytest.raises(DownloadError, match="no licence"):
        client.download("other", config=SearchConfig(30, licenses="4,99"))
    assert client.download("other", config=SearchConfig(30, licenses="4"))["ok"]


def test_hot_tags_stay_those_of_the_first_run(client: Client, flickr: FlickrServer):
    first = client.download(tags=None)
    assert [*first["tags"]] == ["sea", "cat"]
    flickr.hot = ["night"]
    assert client.download(tags=None)["tags"] == first["tags"]


def test_pages_that_change_while_they_are_turned(client: Client, clock, monkeypatch):
    with serving(Album(140)) as server:
        monkeypatch.setenv("LABLR_FLICKR_URL", server.url)
        server.pages_said = lambda page, pages: pages + 5 - page
        config = SearchConfig(per_tag=4000, licenses="4", per_page=7)
        summary = client.download(config=config)
        expected = {n for tag in TAGS for n in server.album.numbers_of(tag)}
    assert summary["ok"] == len(expected)


def test_a_fifth_of_the_answers_faulty_and_every_photo_accounted_for(
    clock: Clock, tmp_path: Path, monkeypatch
):
    client = Client(tmp_path, clock, Timeouts(5, 0.5, 0.8))
    config = SearchConfig(per_tag=4000, licenses="4", per_page=20)
    pace = Pace(tmp_path / "pace", clock, clock.sleep)
    before = []
    for _ in range(MAX_CALLS - 20):  # another download, half an hour ago
        before.append(clock.now)
        pace.wait()
        clock.now += 0.5
    with serving(Album(1000, side=48)) as server:
        monkeypatch.setenv("LABLR_FLICKR_URL", server.url)
        server.fault, server.clock = spread_faults(0.2, seed=7), clock
        summary = client.download(tags=list(WORDS), config=config)
    kinds = {f"rest {fault}" for fault in REST_FAULTS}
    assert kinds | {f"photo {fault}" for fault in PHOTO_FAULTS} <= {*server.faults}
    assert len(server.called_at) == summary["api_calls"] > 100
    assert most_in_an_hour(before + server.called_at) <= MAX_CALLS
    assert summary["attempted"] == server.album.n_photos
    assert summary["not_tried"] == 0
    assert add_up(summary)
    assert summary["ok"] > 900
    assert sum(summary["reasons"].values()) == 1000 - summary["ok"]
    lasting = {"gone", "redirect loop", "too large", "unavailable"}
    assert {*summary["reasons"]} == lasting
    found = {photo.flickr_id: photo for photo in Corpus.open(tmp_path / "corpus")}
    assert len(found) == summary["ok"]
    assert len(client.files()) == 1 + summary["ok"]
    for photo in found.values():
        number = int(photo.flickr_id) - 1000
        assert photo.path.read_bytes() == server.album.picture(number)


def test_what_failed_is_tried_again_and_what_was_skipped_is_not(
    client: Client, flickr: FlickrServer
):
    flickr.fault = lambda kind, what, n: (
        {"0": "500", "2": "404"}.get(what) if kind == "photo" else None
    )
    first = client.download()
    assert (first["failed"], first["skipped"]) == (1, 1)
    assert first["reasons"] == {"HTTP 500": 1, "gone": 1}
    flickr.fault = lambda *_: None
    second = client.download()
    assert (second["failed"], second["skipped"]) == (0, 1)


def test_one_picture_under_many_ids_is_no_photo(client: Client, flickr: FlickrServer):
    flickr.fault = lambda kind, what, n: (
        "same picture" if what in ("0", "5", "7") else None
    )
    summary = client.download()
    assert summary["reasons"] == {"same picture": 3}
    assert not {"photos/1000.jpg", "photos/1005.jpg"} & {*client.files()}
    assert client.download()["reasons"] == {"same picture": 3}


# --- killed, full and read-only


def test_a_full_disk_stops_cleanly_and_keeps_what_was_done(
    client: Client, flickr: FlickrServer, tmp_path: Path
):
    client.download("whole")

    limit = (tmp_path / "whole/journal.jsonl").stat().st_size * 4 // 5

    def no_longer_file() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    full = start_download(tmp_path, flickr, preexec_fn=no_longer_file)
    _, errors = full.communicate()
    assert full.returncode == 1
    assert b"cannot be written: " in errors
    assert b"Traceback" not in errors
    assert 0 < Corpus.open(tmp_path / "killed").count() < 55
    again = start_download(tmp_path, flickr)
    _, errors = again.communicate()
    assert again.returncode == 0, errors
    assert client.files("killed") == client.files("whole")


def test_a_folder_that_cannot_be_written_is_said(client: Client, tmp_path: Path):
    (tmp_path / "corpus").write_text("a file")
    with pytest.raises(DownloadError, match=r"corpus.*cannot be written"):
        client.download()


def test_two_downloads_into_one_folder_are_refused(client: Client, tmp_path: Path):
    journal = Journal(tmp_path / "corpus/journal.jsonl", DownloadError, "x")
    with pytest.raises(DownloadError, match="another download"):
        client.download()
    journal.close()
    assert client.download()["ok"]


# --- the rest of the commands


def test_a_dry_run_says_what_it_would_take(client: Client, flickr: FlickrServer):
    photos = min(30, len(flickr.album.numbers_of("sea"))) + min(
        30, len(flickr.album.numbers_of("cat"))
    )
    size = photos * 96 * 96 // 4
    assert estimate(TAGS, CONFIG, client.session()) == Estimate(3, photos, size)
    assert all(kind == "rest" for kind, _ in flickr.asked)
    seen = []

    def progress(items, total, label):
        seen.append((total, label))
        return items

    estimate(TAGS, CONFIG, client.session(), progress)
    assert seen == [(2, "asking of tags")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--tags", " , "), b"--tags names no tag"),
        (
            ("--popular", "5000"),
            b"the list that comes with Lablr has 130 tags",
        ),
    ],
)
def test_other_tags_than_asked_for_are_no_download(run_lablr, tmp_path, words, message):
    done = run_lablr("download", *words, "--out", tmp_path / "corpus")
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "corpus").exists()


def test_credits_name_title_author_licence_and_page(client: Client, tmp_path: Path):
    client.download()
    assert next(credit_lines(tmp_path / "corpus")) == (
        'photos/1000.jpg: "Photo 0 of a day" by Zoë 0, '
        "CC BY-NC-SA 2.0 (https://creativecommons.org/licenses/by-nc-sa/2.0/), "
        "https://www.flickr.com/photos/0@N01/1000"
    )
    with pytest.raises(CorpusError, match=r"nowhere.* not there; lablr download"):
        next(credit_lines(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match=r"empty/photos\.jsonl: not there"):
        next(credit_lines(tmp_path / "empty"))


def test_the_command_knows_every_size():
    from lablr.cli.download import SIZES as SAID

    assert SAID == SIZES
