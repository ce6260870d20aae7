"""Many photos at once: the strip, each with its own state, result and choices."""

from __future__ import annotations

import json
from pathlib import Path

from browsing import fits, hold_answers, let_go, no_photo, upload

IS_LOADED = """url => new Promise((resolve) => {
  const image = new Image();
  image.onload = () => resolve(true);
  image.onerror = () => resolve(false);
  image.src = url;
})"""
ACCEPTED = "#chips li:has(input:checked) .name"


def test_every_photo_has_its_own_result_and_choices(visit, photos):
    visit = visit(complaints=("415",))
    page, expect = visit.page, visit.expect
    visit.take(photos["china"], photos["flower"], photos["broken"])
    visit.wait_for_photos(3)
    options = page.locator("#thumbnails [role=option]")
    expect(options.nth(0)).to_have_attribute("aria-selected", "true")
    expect(options.nth(2)).to_have_attribute("aria-label", "broken.jpg, error")
    temple = visit.texts("#rows th")
    page.locator("#chips input").nth(9).check()
    page.locator("#chips input").nth(0).uncheck()
    chosen = visit.texts(ACCEPTED)

    options.nth(1).click()
    expect(page.locator("#preview-name")).to_have_text("flower.jpg")
    expect(page.locator("#rows th").first).not_to_have_text(temple[0])
    visit.wait_for_charts()
    best = visit.texts("#rows th")[0]
    expect(page.locator("#bars .ytick", has_text=best)).to_have_count(1)
    assert visit.texts(ACCEPTED) != chosen
    options.nth(2).click()
    expect(page.locator("#error-message")).to_contain_text("broken.jpg: ")
    expect(page.locator("#result")).to_be_hidden()
    options.nth(0).click()
    expect(page.locator("#rows th").first).to_have_text(temple[0])
    expect(page.locator("#error")).to_be_hidden()
    assert visit.texts(ACCEPTED) == chosen

    page.fill("#threshold-number", "100")  # the controls hold for all photos
    expect(page.locator(".thumbnail[data-state=unsure]")).to_have_count(2)
    options.nth(1).click()
    expect(page.locator("#unsure")).to_be_visible()


def test_two_photos_are_sent_at_a_time_and_a_removed_one_is_let_go(visit, photos):
    visit = visit(charts=False, complaints=("blob:", "ERR_FILE_NOT_FOUND"))
    page, expect = visit.page, visit.expect
    held = hold_answers(visit)
    visit.take(*[upload(photos["china"], f"{name}.jpg") for name in "abcde"])
    waiting = page.locator(".thumbnail[data-state=waiting]")
    expect(waiting).to_have_count(3)
    while len(held) < 2:  # Playwright hears of requests only while it waits
        page.wait_for_timeout(10)
    url = page.locator(".thumbnail img").first.get_attribute("src")
    assert page.evaluate(IS_LOADED, url)
    page.click("#remove")  # on its way: the next one takes its place
    assert not page.evaluate(IS_LOADED, url)
    expect(waiting).to_have_count(2)
    let_go(visit, held)
    visit.wait_for_photos(4)
    expect(page.locator("#status")).to_contain_text("All 4 photos are done.")


