"""Ranking again without sending again; a tag is marked wherever it is shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browsing import Visit

from lablr.ranking.tagger import Tagger
from lablr.ranking.unlikely import unlikely_tags
from lablr.tags.translations import translations

OWN = "building, surfing, Aunt Mary"


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger.load()


@pytest.fixture
def shown(visit, china_jpg) -> Visit:
    """The page with a photo whose charts are drawn."""
    opened: Visit = visit()
    opened.take(china_jpg)
    opened.wait_for_charts()
    return opened


@pytest.fixture
def posts(shown) -> Iterator[list[str]]:
    """The addresses that the page posts to; the photo is sent to none of them."""
    sent: list[str] = []
    shown.page.on(
        "request",
        lambda request: sent.append(request.url) if request.method == "POST" else None,
    )
    yield sent
    assert sent
    assert not any("/suggestions" in url for url in sent)


def test_the_controls_rank_again_without_sending_again(shown, posts, tagger, china_jpg):
    page, expect = shown.page, shown.expect
    page.check("[name=k][value='5']", force=True)
    expect(page.locator("#rows tr")).to_have_count(5)
    expect(page.locator("#bars .bars .point")).to_have_count(5)
    page.select_option("#ranking", "mahalanobis")
    expected = tagger.suggest(china_jpg, 5, "mahalanobis")
    expect(page.locator("#rows th")).to_have_text([one.tag for one in expected.tags])
    expect(page.locator("#status")).to_contain_text("Ranked again")
    page.fill("#threshold-number", "0")
    expect(page.locator("#chips .good")).to_have_count(5)
    expect(page.locator("#bars .annotation")).to_contain_text("suggested from 0 %")
    page.check("[name=k][value='0']", force=True)
    n_tags = len(tagger.suggest(china_jpg, 0).tags)
    expect(page.locator("#rows tr")).to_have_count(n_tags)
    assert "k=0&ranking=mahalanobis&threshold=0" in page.url


def test_the_address_keeps_what_was_chosen(visit, tagger, china_jpg):
    shown = visit(path="/?k=20&ranking=triplet&threshold=0")
    page, expect = shown.page, shown.expect
    expect(page.locator("#ranking")).to_have_value("triplet")
    shown.take(china_jpg)
    suggested = tagger.suggest(china_jpg, 20, "triplet")
    expected = [score.tag for score in suggested.tags]
    expect(page.locator("#rows th")).to_have_text(expected)
    expect(page.locator("#bars .bars .point")).to_have_count(20)
    expect(page.locator("#bars .ytick text")).to_have_text(expected)
    page.click("#threshold-reset")
    percents = str(round(100 * suggested.threshold))
    expect(page.locator("#threshold-number")).to_have_value(percents)
    assert "threshold" not in page.url


def test_an_accepted_tag_stays_and_the_slider_moves_by_keyboard(shown, posts):
    page, expect = shown.page, shown.expect
    last = page.locator("#chips li").nth(9)
    name = last.locator(".name").text_content()
    last.locator("input").check()
    page.check("[name=k][value='5']", force=True)
    expect(page.locator("#rows tr")).to_have_count(5)
    expect(page.locator("#chips li")).to_have_count(6)
    expect(page.locator("#chips li").nth(5).locator(".name")).to_have_text(name)
    assert page.locator("#chips li input").nth(5).is_checked()
    page.locator("#chips li input").nth(5).uncheck()

    before = int(page.input_value("#threshold-number"))
    page.focus("#threshold")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#threshold-number")).to_have_value(str(before + 1))
    expect(page.locator("#bars .annotation")).to_contain_text(f"{before + 1} %")
    page.keyboard.press("End")
    expect(page.locator("#unsure")).to_be_visible()
    expect(page.locator("#copy")).to_be_disabled()
    expect(page.locator("#legend-tag")).to_have_text("closest tag")
    expect(page.locator("#threshold")).to_be_focused()


# --- A tag is marked wherever it is shown ---------------------------------------------

MARKED = """
() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const { shapes } = document.getElementById("map").layout;
  const { y } = document.getElementById("bars").data[0];
  const bars = all("#bars .bars .point");
  return {
    chips: all("#chips .marked").map((chip) => chip.dataset.tag),
    rows: all("#rows .marked").map((row) => row.dataset.tag),
    bars: y.filter((_, i) => bars[i].classList.contains("marked")),
    circles: all("#map .shapelayer path.marked")
      .map((path) => shapes[path.dataset.index].name),
  };
}"""


def marked(visit) -> dict[str, list[str]]:
    """The tags that are marked in each place."""
    found: dict[str, list[str]] = visit.page.evaluate(MARKED)
    return found


def everywhere(*tags: str) -> dict[str, list[str]]:
    return {place: list(tags) for place in ("chips", "rows", "bars", "circles")}


def test_a_tag_under_the_pointer_or_with_the_focus_is_marked_in_all_places(shown):
    page, expect = shown.page, shown.expect
    tags = shown.texts("#rows th")
    assert marked(shown) == everywhere()
    page.hover("#chips li:nth-child(2) label")
    assert marked(shown) == everywhere(tags[1])
    page.hover("#rows tr:nth-child(3)")
    assert marked(shown) == everywhere(tags[2])
    page.hover("#numbers-title")
    assert marked(shown) == everywhere()

    page.locator("#bars").scroll_into_view_if_needed()
    page.locator("#bars .bars .point").nth(0).hover(force=True)
    expect(page.locator("#chips li").nth(0)).to_have_class("chip good marked")
    assert marked(shown) == everywhere(tags[0])
    page.hover("#maps-title")
    expect(page.locator("#chips .marked")).to_have_count(0)

    # the middle of a circle that no smaller one covers
    index = page.evaluate(
        "tag => document.getElementById('map').layout.shapes"
        ".findIndex((shape) => shape.name === tag)",
        tags[0],
    )
    page.locator(f"#map .shapelayer path[data-index='{index}']").hover(force=True)
    assert marked(shown) == everywhere(tags[0])
    page.mouse.move(0, 0)  # a scrolled page would pass under it
    expect(page.locator("#chips .marked")).to_have_count(0)

    page.locator("#chips input").nth(3).focus()
    assert marked(shown) == everywhere(tags[3])
    page.locator("#rows tr").first.focus()
    assert marked(shown) == everywhere(tags[0])
    page.keyboard.press("ArrowDown")
    assert marked(shown) == everywhere(tags[1])
    page.focus("#copy")
    assert marked(shown) == everywhere()

    page.click("#tab-photos")  # a marked tag's training photos stand out
    traces = page.locator("#dots .scatterlayer .trace")
    expect(traces).to_have_count(4)
    page.locator("#chips input").nth(1).focus()
    expect(traces.nth(1)).to_have_css("opacity", "1")
    expect(traces.nth(0)).to_have_css("opacity", "0.16")


# --- In another language, and tags it has already -------------------------------------


def test_tags_are_shown_marked_and_copied_in_the_chosen_language(visit, china_jpg):
    visit = visit(permissions=["clipboard-read", "clipboard-write"])
    page, expect = visit.page, visit.expect
    visit.take(china_jpg)
    visit.wait_for_charts()
    tags = visit.texts("#rows th")
    persian = [translations("fa")[tag] for tag in tags]

    page.focus("#language")  # by keyboard alone
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#language")).to_have_value("fa")
    expect(page.locator("#rows th")).to_have_text(persian)
    assert visit.texts("#chips .name") == persian
    expect(page.locator("#status")).to_contain_text(persian[0])
    expect(page.locator("#bars .ytick text").first).to_have_text(persian[0])
    expect(page.locator("#map .annotation-text").first).to_have_text(persian[0])
    assert "language=fa" in page.url
    name = page.locator("#chips .name").first
    expect(name).to_have_attribute("lang", "fa")
    expect(name).to_have_attribute("title", tags[0])
    for box in (name, page.locator("#rows th bdi").first):
        assert box.evaluate("element => getComputedStyle(element).direction") == "rtl"

    # what is marked is the tag, whatever it is called
    page.locator("#chips input").nth(1).focus()
    assert marked(visit)["circles"] == [tags[1]]

    chosen = visit.texts("#chips li:has(input:checked) .name")
    page.click("#copy")
    expect(page.locator("#copied")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == ", ".join(chosen)
    visit.screenshot("farsi-1280-light")
    page.set_viewport_size({"width": 390, "height": 844})
    visit.wait_for_charts()
    visit.no_sideways_scroll()  # the charts are drawn anew for the width

    page.reload()  # the address keeps the language
    expect(page.locator("#language")).to_have_value("fa")
    visit.take(china_jpg)
    expect(page.locator("#rows th")).to_have_text(persian)
    page.select_option("#language", "en")
    expect(page.locator("#rows th")).to_have_text(tags)
    assert "language" not in page.url


def test_unlikely_tags_are_explained_for_each_photo(visit, photos, tagger):
    suggestion = tagger.suggest(photos["china"], k=0)
    reasons = [one.reason for one in unlikely_tags(suggestion, OWN.split(", "))]
    assert reasons
    visit = visit(charts=False, complaints=("400",))
    page, expect = visit.page, visit.expect
    visit.take(photos["china"], photos["flower"])
    visit.wait_for_photos(2)
    visit.tab_to("#own summary")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type(OWN)
    with page.expect_request("**/api/v1/rankings*"):  # the photo stays here
        page.keyboard.press("Enter")
    expect(page.locator("#unlikely li")).to_have_text(reasons)
    expect(page.locator("#own-said")).to_have_text("These may not fit.")

    page.locator("[role=option]").nth(1).click()  # each photo has its own
    expect(page.locator("#existing")).to_have_value("")
    expect(page.locator("#unlikely li")).to_have_count(0)
    page.fill("#existing", "flower")
    expect(page.locator("#own-said")).to_have_text("The model doubts none of them.")
    page.locator("[role=option]").nth(0).click()
    expect(page.locator("#existing")).to_have_value(OWN)
    expect(page.locator("#unlikely li")).to_have_text(reasons)
    page.fill("#existing", "")
    expect(page.locator("#unlikely li")).to_have_count(0)
    expect(page.locator("#own-said")).to_be_hidden()
    page.fill("#existing", "a," * 76)
    expect(page.locator("#own-said")).to_contain_text("75 tags at most")
