"""The card of maps: tabs, zoom, full screen, and the picture to keep."""

from __future__ import annotations

import pytest
from PIL import Image

CIRCLES = """
() => {
  const map = document.getElementById("map");
  const { xaxis } = map._fullLayout;
  const perUnit = Math.abs(xaxis._length / (xaxis.range[1] - xaxis.range[0]));
  return [...map.querySelectorAll(".shapelayer path")].map((path, index) => {
    const box = path.getBBox();
    const shape = map.layout.shapes[index];
    return [box.width, box.height, (shape.x1 - shape.x0) * perUnit];
  });
}"""
RANGE = "document.getElementById('map')._fullLayout.xaxis.range"


def width_of_view(visit) -> float:
    """How much of the plane is in sight, in its own units."""
    low, high = visit.page.evaluate(RANGE)
    return high - low


def test_circles_are_round_and_zoomed_and_kept_as_a_picture(visit, china_jpg, tmp_path):
    visit = visit(accept_downloads=True, color_scheme="dark")
    page, expect = visit.page, visit.expect
    visit.take(china_jpg)
    visit.wait_for_charts()
    circles = page.evaluate(CIRCLES)
    assert len(circles) == 20
    for width, height, expected in circles:
        assert width == pytest.approx(height, rel=0.02)
        assert width == pytest.approx(expected, rel=0.02)

    whole = width_of_view(visit)
    page.click("#map-in")
    assert width_of_view(visit) == pytest.approx(whole / 1.5, rel=0.01)
    page.click("#map-out")
    assert width_of_view(visit) == pytest.approx(whole, rel=0.01)
    page.focus("#map")
    page.keyboard.press("+")
    page.keyboard.press("+")
    near = width_of_view(visit)
    assert near == pytest.approx(whole / 2.25, rel=0.01)
    left = page.evaluate(RANGE)[0]
    page.keyboard.press("ArrowRight")
    assert page.evaluate(RANGE)[0] > left
    page.fill("#threshold-number", "60")  # stays when the photo is ranked again
    expect(page.locator("#bars .annotation")).to_contain_text("60 %")
    assert width_of_view(visit) == pytest.approx(near, rel=0.01)
    page.focus("#map")
    page.keyboard.press("0")
    assert width_of_view(visit) == pytest.approx(whole, rel=0.01)

    with page.expect_download() as download:
        page.click("#map-save")
    assert download.value.suggested_filename == "china-map.png"
    download.value.save_as(tmp_path / "map.png")
    box = page.locator("#map").bounding_box()
    with Image.open(tmp_path / "map.png") as picture:
        assert picture.size[0] == pytest.approx(2 * box["width"], abs=4)
        assert picture.size[1] >= 1100
        assert picture.convert("RGB").getpixel((2, 2)) == (0x1B, 0x1E, 0x22)

    legend = ".legend:has(#legend-tag) li"
    assert visit.texts(legend) == ["suggested tag", "other tag", "your photo"]
    page.click("#tab-photos")
    expect(page.locator("#dots .legend .traces")).to_have_count(4)
    expect(page.locator("#map")).to_be_hidden()


def test_full_screen_by_the_browser_and_where_it_has_none(visit, china_jpg):
    visit = visit()
    page, expect = visit.page, visit.expect
    visit.take(china_jpg)
    visit.wait_for_charts()
    full, drawing = page.locator("#map-full"), page.locator("#map .main-svg").first
    full.click()
    expect(full).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("document.fullscreenElement.id") == "maps"
    expect(drawing).not_to_have_attribute("height", "560")
    box = page.locator("#map").bounding_box()
    assert box["y"] + box["height"] <= page.viewport_size["height"] + 1
    full.click()
    expect(full).to_have_attribute("aria-pressed", "false")
    expect(drawing).to_have_attribute("height", "560")

    page.evaluate("delete Element.prototype.requestFullscreen")
    card = page.locator("#maps")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        full.click()
        expect(card).to_have_class("maps card full")
        box = card.bounding_box()
        assert (box["x"], box["y"], box["width"]) == (0, 0, width)
        first = page.locator("#chips input").first
        assert first.evaluate("box => !!box.closest('[inert]')")
        page.keyboard.press("Escape")
        expect(card).to_have_class("maps card")
        expect(full).to_be_focused()
        assert page.locator("[inert]").count() == 0
