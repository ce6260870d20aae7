"""The page in another language, one written from right to left among them."""

from __future__ import annotations

from browsing import fits

from lablr.tags import translations


def test_tags_are_shown_marked_and_copied_in_the_chosen_language(visit, china_jpg):
    visit = visit(
        permissions=["clipboard-read", "clipboard-write"], **fits(1280, "light")
    )
    page, expect = visit.page, visit.expect
    visit.take(china_jpg)
    visit.wait_for_charts()
    tags = visit.texts("#rows th")
    persian = [translations("fa")[tag] for tag in tags]
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))

    page.focus("#language")  # by keyboard alone
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#language")).to_have_value("fa")
    expect(page.locator("#rows th")).to_have_text(persian)
    assert visit.texts("#chips .name") == persian
    expect(page.locator("#status")).to_contain_text(persian[0])
    expect(page.locator("#bars .ytick text").first).to_have_text(persian[0])
    expect(page.locator("#map .annotation-text").first).to_have_text(persian[0])
    assert not any("/suggestions" in url for url in sent)  # ranked, not sent again
    assert "language=fa" in page.url
    name = page.locator("#chips .name").first
    expect(name).to_have_attribute("lang", "fa")
    expect(name).to_have_attribute("title", tags[0])
    assert name.evaluate("element => getComputedStyle(element).direction") == "rtl"
    box = page.locator("#rows th bdi").first
    assert box.evaluate("element => getComputedStyle(element).direction") == "rtl"

    # what is marked is the tag, whatever it is called
    page.locator("#chips input").nth(1).focus()
    marked = page.locator("#map .shapelayer path.marked")
    index = int(marked.get_attribute("data-index"))
    shapes = page.evaluate("document.getElementById('map').layout.shapes")
    assert shapes[index]["name"] == tags[1]

    chosen = visit.texts("#chips li:has(input:checked) .name")
    page.click("#copy")
    expect(page.locator("#copied")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == ", ".join(chosen)
    visit.screenshot("farsi-1280-light")
    page.set_viewport_size({"width": 390, "height": 844})
    visit.wait_for_charts()
    visit.no_sideways_scroll()  # the charts are drawn anew for the width
    visit.screenshot("farsi-390-light")

    page.reload()  # the address keeps the language
    expect(page.locator("#language")).to_have_value("fa")
    visit.take(china_jpg)
    expect(page.locator("#rows th")).to_have_text(persian)
    page.select_option("#language", "en")
    expect(page.locator("#rows th")).to_have_text(tags)
    assert "language" not in page.url
    visit.no_sideways_scroll()