def test_the_strip_by_keyboard(visit, photos):
    visit = visit(charts=False, **fits(390, "light"))
    page, expect = visit.page, visit.expect
    visit.take(*[upload(photos["flower"], f"{name}.jpg") for name in "abcdef"])
    visit.wait_for_photos(6)
    # the ring is whole: the third one ends just before the window of the strip does
    page.evaluate("""() => {
      const list = document.getElementById("thumbnails");
      const right = list.children[2].getBoundingClientRect().right;
      list.scrollLeft += right + 2 - list.getBoundingClientRect().right;
      list.children[2].click();
    }""")
    chosen = page.locator("[role=option][aria-selected=true]")
    expect(chosen).to_have_attribute("title", "c.jpg")
    outer, inner = (it.bounding_box() for it in (page.locator("#thumbnails"), chosen))
    assert inner["x"] - 5 >= outer["x"]
    assert inner["x"] + inner["width"] + 5 <= outer["x"] + outer["width"]

    name, focused = page.locator("#preview-name"), page.locator("[role=option]:focus")
    visit.tab_to("[role=option]")
    expect(focused).to_have_attribute("aria-selected", "true")
    for key, shown in (("ArrowRight", "d"), ("End", "f"), ("Home", "a")):
        page.keyboard.press(key)
        expect(name).to_have_text(f"{shown}.jpg")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Delete")
    expect(name).to_have_text("c.jpg")
    state = visit.texts(".thumbnail .state")[1]
    expect(focused).to_have_attribute("aria-label", f"c.jpg, {state}")
    for _ in range(4):
        page.keyboard.press("Delete")
    expect(page.locator("#strip")).to_be_hidden()
    expect(page.locator("#remove")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#preview")).to_be_hidden()
    expect(page.locator("#photo")).to_be_focused()
    expect(page.locator("#status")).to_have_text("a.jpg removed.")


def test_what_is_wrong_is_said_beside_the_form(visit, photos, tmp_path):
    visit = visit(charts=False, complaints=("415",))
    page, expect = visit.page, visit.expect
    sent = []
    page.on("request", lambda request: sent.append(request.method))
    (tmp_path / "a.jpg").write_bytes(bytes(11 << 20))
    visit.take(tmp_path / "a.jpg")
    expect(page.locator("#error-message")).to_have_text(
        "a.jpg: The photo has 11.0 MiB; at most 10 MiB are taken. "
        "Save it smaller and retry."
    )
    assert "POST" not in sent  # not even sent
    page.reload()
    visit.take(no_photo("<b>no.jpg"))
    expect(page.locator("#error-message")).to_contain_text("<b>no.jpg: ")
    expect(page.locator("#drop label[for=photo]")).to_be_visible()
    expect(page.locator("#result")).to_be_hidden()
    visit.take(photos["china"])
    expect(page.locator("#rows tr")).to_have_count(10)
    expect(page.locator("#error")).to_be_hidden()
    hold_answers(visit)
    visit.take(*[no_photo(f"{number}.jpg") for number in range(99)])
    expect(page.locator(".thumbnail")).to_have_count(100)
    expect(page.locator("#note")).to_have_text(
        "A page holds 100 photos; 98 of 99 were added."
    )


def test_tags_are_copied_and_downloaded(visit, photos, tmp_path):
    visit = visit(
        charts=False,
        accept_downloads=True,
        permissions=["clipboard-read", "clipboard-write"],
    )
    page, expect = visit.page, visit.expect
    visit.take(photos["china"], photos["flower"])
    visit.wait_for_photos(2)

    def save(what: str) -> Path:
        page.click("#saving summary")
        with page.expect_download() as download:
            page.click(f"[data-save={what}]")
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        return path

    def copied() -> str:
        page.click("#copy")
        expect(page.locator("#copied")).to_have_text("Copied")
        text: str = page.evaluate("navigator.clipboard.readText()")
        return text

    boxes = page.locator("#chips input")
    boxes.nth(9).check()
    boxes.nth(0).uncheck()
    tags = visit.texts(ACCEPTED)
    noun = "tag" if len(tags) == 1 else "tags"
    expect(page.locator("#copy-label")).to_have_text(f"Copy {len(tags)} {noun}")
    assert copied() == ", ".join(tags)
    expect(page.locator(".copied-label")).to_be_visible()
    text = save("text-one")
    assert (text.name, text.read_text()) == ("china.txt", ", ".join(tags) + "\n")
    one = json.loads(save("json-one").read_text())
    assert (one["photo"], one["accepted"]) == ("china.jpg", tags)
    assert [score["tag"] for score in one["tags"]] == visit.texts("#rows th")
    lines = save("text-all").read_text().splitlines()
    assert lines[0] == "china.jpg\t" + ", ".join(tags)
    assert lines[1].startswith("flower.jpg\t")
    all_photos = json.loads(save("json-all").read_text())
    assert [record["photo"] for record in all_photos] == ["china.jpg", "flower.jpg"]

    page.check("[name=form][value=flickr]", force=True)
    assert copied() == " ".join(tags)
    joined = page.evaluate("""async () => {
      const { joined } = await import("/static/js/photo/words.js");
      const tags = ["beach", "golden gate", 'the "bridge"', "a,b"];
      return [joined(tags, "flickr"), joined(tags, "commas")];
    }""")
    assert joined == [
        'beach "golden gate" "the bridge" "a,b"',
        'beach, golden gate, the "bridge", a,b',
    ]
