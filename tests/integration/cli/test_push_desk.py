"""From the desk to Flickr: which photo a file is, and what people decided of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from flickr_client import Clock, clock, flickr  # noqa: F401
from flickr_server import KEY, SECRET, FlickrServer
from flickr_server.members import OwnPhoto
from push_makers import Pusher, raws

from lablr.annotation import desk_database, open_database
from lablr.annotation.desk.desk import Desk, open_desk
from lablr.annotation.desk.flickr_tags import flickr_number
from lablr.annotation.desk.records import TagDecisions
from lablr.cli import main
from lablr.flickr.account import keep_account


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("by-the-sea_53061940521_o.jpg", "53061940521"),
        ("53061940521_o.jpg", "53061940521"),
        ("in/2023/img_20230715_53061940521_k.jpg", "53061940521"),
        ("53061940521_0a1b2c3d4e.jpg", "53061940521"),
        ("53061940521_0a1b2c3d4e_b.jpg", "53061940521"),
        ("53061940521_0a1b2c3d4e_6k.png", "53061940521"),
        ("a\nline_53061940521_o.jpg", "53061940521"),
        ("53061940521.jpg", None),
        ("20230715_123456.jpg", None),
        ("IMG_20230715_1.jpg", None),
        ("PXL_20230715_101112131.jpg", None),
        ("beach_o.jpg", None),
        ("IMG_1234_b.jpg", None),
        ("x53061940521_o.jpg", None),
        ("٥٣٠٦١٩٤٠٥٢١_o.jpg", None),
        (".jpg", None),
    ],
)
def test_the_names_that_flickr_gives(name, number):
    assert flickr_number(name) == number


SEA, CAT = "53061940521", "53061940522"
OF_SEA, SMALL = f"sea_{SEA}_o.jpg", f"small/{SEA}_0a1b2c3d4e_m.jpg"
OF_CAT, OF_NONE = f"{CAT}_o.jpg", "IMG_20230715_1.jpg"


@pytest.fixture
def state(flickr: FlickrServer, clock: Clock, tmp_path: Path, monkeypatch) -> Path:
    """Zoë is signed in, and has two photos more."""
    state = tmp_path / "state"
    monkeypatch.setenv("LABLR_FLICKR_KEY", KEY)
    monkeypatch.setenv("LABLR_FLICKR_SECRET", SECRET)
    monkeypatch.setenv("LABLR_STATE", str(state))
    monkeypatch.delenv("LABLR_DATABASE", raising=False)
    keep_account(Pusher(tmp_path, clock).sign_in(), state)
    flickr.calls.clear()
    more = [OwnPhoto(SEA, tags={f"7-{SEA}-own": "The Sea"}), OwnPhoto(CAT, tags={})]
    flickr.members.all["7@N01"].photos += more
    return state


@pytest.fixture
def folder(china_jpg: Path, tmp_path: Path) -> Path:
    """Both, one of them twice, as Flickr names files, and one that is not there."""
    folder = tmp_path / "holiday"
    (folder / "small").mkdir(parents=True)
    for name in (OF_SEA, SMALL, OF_CAT, OF_NONE):
        shutil.copy(china_jpg, folder / name)
    return folder


@contextmanager
def desk_of(folder: Path, state: Path, url: str | None = None) -> Iterator[Desk]:
    own = desk_database(state)
    own.parent.mkdir(exist_ok=True)
    with open_database(url or str(own)) as database:
        yield open_desk(folder, lambda: database, state)


def decide(desk: Desk, name: str, **tags: list[str]) -> None:
    (number,) = [photo.number for photo in desk.photos() if photo.name == name]
    desk.record_step([number], TagDecisions(tags))


def lablr(*words: str):
    return CliRunner().invoke(main, ["push", *words])


def test_what_was_decided_at_the_desk_is_pushed_and_undone(state, folder, flickr):
    with desk_of(folder, state) as desk:
        decide(desk, OF_SEA, accepted=["sky"], rejected=["dog"])
        decide(desk, SMALL, accepted=["sky"], typed=["Zürich"])
        decide(desk, OF_CAT, rejected=["dog"])
        decide(desk, OF_NONE, accepted=["sky"])
    before = raws(flickr, SEA), raws(flickr, CAT)
    tried = lablr("--desk", str(folder), "--dry-run")
    assert tried.exit_code == 0, tried.stderr
    assert f"left out, not named by Flickr: {OF_NONE}\n" in tried.stderr
    assert (raws(flickr, SEA), raws(flickr, CAT)) == before
    done = lablr("--desk", str(folder))
    assert done.exit_code == 0, done.stderr
    assert "attempted 1 = ok 1" in done.stderr
    assert raws(flickr, SEA) == [*before[0], "sky", "Zürich"]
    assert raws(flickr, CAT) == before[1]
    assert lablr("--undo").exit_code == 0
    assert raws(flickr, SEA) == before[0]


def test_the_desk_of_a_database_of_judgements(state, folder, flickr, tmp_path):
    url = f"sqlite:///{tmp_path / 'judgements.sqlite'}"
    with desk_of(folder, state, url) as desk:
        decide(desk, OF_SEA, typed=["sky"])
    assert lablr("--desk", str(folder), "--database", url).exit_code == 0
    assert "sky" in raws(flickr, SEA)


def test_a_tag_that_flickr_cannot_have_is_named_with_its_photo(state, folder, flickr):
    with desk_of(folder, state) as desk:
        decide(desk, OF_SEA, typed=["!"])
    done = lablr("--desk", str(folder))
    assert done.exit_code == 1
    assert f"error: {OF_SEA}: " in done.stderr
    assert flickr.calls == []


def test_a_desk_at_which_nothing_can_be_pushed_says_so(state, folder, flickr):
    assert f"yet: lablr desk {folder}\n" in lablr("--desk", str(folder)).stderr
    with desk_of(folder, state) as desk:
        decide(desk, OF_NONE, accepted=["sky"])
    done = lablr("--desk", str(folder))
    assert done.exit_code == 1
    assert "nothing to push" in done.stderr
    assert lablr("--desk", str(folder / "nowhere")).exit_code == 2
    assert lablr("--desk", str(folder), "--undo").exit_code == 2
    assert flickr.calls == []
