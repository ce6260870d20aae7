"""The tour of the page: offered once, led by keyboard, at home before any photo."""

from __future__ import annotations

from browsing import SCANNED, Look

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
    first = visit()
    page, expect = first.page, first.expect
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

    page = visit(script=NO_STORAGE).page  # offered and taken all the same
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


def test_it_goes_by_keyboard_and_with_a_sample(visit):
    visit = visit(**SCANNED)
    page, expect = visit.page, visit.expect
    look = Look(visit, "tour")
    visit.tab_to("#tour-take")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name=TITLES[1])).to_contain_text("2 of 6")
    expect(page.locator("#tour-text")).to_contain_text("With a photo")
    look.at("before any photo")
    page.click("[data-tour=sample]")
    expect(page.locator("#tour-text")).to_contain_text("untick")
    expect(page.locator("#chips")).to_have_class("chips tour-part")
    visit.wait_for_charts()
    walk(visit, 2)
    page.set_viewport_size({"width": 390, "height": 844})
    page.click("#tour-again")
    walk(visit, 1)
    look.end()


def walk(visit, first: int) -> None:
    """From a step to the end, by keyboard; all of it is in the window."""
    page, expect = visit.page, visit.expect
    for number, title in list(enumerate(TITLES, start=1))[first - 1 :]:
        dialog = page.get_by_role("dialog", name=title)
        expect(dialog).to_contain_text(f"{number} of 6")
        expect(page.locator("[data-tour=next]")).to_be_focused()
        expect(page.locator(".tour-part")).to_be_in_viewport()
        assert is_seen(page), title
        visit.no_sideways_scroll()
        page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".tour-part")).to_have_count(0)
