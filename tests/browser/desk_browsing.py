"""What the browser tests of the desk share: bursts of real photos, and waiting."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from browsing import TOKEN, Visit
from PIL import Image
from serving import Server


def make_photos(folder: Path, sources: Sequence[Path], count: int) -> list[Path]:
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
        made.append(folder / f"{source.stem}-{number}.jpg")
        photo.save(made[-1], quality=88)
    return made


@dataclass
class Folder:
    """The folder of a desk whose server outlives a test."""

    photos: Path
    state: Path
    _tests: itertools.count = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.photos.mkdir()

    def fill(self, photos: Sequence[Path]) -> list[Path]:
        """Copies of photos, under names that no test before used."""
        test = next(self._tests)
        names = (f"{test}-{number}-{one.name}" for number, one in enumerate(photos))
        pairs = zip(photos, names, strict=True)
        return [Path(shutil.copy(one, self.photos / name)) for one, name in pairs]

    def empty(self, server: Server) -> None:
        """Take every step back, and the photos away."""
        headers = {"Content-Type": "application/json"}
        headers["Authorization"] = f"Bearer {TOKEN}"
        status = 200
        while status == 200:
            body = json.dumps({})
            status, *_ = server.request("POST", "/desk/undo", body, headers)
        dropped = (self.state / "desk" / "dropped").rglob("*.*")
        for file in [*self.photos.iterdir(), *dropped]:
            if file.is_file():
                file.unlink()


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
