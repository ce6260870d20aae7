"""The tour of the page: offered once, led by keyboard, at home before any photo."""

from __future__ import annotations

from browsing import EVERY_WINDOW, SCREENSHOTS, fits
from test_browser_axe import grave_findings

TITLES = [
    "Choose photos",
    "The suggested tags",
    "How they are ranked",
    "Where your photo lies",
    "Why a tag?",
    "Whole folders, and search",
]
NO_STORAGE = """
Object.defineProperty(window, "localStorage", { get() { throw new Error("no"); } });
"""


def test_it_is_offered_once_and_can_be_taken_again(visit):
    visit = visit()
    page, expect = visit.page, visit.expect
    expect(page.locator("#tour-offer")).to_be_visible()
    page.click("#tour-no")
    expect(page.locator("#tour-offer")).to_be_hidden()
    expect(page.locator("#tour-again")).to_be_focused()
    page.reload()
    expect(page.locator("#drop")).to_be_visible()
    expect(page.locator("#tour-offer")).to_be_hidden()
    page.click("#tour-again")
    expect(page.get_by_role("dialog", name=TITLES[0])).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("#tour-again")).to_be_focused()


def test_without_storage_it_is_offered_and_taken_all_the_same(visit):
    visit = visit(script=NO_STORAGE)
    page, expect = visit.page, visit.expect
    page.click("#tour-take")
    expect(page.get_by_role("dialog", name=TITLES[0])).to_be_visible()
    expect(page.locator("#tour-offer")).to_be_hidden()


def is_seen(page) -> bool:
    """Whether the whole dialogue lies in the window."""
    box = page.locator(".tour").bounding_box()
    size = page.viewport_size
    return (
        box["x"] >= 0
        and box["y"] >= 0
        and box["x"] + box["width"] <= size["width"]
        and box["y"] + box["height"] <= size["height"]
    )


@EVERY_WINDOW
def test_it_goes_by_keyboard_and_with_a_sample(visit, width, scheme):
    visit = visit(bypass_csp=True, reduced_motion="reduce", **fits(width, scheme))
    page, expect = visit.page, visit.expect
    visit.screenshot(f"tour-offer-{width}-{scheme}")
    visit.tab_to("#tour-take")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name=TITLES[1])).to_contain_text("2 of 6")
    expect(page.locator("#tour-text")).to_contain_text("With a photo")
    assert grave_findings(visit) == []
    page.screenshot(path=SCREENSHOTS / f"tour-later-{width}-{scheme}.png")
    page.click("[data-tour=sample]")
    expect(page.locator("#tour-text")).to_contain_text("untick")
    expect(page.locator("#chips")).to_have_class("chips tour-part")
    visit.wait_for_charts()
    for number, title in enumerate(TITLES[1:], start=2):
        dialog = page.get_by_role("dialog", name=title)
        expect(dialog).to_contain_text(f"{number} of 6")
        expect(page.locator("[data-tour=next]")).to_be_focused()
        expect(page.locator(".tour-part")).to_be_in_viewport()
        assert is_seen(page), title
        visit.no_sideways_scroll()
        page.screenshot(path=SCREENSHOTS / f"tour-{number}-{width}-{scheme}.png")
        assert grave_findings(visit) == []
        page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".tour-part")).to_have_count(0)


def test_without_javascript_there_is_none(visit):
    page = visit(java_script_enabled=False).page
    assert not page.locator("#tour-offer").is_visible()
    assert not page.locator("#tour-again").is_visible()
