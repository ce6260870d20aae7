"""The page of every method side by side, in a real browser."""

from __future__ import annotations

import pytest
from browsing import EVERY_WINDOW, TOKEN, fits
from test_browser_axe import grave_findings

from lablr.ranking.tagger import Tagger


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger.load()


@pytest.fixture
def opened(visit):
    """Open the page; returns the visit."""

    def open_compare(**options):
        return visit(path="/compare", **options)

    return open_compare


def compare(visit, photo) -> None:
    visit.take(photo)
    visit.page.click("button:text-is('Compare')")


def test_a_photo_is_ranked_by_every_method(opened, tagger, china_jpg):
    visit = opened()
    page, expect = visit.page, visit.expect
    expect(page.locator(".methods")).to_have_count(0)
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


def test_the_figures_are_those_of_the_bundle(opened, tagger):
    visit = opened()
    page, expect = visit.page, visit.expect
    rows = page.locator(".compare details[open] tbody tr")
    expect(rows).to_have_count(len(tagger.rankings))
    closed = page.locator(".compare details:not([open]) summary")
    if closed.count():
        closed.first.focus()
        page.keyboard.press("Enter")  # opened by keyboard
        expect(page.locator(".compare details[open]")).to_have_count(2)
    for text in visit.texts(".compare details[open] tbody td:nth-child(2)"):
        assert 0 < float(text) < 1


def test_what_is_wrong_is_said_beside_the_form(opened, photos):
    visit = opened(complaints=("415",))
    page, expect = visit.page, visit.expect
    compare(visit, photos["broken"])
    expect(page.locator("#error")).to_contain_text("not a JPEG")
    expect(page.locator(".methods")).to_have_count(0)
    compare(visit, photos["flower"])
    expect(page.locator(".methods article").first).to_be_visible()
    expect(page.locator("#error")).to_have_count(0)


def test_a_token_is_asked_for(visit, guarded_server, photos):
    visit = visit(url=guarded_server.url, path="/compare", complaints=("401",))
    page, expect = visit.page, visit.expect
    compare(visit, photos["china"])
    expect(page.locator("#error")).to_be_visible()
    page.fill("#form-token", TOKEN)
    compare(visit, photos["china"])
    expect(page.locator(".methods article").first).to_be_visible()


def test_without_javascript_all_of_it_works(opened, tagger, china_jpg):
    visit = opened(java_script_enabled=False)
    compare(visit, china_jpg)
    articles = visit.page.locator(".methods article")
    visit.expect(articles).to_have_count(len(tagger.rankings))


@EVERY_WINDOW
def test_every_state_fits_the_window_and_axe_finds_nothing(
    opened, photos, width, scheme
):
    visit = opened(
        complaints=("415",),
        bypass_csp=True,
        reduced_motion="reduce",
        **fits(width, scheme),
    )
    page, expect = visit.page, visit.expect
    found = {"empty": grave_findings(visit)}
    visit.no_sideways_scroll()
    compare(visit, photos["china"])
    expect(page.locator(".methods article").first).to_be_visible()
    page.locator(".compare details").evaluate_all(
        "all => all.forEach((details) => { details.open = true; })"
    )
    found["compared"] = grave_findings(visit)
    visit.no_sideways_scroll()
    visit.screenshot(f"compare-{width}-{scheme}")
    compare(visit, photos["broken"])
    expect(page.locator("#error")).to_be_visible()
    found["error"] = grave_findings(visit)
    visit.no_sideways_scroll()
    assert {state: finding for state, finding in found.items() if finding} == {}


# --- the twenty best, as a chart


@pytest.mark.parametrize("width", [390, 1280])
def test_the_triplet_method_draws_its_twenty_best_tags(visit, tagger, china_jpg, width):
    visit = visit(path="/?k=20&ranking=triplet", **fits(width, "light"))
    page, expect = visit.page, visit.expect
    expect(page.locator("#ranking")).to_have_value("triplet")
    visit.take(china_jpg)
    visit.wait_for_charts()
    expected = [score.tag for score in tagger.suggest(china_jpg, 20, "triplet").tags]
    expect(page.locator("#rows th")).to_have_text(expected)
    expect(page.locator("#bars .bars .point")).to_have_count(20)
    expect(page.locator("#bars .ytick text")).to_have_text(expected)
    visit.no_sideways_scroll()
    visit.screenshot(f"triplet-20-{width}-light")
