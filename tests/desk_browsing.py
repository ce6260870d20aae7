"""What the browser tests of the desk share: bursts of real photos, and its server."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browsing import Open, Visit
from PIL import Image
from serving import running_server

NAMES = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "retina.jpg")


def make_photos(folder: Path, sources: list[Path], count: int) -> list[Path]:
    """Real photos, each cut out a little otherwise: bursts of the same scene."""
    folder.mkdir()
    made = []
    for number in range(count):
        source = sources[number % len(sources)]
        share = 0.03 * (number // len(sources))
        with Image.open(source) as image:
            width, height = image.size
            cut = (int(width * share), int(height * share), width, height)
            photo = image.convert("RGB").crop(cut)
        photo.info.clear()  # a comment of the source is not to be copied
        photo.thumbnail((480, 480))
        made.append(folder / f"{number:02d}-{source.stem}.jpg")
        photo.save(made[-1], quality=88)
    return made


@pytest.fixture(scope="session")
def sources(photos: dict[str, Path]) -> list[Path]:
    spec = importlib.util.find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    data = Path(spec.origin).parent / "data"
    return [photos["china"], photos["flower"], *(data / name for name in NAMES)]


@contextmanager
def at_desk(
    visit: Open,
    folder: Path,
    temporary: Path,
    settings: Mapping[str, str] | None = None,
    **options: Any,
) -> Iterator[Visit]:
    """The page of a folder's desk on a server of its own, which it does not outlive."""
    temporary.mkdir(exist_ok=True)
    own = {"LABLR_DESK": str(folder), "LABLR_STATE": str(temporary / "state")}
    with running_server(temporary, **own, **(settings or {})) as server:
        opened = visit(url=server.url, path="/desk", **options)
        yield opened
        opened.page.close()


def wait_for_suggestions(visit: Visit) -> None:
    visit.expect(visit.page.locator("#open li").first).to_be_visible()


def wait_until_looked_at(visit: Visit) -> None:
    waiting = ".cell:is([data-state=new], [data-state=working])"
    visit.expect(visit.page.locator(".cell").first).to_be_visible()
    visit.expect(visit.page.locator(waiting)).to_have_count(0)
    wait_for_suggestions(visit)


def wait_for_sum(visit: Visit, text: str) -> None:
    visit.expect(visit.page.locator("#sum")).to_contain_text(text)


def wait_for_stored(visit: Visit, text: str) -> None:
    """Wait until the server has acknowledged a step, which is then said."""
    visit.expect(visit.page.locator("#said")).to_contain_text(text)


def names_of(visit: Visit, group: str) -> list[str]:
    return visit.texts(f"#{group} .name")


@pytest.fixture(scope="module")
def few(tmp_path_factory: Any, sources: list[Path]) -> Path:
    folder: Path = tmp_path_factory.mktemp("few") / "photos"
    make_photos(folder, [sources[0], sources[1], sources[3]], 6)
    return folder
