"""The page of every method side by side, in a real browser."""

from __future__ import annotations

import pytest
from browsing import SCANNED, Look

from lablr.ranking.tagger import Tagger


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger.load()


def test_a_photo_is_ranked_by_every_method(visit, tagger, china_jpg):
    visit = visit(path="/compare")
    page, expect = visit.page, visit.expect
    expect(page.locator("script")).to_have_count(0)  # all of it works without
    expect(page.locator(".methods")).to_have_count(0)
    rows = page.locator(".compare details[open] tbody tr")
    expect(rows).to_have_count(len(tagger.rankings))
    closed = page.locator(".compare details:not([open]) summary")
    if closed.count():
        closed.first.focus()
        page.keyboard.press("Enter")  # opened by keyboard
        expect(page.locator(".compare details[open]")).to_have_count(2)
    for text in visit.texts(".compare details[open] tbody td:nth-child(2)"):
        assert 0 < float(text) < 1  # the figures of the bundle

    page.goto(page.url)
    visit.tab_to("#photo")
    visit.take(china_jpg)
    visit.tab_to("button.button")
    page.keyboard.press("Enter")
    expect(page.locator(".methods article")).to_have_count(len(tagger.rankings))
    expect(page.locator(".given")).to_have_text("For china.jpg")
    for ranking in tagger.rankings:
        expected = tagger.suggest(china_jpg, 10, ranking)
        card = f"article[aria-labelledby='method-{ranking}']"
        assert visit.texts(f"{card} .bars .name") == [s.tag for s in expected.tags]
        unsure = page.locator(f"{card} strong", has_text="not sure")
        expect(unsure).to_have_count(0 if expected.sure else 1)
        heading = page.locator(f"#method-{ranking}")
        assert heading.text_content()[0].isupper()


def test_every_state_fits_the_window_and_axe_finds_nothing(visit, photos):
    visit = visit(path="/compare", complaints=("415",), **SCANNED)
    page, expect = visit.page, visit.expect
    look = Look(visit, "compare")
    visit.take(photos["broken"])
    page.click("button:text-is('Compare')")
    expect(page.locator("#error")).to_contain_text("not a JPEG")
    expect(page.locator(".methods")).to_have_count(0)
    look.at("error")
    visit.take(photos["flower"])
    page.click("button:text-is('Compare')")
    expect(page.locator(".methods article").first).to_be_visible()
    expect(page.locator("#error")).to_have_count(0)
    page.locator(".compare details").evaluate_all(
        "all => all.forEach((details) => { details.open = true; })"
    )
    look.at("compared")
    look.end()
