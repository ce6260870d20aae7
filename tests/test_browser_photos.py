"""Many photos at once: the strip, each with its own state, result and choices."""

from __future__ import annotations

import pytest
from browsing import fits, hold_answers, let_go, no_photo, upload

IS_LOADED = """url => new Promise((resolve) => {
  const image = new Image();
  image.onload = () => resolve(true);
  image.onerror = () => resolve(false);
  image.src = url;
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_photo_has_its_own_result(visit, photos, width, scheme):
    visit = visit(complaints=("415",), **fits(width, scheme))
    page, expect = visit.page, visit.expect
    visit.take(photos["china"], photos["flower"], photos["chelsea"], photos["broken"])
    visit.wait_for_photos(4)
    options = page.locator("#thumbnails [role=option]")
    expect(options.nth(0)).to_have_attribute("aria-selected", "true")
    expect(options.nth(3)).to_have_attribute("aria-label", "broken.jpg, error")
    visit.wait_for_charts()
    temple = visit.texts("#rows th")
    visit.no_sideways_scroll()
    visit.screenshot(f"photos-{width}-{scheme}")

    options.nth(1).click()
    expect(page.locator("#preview-name")).to_have_text("flower.jpg")
    expect(page.locator("#rows th").first).not_to_have_text(temple[0])
    visit.wait_for_charts()
    best = visit.texts("#rows th")[0]
    expect(page.locator("#bars .ytick", has_text=best)).to_have_count(1)
    options.nth(3).click()
    expect(page.locator("#error-message")).to_contain_text("broken.jpg: ")
    expect(page.locator("#result")).to_be_hidden()
    visit.no_sideways_scroll()
    visit.screenshot(f"photos-error-{width}-{scheme}")
    options.nth(0).click()
    expect(page.locator("#rows th").first).to_have_text(temple[0])
    expect(page.locator("#error")).to_be_hidden()


def test_two_photos_are_sent_at_a_time(visit, photos):
    visit = visit()
    page, expect = visit.page, visit.expect
    held = hold_answers(visit)
    visit.take(*[upload(photos["china"], f"{name}.jpg") for name in "abcd"])
    expect(page.locator(".thumbnail[data-state=waiting]")).to_have_count(2)
    while len(held) < 2:  # Playwright hears of requests only while it waits
        page.wait_for_timeout(50)
    expect(page.locator(".thumbnail[data-state=waiting]")).to_have_count(2)
    assert len(held) == 2
    let_go(visit, held)
    visit.wait_for_photos(4)
    expect(page.locator("#status")).to_contain_text("All 4 photos are done.")


def test_the_strip_by_keyboard(visit, photos):
    visit = visit()
    page, expect = visit.page, visit.expect
    visit.take(*[upload(photos["flower"], f"{name}.jpg") for name in "abc"])
    visit.wait_for_photos(3)
    name = page.locator("#preview-name")
    visit.tab_to("[role=option]")
    expect(page.locator("[role=option]:focus")).to_have_attribute(
        "aria-selected", "true"
    )
    for key, shown in (("ArrowRight", "b"), ("End", "c"), ("Home", "a")):
        page.keyboard.press(key)
        expect(name).to_have_text(f"{shown}.jpg")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Delete")
    expect(name).to_have_text("c.jpg")
    expect(page.locator("[role=option]:focus")).to_have_attribute(
        "aria-label", "c.jpg, " + visit.texts(".thumbnail .state")[1]
    )
    page.keyboard.press("Delete")
    expect(page.locator("#strip")).to_be_hidden()
    expect(page.locator("#remove")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#preview")).to_be_hidden()
    expect(page.locator("#photo")).to_be_focused()
    expect(page.locator("#status")).to_have_text("a.jpg removed.")


def test_the_ring_of_the_photo_on_show_is_whole(visit, photos):
    visit = visit(**fits(390, "light"))
    visit.take(*[upload(photos["flower"], f"{name}.jpg") for name in "abcdef"])
    visit.wait_for_photos(6)
    strip = visit.page.locator("#thumbnails")
    # the third one ends just before the window of the strip does
    visit.page.evaluate("""() => {
      const list = document.getElementById("thumbnails");
      const right = list.children[2].getBoundingClientRect().right;
      list.scrollLeft += right + 2 - list.getBoundingClientRect().right;
      list.children[2].click();
    }""")
    chosen = visit.page.locator("[role=option][aria-selected=true]")
    visit.expect(chosen).to_have_attribute("title", "c.jpg")
    outer, inner = strip.bounding_box(), chosen.bounding_box()
    assert inner["x"] - 5 >= outer["x"]
    assert inner["x"] + inner["width"] + 5 <= outer["x"] + outer["width"]


def test_a_removed_photo_is_let_go(visit, photos):
    visit = visit(complaints=("blob:", "ERR_FILE_NOT_FOUND"))
    page = visit.page
    visit.take(photos["china"], photos["flower"])
    visit.wait_for_photos(2)
    url = page.locator(".thumbnail img").first.get_attribute("src")
    assert page.evaluate(IS_LOADED, url)
    page.click("#remove")
    assert not page.evaluate(IS_LOADED, url)


def test_a_photo_removed_on_its_way_leaves_no_trace(visit, photos):
    visit = visit()
    page, expect = visit.page, visit.expect
    hold_answers(visit)
    visit.take(photos["china"])
    expect(page.locator("#working")).to_be_visible()
    page.click("#remove")
    expect(page.locator("#drop label[for=photo]")).to_be_visible()
    visit.holding = False  # the photo is gone, its request with it
    visit.take(photos["flower"])
    visit.wait_for_charts()
    expect(page.locator("#preview-name")).to_have_text("flower.jpg")


def test_choices_are_kept_with_their_photo(visit, photos):
    visit = visit()
    page, expect = visit.page, visit.expect
    visit.take(photos["china"], photos["flower"])
    visit.wait_for_photos(2)
    boxes = page.locator("#chips input")
    boxes.nth(9).check()
    boxes.nth(0).uncheck()
    chosen = visit.texts("#chips li:has(input:checked) .name")
    page.locator("[role=option]").nth(1).click()
    expect(page.locator("#preview-name")).to_have_text("flower.jpg")
    assert visit.texts("#chips li:has(input:checked) .name") != chosen
    page.locator("[role=option]").nth(0).click()
    expect(page.locator("#preview-name")).to_have_text("china.jpg")
    assert visit.texts("#chips li:has(input:checked) .name") == chosen


def test_an_error_stands_beside_the_form(visit, photos):
    visit = visit(complaints=("415",))
    page, expect = visit.page, visit.expect
    visit.take(no_photo("<b>no.jpg"))
    expect(page.locator("#error")).to_be_visible()
    expect(page.locator("#error-message")).to_contain_text("<b>no.jpg: ")
    expect(page.locator("#drop label[for=photo]")).to_be_visible()
    expect(page.locator("#result")).to_be_hidden()
    visit.screenshot("error-1280-light")
    visit.take(photos["china"])
    visit.wait_for_charts()
    expect(page.locator("#error")).to_be_hidden()


def test_too_large_a_photo_is_not_even_sent(visit):
    visit = visit()
    requests = []
    visit.page.on("request", lambda request: requests.append(request.method))
    visit.take({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": bytes(11 << 20)})
    visit.expect(visit.page.locator("#error-message")).to_have_text(
        "a.jpg: The photo has 11.0 MiB; at most 10 MiB are taken. "
        "Save it smaller and retry."
    )
    assert "POST" not in requests


def test_a_page_holds_a_hundred_photos(visit):
    visit = visit()
    hold_answers(visit)
    visit.take(*[no_photo(f"{number}.jpg") for number in range(101)])
    visit.expect(visit.page.locator(".thumbnail")).to_have_count(100)
    visit.expect(visit.page.locator("#note")).to_have_text(
        "A page holds 100 photos; 100 of 101 were added."
    )
