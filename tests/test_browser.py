"""One photo on the page, with JavaScript and without, and the other pages."""

from __future__ import annotations

import base64

import pytest
from browsing import EVERY_WINDOW, fits, hold_answers, let_go, no_photo
from PIL import Image

BOTH_SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])


@EVERY_WINDOW
def test_a_photo_gets_tags_map_and_numbers(visit, china_jpg, scheme, width):
    visit = visit(**fits(width, scheme))
    page, expect = visit.page, visit.expect
    expect(page.locator("#samples img").first).to_be_visible()
    visit.no_sideways_scroll()
    visit.screenshot(f"empty-{width}-{scheme}")

    visit.take(china_jpg)
    expect(page.locator("#preview-image")).to_be_visible()
    visit.wait_for_charts()
    assert page.locator("#chips li").count() == 10
    assert page.locator("#rows tr").count() == 10
    assert page.locator("#bars .bars .point").count() == 10
    assert page.locator("#map .shapelayer path").count() == 20
    expect(page.locator("#map .xtitle")).to_contain_text("% of the variance")
    expect(page.locator("#map .ytitle")).to_contain_text("% of the variance")
    expect(page.locator("#status")).to_contain_text("suggested")
    expect(page.locator("#strip")).to_be_hidden()  # one photo needs no strip
    assert page.locator("#preview-image").evaluate("image => image.naturalWidth") == 640
    visit.no_sideways_scroll()
    visit.screenshot(f"result-{width}-{scheme}")


def test_no_number_is_broken_on_a_phone(visit, flower_jpg):
    visit = visit(**fits(390, "light"))
    visit.take(flower_jpg)
    visit.wait_for_charts()
    visit.page.locator("[name=k][value='0']").check(force=True)  # the longest tags, too
    visit.expect(visit.page.locator("#rows tr")).to_have_count(98)
    broken = visit.page.evaluate("""() => {
      const lines = (cell) => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        return new Set([...range.getClientRects()].map((box) => box.top)).size;
      };
      const numbers = "#numbers :is(td:not(:last-child), .short)";
      const cells = document.querySelectorAll(numbers);
      return [...cells].filter((cell) => lines(cell) > 1).map((cell) => cell.innerText);
    }""")
    assert broken == []
    table = visit.page.locator("#numbers .scroll")
    assert table.evaluate("scroll => scroll.scrollWidth <= scroll.clientWidth")


def test_nothing_moves_when_the_answer_comes(visit, china_jpg):
    visit = visit()
    page, expect = visit.page, visit.expect
    held = hold_answers(visit)
    visit.take(china_jpg)
    expect(page.locator("#preview-image[src]")).to_be_visible()
    expect(page.locator("#result")).to_have_attribute("aria-busy", "true")
    page.wait_for_timeout(300)  # the browser counts shifts by frames
    page.evaluate(
        """() => {
          window.shifts = 0;
          new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) window.shifts += entry.value;
          }).observe({ type: "layout-shift" });
        }"""
    )
    places = ["#preview-image", "#result-title", "#chips"]
    before = [page.locator(place).bounding_box() for place in places]
    visit.screenshot("working-1280-light")
    let_go(visit, held)
    visit.wait_for_charts()
    after = [page.locator(place).bounding_box() for place in places]
    for old, new in zip(before, after, strict=True):
        assert (old["x"], old["y"]) == (new["x"], new["y"])
    assert page.evaluate("window.shifts") < 0.1  # what Lighthouse calls good


def test_charts_follow_the_theme(visit, china_jpg):
    visit = visit(color_scheme="light")
    visit.take(china_jpg)
    visit.wait_for_charts()
    bar = visit.page.locator("#bars .bars .point path").first
    light = bar.evaluate("bar => getComputedStyle(bar).fill")
    visit.page.emulate_media(color_scheme="dark")
    visit.expect(bar).not_to_have_css("fill", light)


