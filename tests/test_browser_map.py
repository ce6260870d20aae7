"""The card of maps: tabs, zoom, full screen, and the picture to keep."""

from __future__ import annotations

import pytest
from browsing import SCREENSHOTS, fits
from PIL import Image

NO_FULL_SCREEN = "delete Element.prototype.requestFullscreen;"


@pytest.fixture
def shown(visit, china_jpg):
    """Open the page with a photo whose map is drawn."""

    def show(**options):
        opened = visit(**options)
        opened.take(china_jpg)
        opened.wait_for_charts()
        return opened

    return show


def width_of_view(visit) -> float:
    """How much of the plane is in sight, in its own units."""
    low, high = visit.page.evaluate(
        "document.getElementById('map')._fullLayout.xaxis.range"
    )
    return high - low


def test_circles_are_round_and_of_their_radius(shown):
    visit = shown()
    drawn = visit.page.evaluate(
        """() => {
          const map = document.getElementById("map");
          const { xaxis } = map._fullLayout;
          const perUnit = Math.abs(xaxis._length / (xaxis.range[1] - xaxis.range[0]));
          return [...map.querySelectorAll(".shapelayer path")].map((path, index) => {
            const box = path.getBBox();
            const shape = map.layout.shapes[index];
            return [box.width, box.height, (shape.x1 - shape.x0) * perUnit];
          });
        }"""
    )
    assert len(drawn) == 20
    for width, height, expected in drawn:
        assert width == pytest.approx(height, rel=0.02)
        assert width == pytest.approx(expected, rel=0.02)


def test_buttons_and_keys_zoom_and_move(shown):
    visit = shown()
    page = visit.page
    whole = width_of_view(visit)
    page.click("#map-in")
    assert width_of_view(visit) == pytest.approx(whole / 1.5, rel=0.01)
    page.click("#map-out")
    assert width_of_view(visit) == pytest.approx(whole, rel=0.01)
    page.focus("#map")
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert width_of_view(visit) == pytest.approx(whole / 2.25, rel=0.01)
    middle = page.evaluate("document.getElementById('map')._fullLayout.xaxis.range[0]")
    page.keyboard.press("ArrowRight")
    moved = page.evaluate("document.getElementById('map')._fullLayout.xaxis.range[0]")
    assert moved > middle
    visit.screenshot("map-zoomed-1280-light")
    page.keyboard.press("0")
    assert width_of_view(visit) == pytest.approx(whole, rel=0.01)


def test_a_zoomed_map_stays_when_the_photo_is_ranked_again(shown):
    visit = shown()
    page, expect = visit.page, visit.expect
    page.click("#map-in")
    near = width_of_view(visit)
    page.fill("#threshold-number", "60")
    expect(page.locator("#bars .annotation")).to_contain_text("60 %")
    assert width_of_view(visit) == pytest.approx(near, rel=0.01)


def test_full_screen_by_the_browser(shown):
    visit = shown()
    page, expect = visit.page, visit.expect
    page.click("#map-full")
    expect(page.locator("#map-full")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("document.fullscreenElement.id") == "maps"
    height = page.viewport_size["height"]
    expect(page.locator("#map .main-svg").first).not_to_have_attribute("height", "560")
    box = page.locator("#map").bounding_box()
    assert box["y"] + box["height"] <= height + 1
    page.click("#map-full")
    expect(page.locator("#map-full")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#map .main-svg").first).to_have_attribute("height", "560")


@pytest.mark.parametrize("width", [390, 1280])
def test_full_screen_where_the_browser_has_none(shown, width):
    visit = shown(script=NO_FULL_SCREEN, **fits(width, "light"))
    page, expect = visit.page, visit.expect
    page.click("#map-full")
    card = page.locator("#maps")
    expect(card).to_have_class("maps card full")
    box = card.bounding_box()
    assert (box["x"], box["y"], box["width"]) == (0, 0, width)
    assert page.locator("#chips input").first.evaluate(
        "box => !!box.closest('[inert]')"
    )
    page.screenshot(path=SCREENSHOTS / f"map-full-{width}-light.png")
    page.keyboard.press("Escape")
    expect(card).to_have_class("maps card")
    expect(page.locator("#map-full")).to_be_focused()
    assert page.locator("[inert]").count() == 0


def test_the_map_is_kept_as_a_picture(shown, tmp_path):
    visit = shown(accept_downloads=True, color_scheme="dark")
    page = visit.page
    with page.expect_download() as download:
        page.click("#map-save")
    assert download.value.suggested_filename == "china-map.png"
    download.value.save_as(tmp_path / "map.png")
    box = page.locator("#map").bounding_box()
    with Image.open(tmp_path / "map.png") as picture:
        assert picture.size[0] == pytest.approx(2 * box["width"], abs=4)
        assert picture.size[1] >= 1100
        assert picture.convert("RGB").getpixel((2, 2)) == (0x1B, 0x1E, 0x22)


def test_the_legend_says_what_is_what(shown):
    visit = shown()
    legend = ".legend:has(#legend-tag) li"
    assert visit.texts(legend) == ["suggested tag", "other tag", "your photo"]
    visit.page.click("#tab-photos")
    traces = visit.page.locator("#dots .legend .traces")
    visit.expect(traces).to_have_count(4)
    visit.expect(visit.page.locator("#map")).to_be_hidden()
