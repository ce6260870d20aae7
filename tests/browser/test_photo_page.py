"""One photo on the page: by pointer, by keyboard, and without JavaScript."""

from __future__ import annotations

import base64

from browsing import hold_answers, let_go, no_photo

DROP_AND_PASTE = """
([event, photo]) => {
  const bytes = Uint8Array.from(atob(photo), (c) => c.charCodeAt(0));
  const data = new DataTransfer();
  for (const name of ["flower.jpg", "again.jpg"]) {
    data.items.add(new File([bytes], name, { type: "image/jpeg" }));
  }
  const options = { bubbles: true, cancelable: true };
  document.body.dispatchEvent(event === "drop"
    ? new DragEvent("drop", { ...options, dataTransfer: data })
    : new ClipboardEvent("paste", { ...options, clipboardData: data }));
}"""
WATCH_SHIFTS = """
() => new Promise((resolve) => {
  window.shifts = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.shifts += entry.value;
  }).observe({ type: "layout-shift" });
  requestAnimationFrame(() => requestAnimationFrame(resolve));  // counted by frames
})"""


def test_a_photo_gets_tags_map_and_numbers(visit, china_jpg):
    visit = visit()
    page, expect = visit.page, visit.expect
    visit.take(china_jpg)
    visit.wait_for_charts()
    assert page.locator("#chips li").count() == 10
    assert page.locator("#rows tr").count() == 10
    assert page.locator("#bars .bars .point").count() == 10
    assert page.locator("#map .shapelayer path").count() == 20
    for axis in (".xtitle", ".ytitle"):
        expect(page.locator(f"#map {axis}")).to_contain_text("% of the variance")
    expect(page.locator("#status")).to_contain_text("suggested")
    expect(page.locator("#strip")).to_be_hidden()  # one photo needs no strip
    assert page.locator("#preview-image").evaluate("image => image.naturalWidth") == 640

    bar = page.locator("#bars .bars .point path").first
    light = bar.evaluate("bar => getComputedStyle(bar).fill")
    page.emulate_media(color_scheme="dark")
    expect(bar).not_to_have_css("fill", light)  # charts follow the theme


def test_nothing_moves_when_the_answer_comes(visit, china_jpg):
    visit = visit()
    page, expect = visit.page, visit.expect
    held = hold_answers(visit)
    visit.take(china_jpg)
    expect(page.locator("#preview-image[src]")).to_be_visible()
    expect(page.locator("#result")).to_have_attribute("aria-busy", "true")
    pill = page.locator("#chips .pill").first
    expect(pill).not_to_have_css("animation-name", "none")
    page.emulate_media(reduced_motion="reduce")
    expect(pill).to_have_css("animation-name", "none")
    page.evaluate(WATCH_SHIFTS)
    places = ["#preview-image", "#result-title", "#chips"]
    before = [page.locator(place).bounding_box() for place in places]
    let_go(visit, held)
    visit.wait_for_charts()
    after = [page.locator(place).bounding_box() for place in places]
    for old, new in zip(before, after, strict=True):
        assert (old["x"], old["y"]) == (new["x"], new["y"])
    assert page.evaluate("window.shifts") < 0.1  # what Lighthouse calls good


def test_the_whole_page_by_keyboard(visit, china_jpg):
    visit = visit(permissions=["clipboard-read", "clipboard-write"])
    page, expect = visit.page, visit.expect
    # from the start: a chooser that opens unheard is closed by the headless browser
    page.on("filechooser", lambda chooser: chooser.set_files(china_jpg))
    visit.tab_to("#photo")
    label = page.locator(".drop label[for=photo]")
    assert label.evaluate("l => getComputedStyle(l).outlineStyle") == "solid"
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


def test_photos_can_be_dropped_or_pasted(visit, flower_jpg):
    visit = visit(charts=False)
    photo = base64.b64encode(flower_jpg.read_bytes()).decode()
    for event, n_photos in (("drop", 2), ("paste", 4)):
        visit.page.evaluate(DROP_AND_PASTE, [event, photo])
        visit.wait_for_photos(n_photos)
    visit.expect(visit.page.locator("#preview-name")).to_have_text("flower.jpg")


def test_the_form_works_without_javascript(visit, flower_jpg):
    visit = visit(complaints=("415",), java_script_enabled=False)
    page, expect = visit.page, visit.expect
    for hidden in ("#samples", "#own", "#tour-offer", "#tour-again"):
        expect(page.locator(hidden)).to_be_hidden()
    for name in ("form-language", "form-existing"):  # a label is no place to drop on
        assert page.locator(f"label[for={name}]").bounding_box()["height"] < 40
        form, field = (page.locator(it).bounding_box() for it in ("#drop", f"#{name}"))
        assert field["x"] + field["width"] < form["x"] + form["width"] - 8
    visit.take(no_photo())
    page.click("button[type=submit]")
    expect(page.locator("#error-message")).to_contain_text("JPEG")
    visit.take(flower_jpg)
    page.fill("#form-existing", "building, surfing")
    page.click("button[type=submit]")
    expect(page.locator("#rows tr")).to_have_count(10)
    expect(page.locator(".given")).to_have_text("For flower.jpg")
    expect(page.locator("ol.bars li")).to_have_count(10)
    expect(page.locator("#unlikely li").first).to_contain_text("surfing")
    expect(page.locator("#form-existing")).to_have_value("building, surfing")
    for hidden in ("#copy", "#controls", "#saving", ".tools", "#why", "#rows .ask"):
        expect(page.locator(hidden).first).to_be_hidden()
    assert page.input_value("#tags-text")
    for width, edition in ((1280, "wide"), (390, "narrow")):
        page.set_viewport_size({"width": width, "height": 844})
        map_ = page.locator(f".map-picture.{edition}")
        expect(map_).to_be_visible()
        expect(page.locator(".map-picture:visible")).to_have_count(1)
        # the map fits its card, and its names can be read
        card, shown = page.locator("#maps").bounding_box(), map_.bounding_box()
        assert card["x"] <= shown["x"]
        assert shown["x"] + shown["width"] <= card["x"] + card["width"]
        assert map_.locator("text").first.bounding_box()["height"] >= 11
        assert page.evaluate("document.documentElement.scrollWidth") == width
