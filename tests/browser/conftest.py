"""The browser and the servers of a session, and a fresh profile for each test."""

from __future__ import annotations

import importlib.util
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browsing import CHROMIUM, FLAGS, TIMEOUT_MS, TOKEN, WATCH_POLICY, Open, Visit
from click.testing import CliRunner
from database_makers import judge
from desk_browsing import Folder, make_photos
from judging_pages import judging_server
from serving import Server, running_server

from lablr.annotation.database.database import Database
from lablr.annotation.results import Results, results_of
from lablr.cli import main

SKIMAGE = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "retina.jpg")


@pytest.fixture(scope="session")
def photos(
    photos_of_sklearn: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Real photos by name, and a file that only has a photo's name."""
    spec = importlib.util.find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    data = Path(spec.origin).parent / "data"
    found = {path.stem: path for path in photos_of_sklearn.glob("*.jpg")}
    found |= {Path(name).stem: data / name for name in SKIMAGE}
    found["broken"] = tmp_path_factory.mktemp("broken") / "broken.jpg"
    found["broken"].write_bytes(b"text")
    return found


# --- servers, one a session


@pytest.fixture(scope="session")
def pictures(photos: dict[str, Path], tmp_path_factory: Any) -> Path:
    """A folder of six real photos, two of each motif, and their index beside it."""
    place: Path = tmp_path_factory.mktemp("pictures")
    sources = [photos[name] for name in ("chelsea", "coffee", "flower")]
    make_photos(place / "photos", sources, 6)
    words = ["index", str(place / "photos"), "--out", str(place / "index")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    return place


@dataclass(frozen=True)
class Place:
    """A server with a search index and a desk, and where the desk's photos lie."""

    server: Server
    folder: Folder


@pytest.fixture(scope="session")
def place(pictures: Path, tmp_path_factory: Any) -> Iterator[Place]:
    with _server(pictures, tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="session")
def guarded(pictures: Path, tmp_path_factory: Any) -> Iterator[Place]:
    """The same for those who know `TOKEN`."""
    folder = tmp_path_factory.mktemp("guarded")
    with _server(pictures, folder, LABLR_API_TOKEN=TOKEN) as running:
        yield running


@contextmanager
def _server(pictures: Path, root: Path, **settings: str) -> Iterator[Place]:
    folder = Folder(root / "photos", root / "state")
    settings |= {"LABLR_INDEX": str(pictures / "index")}
    settings |= {"LABLR_DESK": str(folder.photos), "LABLR_STATE": str(folder.state)}
    with running_server(root, **settings) as server:
        yield Place(server, folder)


@dataclass(frozen=True)
class Judging:
    """A server for judging; its database holds what the test puts in."""

    server: Server
    path: Path
    database: Database

    def copy_from(self, other: Path) -> None:
        with sqlite3.connect(other) as source, sqlite3.connect(self.path) as target:
            source.backup(target)


@pytest.fixture(scope="session")
def one_judging(tmp_path_factory: Any) -> Iterator[tuple[Judging, Path]]:
    folder = tmp_path_factory.mktemp("judging")
    empty, path = folder / "empty.sqlite", folder / "judgements.sqlite"
    Database(f"sqlite:///{empty}").close()
    shutil.copy(empty, path)
    with (
        judging_server(folder, str(path)) as server,
        Database(f"sqlite:///{path}") as database,
    ):
        yield Judging(server, path, database), empty


@pytest.fixture
def judging(one_judging: tuple[Judging, Path]) -> Judging:
    """An empty database and its server."""
    found, empty = one_judging
    found.copy_from(empty)
    return found


@pytest.fixture(scope="session")
def judgements(tmp_path_factory: Any) -> tuple[Path, Results]:
    """A database of 60 photos that three raters judged, and the library's figures."""
    path = tmp_path_factory.mktemp("judged") / "judged.sqlite"
    with Database(f"sqlite:///{path}") as database:
        judge(database)
        for number, typed in enumerate(("seen nowhere", "10", "9", "1a")):
            said = {typed: "typed"}
            database.rate("ben", f"photo-{2 * number}", "none_right", said, k=3)
        return path, results_of(database)


@pytest.fixture
def judged(
    judging: Judging, judgements: tuple[Path, Results]
) -> tuple[Server, Results]:
    path, results = judgements
    judging.copy_from(path)
    return judging.server, results


# --- the desk


@pytest.fixture(scope="session")
def some_photos(photos: dict[str, Path], tmp_path_factory: Any) -> list[Path]:
    """Small real photos, three motifs in turn."""
    sources = [photos[name] for name in ("china", "flower", "chelsea")]
    return make_photos(tmp_path_factory.mktemp("some") / "photos", sources, 6)


@pytest.fixture
def desk(place: Place, visit: Open, some_photos: list[Path]) -> Iterator[Open]:
    """Open the desk with photos of this test's own, on which nothing is decided."""
    yield from _desk(place, visit, some_photos)


@pytest.fixture
def guarded_desk(
    guarded: Place, visit: Open, some_photos: list[Path]
) -> Iterator[Open]:
    yield from _desk(guarded, visit, some_photos)


def _desk(place: Place, visit: Open, some: list[Path]) -> Iterator[Open]:
    opened = []

    def open_desk(n_photos: int = 6, **options: Any) -> tuple[Visit, list[Path]]:
        files = place.folder.fill(some[:n_photos])
        opened.append(visit(url=place.server.url, path="/desk", **options))
        return opened[-1], files

    yield open_desk
    for one in opened:
        one.page.close()  # before what it shows is taken away
    place.folder.empty(place.server)


# --- the browser


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser; each visit has its own profile in it."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any, place: Place) -> Iterator[Open]:
    """Open the page in a fresh profile; at the end nothing may have been wrong."""
    from playwright.sync_api import expect

    contexts, visits, expected = [], [], []
    expect.set_options(timeout=TIMEOUT_MS)

    def open_page(
        url: str = place.server.url,
        complaints: tuple[str, ...] = (),
        path: str = "/",
        script: str = "",
        charts: bool = True,
        **options: Any,
    ) -> Visit:
        """complaints: what the browser may say; script: runs before the page's;
        charts: whether they are drawn, which costs more than all the rest."""
        options.setdefault("viewport", {"width": 1280, "height": 900})
        context = chromium.new_context(**options)
        context.set_default_timeout(TIMEOUT_MS)
        context.add_init_script(WATCH_POLICY + script)
        if not charts:
            context.route("**/assets/plotly*", lambda route: route.fulfill(body=""))
        visit = Visit(context.new_page(), expect)
        visit.listen()
        contexts.append(context)
        visits.append(visit)
        expected.append(complaints)
        visit.page.goto(url + path)
        return visit

    yield open_page
    for context in contexts:
        context.close()
    for visit, allowed in zip(visits, expected, strict=True):
        unexpected = [
            text for text in visit.complaints if not any(a in text for a in allowed)
        ]
        assert unexpected == []
