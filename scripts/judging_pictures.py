#!/usr/bin/env python3
"""Take the pictures of docs/judging.md again: docs/rate.png and docs/results.png.

The photos are those that scikit-image and scikit-learn ship, labelled by the bundled
model. Two raters who know them say yes or no to each tag, one of whom does not count
colours. Needs Chromium and the tests' packages::

    python scripts/judging_pictures.py
"""

from __future__ import annotations

import io
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "browser")]

from browsing import CHROMIUM, FLAGS  # noqa: E402
from judging_pages import judging_server  # noqa: E402

from lablr import Tagger  # noqa: E402
from lablr.annotation.database.database import Database  # noqa: E402
from lablr.annotation.database.records import ModelRecord, StoredPhoto  # noqa: E402
from lablr.bundle import Bundle  # noqa: E402

K = 5
SKIMAGE, SKLEARN = "skimage/data", "sklearn/datasets/images"
# What can be seen on them, in the bundled model's words.
PHOTOS = {
    f"{SKIMAGE}/chelsea.png": "cat brown portrait",
    f"{SKIMAGE}/camera.png": "man people grass field gray black white building sky",
    f"{SKLEARN}/flower.jpg": "flower nature red orange yellow green",
    f"{SKIMAGE}/astronaut.png": "woman people portrait orange",
    f"{SKIMAGE}/rocket.jpg": "sky clouds orange sunset",
    f"{SKLEARN}/china.jpg": "architecture building tree sky lake water red green nature"
    " landscape park",
    f"{SKIMAGE}/motorcycle_left.png": "motorcycle red black",
    f"{SKIMAGE}/coffee.png": "food brown",
    f"{SKIMAGE}/grass.png": "grass gray nature field",
    f"{SKIMAGE}/brick.png": "wall gray architecture building",
    f"{SKIMAGE}/gravel.png": "rock gray nature",
    f"{SKIMAGE}/horse.png": "horse black white",
    f"{SKIMAGE}/moon.png": "gray night rock nature",
    f"{SKIMAGE}/coins.png": "gray",
}
COLOURS = {"black", "brown", "gray", "green", "orange", "red", "white", "yellow"}
N_BEFORE = 5  # photos that the rater of the picture has judged


def places() -> dict[Path, set[str]]:
    """Where the photos are installed, with their own tags."""
    found = {}
    for name, tags in PHOTOS.items():
        package, _, rest = name.partition("/")
        found[Path(str(files(package) / rest))] = set(tags.split())
    return found


def fill(database: Database) -> None:
    """Store what the model says of the photos, and what three people say of that."""
    tagger, own = Tagger.load(), places()
    suggested = {
        place: [(row.tag, row.probability) for row in tagger.suggest(place, K).tags]
        for place in own
    }
    database.store_predictions(
        ModelRecord.of(Bundle.load(), "bundled"),
        ((StoredPhoto(p.name, str(p)), tags) for p, tags in suggested.items()),
    )
    judge(database, "ben", suggested, own)
    judge(database, "cleo", suggested, {p: tags - COLOURS for p, tags in own.items()})
    judge(database, "ann", dict(list(suggested.items())[:N_BEFORE]), own)


def judge(
    database: Database,
    rater: str,
    suggested: dict[Path, list[tuple[str, float]]],
    own: dict[Path, set[str]],
) -> None:
    """Say yes or no to every tag."""
    database.add_rater(rater)
    for place, tags in suggested.items():
        right = {tag: tag in own[place] for tag, _ in tags}
        some = "one_of_k_right" if any(right.values()) else "none_right"
        verdict = "top_right" if right[tags[0][0]] else some
        said = {tag: "yes" if is_right else "no" for tag, is_right in right.items()}
        database.rate(rater, place.name, verdict, said, k=K)


def signed_in(browser: Browser, url: str, scheme: Any) -> Page:
    """A page of 1280 pixels, of the rater ann."""
    size: Any = {"width": 1280, "height": 1080}
    context = browser.new_context(
        viewport=size, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(f"{url}/rate")
    page.fill("#name", "ann")
    page.keyboard.press("Enter")
    page.wait_for_selector("#judged-photo")
    page.wait_for_load_state("networkidle")
    return page


def keep(page: Page, name: str) -> None:
    """Write a picture of the whole page, in 256 colours."""
    page.evaluate("document.activeElement.blur()")
    image = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    image.quantize(256).save(ROOT / "docs" / name, optimize=True)
    print(f"docs/{name}: {image.width} x {image.height}")


def main() -> None:
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        path = folder / "judgements.sqlite"
        with Database(str(path)) as database:
            fill(database)
        (folder / "temporary").mkdir()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        with judging_server(folder / "temporary", str(path)) as server:
            page = signed_in(browser, server.url, "dark")
            page.keyboard.press("2")
            keep(page, "rate.png")
            page = signed_in(browser, server.url, "light")
            page.goto(f"{server.url}/results")
            page.wait_for_selector("#precision_recall .scatterlayer .points path")
            page.wait_for_selector("#roc .scatterlayer .points path")
            keep(page, "results.png")
        browser.close()


if __name__ == "__main__":
    main()
