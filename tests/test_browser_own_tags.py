"""Tags that a photo has already, on the page: what the model doubts is explained."""

from __future__ import annotations

import pytest
from browsing import EVERY_WINDOW, fits
from test_browser_axe import grave_findings

from lablr.ranking.tagger import Tagger
from lablr.ranking.unlikely import unlikely_tags

OWN = "building, surfing, Aunt Mary"


@pytest.fixture(scope="module")
def reasons(china_jpg) -> list[str]:
    suggestion = Tagger.load().suggest(china_jpg, k=0)
    return [one.reason for one in unlikely_tags(suggestion, OWN.split(", "))]


def test_unlikely_tags_are_explained_for_each_photo(visit, photos, reasons):
    visit = visit(**fits(1280, "light"))
    page, expect = visit.page, visit.expect
    visit.take(photos["china"], photos["flower"])
    visit.wait_for_photos(2)
    visit.wait_for_charts()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    visit.tab_to("#own summary")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type(OWN)
    page.keyboard.press("Enter")
    assert reasons
    expect(page.locator("#unlikely li")).to_have_text(reasons)
    expect(page.locator("#own-said")).to_have_text("These may not fit.")
    assert sent
    assert not any("/suggestions" in url for url in sent)  # the photo stays here

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


def test_too_many_tags_are_said(visit, china_jpg):
    visit = visit(complaints=("400",))
    page, expect = visit.page, visit.expect
    visit.take(china_jpg)
    visit.wait_for_charts()
    page.click("#own summary")
    page.fill("#existing", "a," * 76)
    expect(page.locator("#own-said")).to_contain_text("75 tags at most")


@EVERY_WINDOW
def test_it_fits_the_window_and_axe_finds_nothing(visit, photos, width, scheme):
    visit = visit(bypass_csp=True, reduced_motion="reduce", **fits(width, scheme))
    page, expect = visit.page, visit.expect
    visit.take(photos["china"])
    visit.wait_for_charts()
    page.click("#own summary")
    page.fill("#existing", OWN)
    expect(page.locator("#unlikely li").first).to_be_visible()
    assert grave_findings(visit) == []
    visit.no_sideways_scroll()
    visit.screenshot(f"own-tags-{width}-{scheme}")


def test_without_javascript_the_form_takes_them(visit, china_jpg, reasons):
    visit = visit(java_script_enabled=False)
    page, expect = visit.page, visit.expect
    expect(page.locator("#own")).to_be_hidden()
    page.fill("#form-existing", OWN)
    visit.take(china_jpg)
    page.click("button[type=submit]")
    expect(page.locator("#unlikely li")).to_have_text(reasons)
    expect(page.locator("#form-existing")).to_have_value(OWN)