def test_the_whole_page_by_keyboard(visit, china_jpg):
    visit = visit(permissions=["clipboard-read", "clipboard-write"])
    page, expect = visit.page, visit.expect
    # from the start: a chooser that opens unheard is closed by the headless browser
    page.on("filechooser", lambda chooser: chooser.set_files(china_jpg))
    visit.tab_to("#photo")
    outline = page.locator(".drop label[for=photo]").evaluate(
        "l => getComputedStyle(l).outlineStyle"
    )
    assert outline == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#preview-name")).to_have_text("china.jpg")
    visit.wait_for_charts()

    visit.tab_to("#chips input")
    before = page.locator("#chips input:checked").count()
    page.keyboard.press("Space")
    assert page.locator("#chips input:checked").count() == before - 1
    page.keyboard.press("Space")
    visit.tab_to("#copy")
    page.keyboard.press("Enter")
    expect(page.locator("#copied")).to_have_text("Copied")
    visit.tab_to("#saving summary")
    page.keyboard.press("Enter")
    expect(page.locator("[data-save=json-one]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("[data-save=json-one]")).to_be_hidden()
    visit.tab_to("#tab-map")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-photos")).to_be_focused()
    expect(page.locator("#dots .scatterlayer .trace")).to_have_count(4)
    page.keyboard.press("Home")
    expect(page.locator("#map")).to_be_visible()
    visit.tab_to("#numbers .scroll")
    visit.tab_to("#rows tr")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#rows tr").nth(1)).to_be_focused()


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_photos_can_be_dropped_or_pasted(visit, flower_jpg, event):
    visit = visit()
    photo = base64.b64encode(flower_jpg.read_bytes()).decode()
    visit.page.evaluate(
        """([event, photo]) => {
          const bytes = Uint8Array.from(atob(photo), (c) => c.charCodeAt(0));
          const data = new DataTransfer();
          for (const name of ["flower.jpg", "again.jpg"]) {
            data.items.add(new File([bytes], name, { type: "image/jpeg" }));
          }
          const options = { bubbles: true, cancelable: true };
          document.body.dispatchEvent(event === "drop"
            ? new DragEvent("drop", { ...options, dataTransfer: data })
            : new ClipboardEvent("paste", { ...options, clipboardData: data }));
        }""",
        [event, photo],
    )
    visit.wait_for_photos(2)
    visit.expect(visit.page.locator("#preview-name")).to_have_text("flower.jpg")


def test_motion_is_reduced_for_those_who_ask(visit, china_jpg):
    visit = visit(reduced_motion="reduce")
    held = hold_answers(visit)
    visit.take(china_jpg)
    pill = visit.page.locator("#chips .pill").first
    visit.expect(pill).to_have_css("animation-name", "none")
    let_go(visit, held)
    visit.wait_for_charts()


@BOTH_SCHEMES
@pytest.mark.parametrize("width", [1280, 390])
def test_the_form_works_without_javascript(visit, flower_jpg, scheme, width):
    visit = visit(**fits(width, scheme), java_script_enabled=False)
    page, expect = visit.page, visit.expect
    expect(page.locator("#samples")).to_be_hidden()
    for name in ("form-language", "form-existing"):  # a label is no place to drop on
        assert page.locator(f"label[for={name}]").bounding_box()["height"] < 40
        form, field = (page.locator(it).bounding_box() for it in ("#drop", f"#{name}"))
        assert field["x"] + field["width"] < form["x"] + form["width"] - 8
    visit.take(flower_jpg)
    page.click("button[type=submit]")
    expect(page.locator("#rows tr")).to_have_count(10)
    expect(page.locator(".given")).to_have_text("For flower.jpg")
    expect(page.locator("ol.bars li")).to_have_count(10)
    for hidden in ("#copy", "#controls", "#saving", ".tools"):
        expect(page.locator(hidden)).to_be_hidden()
    assert page.input_value("#tags-text")
    edition = page.locator(
        ".map-picture.narrow" if width == 390 else ".map-picture.wide"
    )
    expect(edition).to_be_visible()
    expect(page.locator(".map-picture:visible")).to_have_count(1)
    # the map fits its card, and its names can be read
    card, shown = page.locator("#maps").bounding_box(), edition.bounding_box()
    assert card["x"] <= shown["x"]
    assert shown["x"] + shown["width"] <= card["x"] + card["width"]
    letters = edition.locator("text").first.bounding_box()
    assert letters["height"] >= 11
    picture = visit.screenshot(f"plain-{width}-{scheme}")
    with Image.open(picture) as image:
        assert image.width == width  # nothing scrolls sideways


def test_an_error_without_javascript(visit):
    visit = visit(complaints=("415",), java_script_enabled=False)
    visit.take(no_photo())
    visit.page.click("button[type=submit]")
    visit.expect(visit.page.locator("#error-message")).to_contain_text("JPEG")
    visit.expect(visit.page.locator("#photo")).to_be_visible()
    visit.screenshot("plain-error-1280-light")


@pytest.mark.parametrize("width", [1280, 390])
def test_about(visit, width):
    visit = visit(path="/about", **fits(width, "light"))
    visit.expect(visit.page.locator("h1")).to_be_visible()
    visit.no_sideways_scroll()
    visit.screenshot(f"about-{width}-light")
