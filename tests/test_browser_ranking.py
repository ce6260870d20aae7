"""Ranking again without sending again, and what is done with the tags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from browsing import SCREENSHOTS, TIMEOUT_MS, fits


def asked_of_the_api(visit, photo: Path, query: str) -> dict[str, Any]:
    """What a program gets for a photo."""
    url = visit.page.url.split("?")[0] + "api/v1/suggestions?" + query
    file = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": photo.read_bytes()}
    answer: dict[str, Any] = visit.page.request.post(
        url, multipart={"photo": file}, timeout=TIMEOUT_MS
    ).json()
    return answer


def posts(visit) -> list[str]:
    """The addresses that the page posts to from now on."""
    sent: list[str] = []
    visit.page.on(
        "request",
        lambda request: sent.append(request.url) if request.method == "POST" else None,
    )
    return sent


def test_the_controls_rank_again_without_sending_again(visit, china_jpg):
    visit = visit()
    page, expect = visit.page, visit.expect
    visit.take(china_jpg)
    visit.wait_for_charts()
    sent = posts(visit)

    page.check("[name=k][value='5']", force=True)
    expect(page.locator("#rows tr")).to_have_count(5)
    expect(page.locator("#bars .bars .point")).to_have_count(5)
    page.select_option("#ranking", "mahalanobis")
    expected = asked_of_the_api(visit, china_jpg, "k=5&ranking=mahalanobis")
    nearest = [score["tag"] for score in expected["tags"]]
    expect(page.locator("#rows th")).to_have_text(nearest)
    expect(page.locator("#status")).to_contain_text("Ranked again")
    page.fill("#threshold-number", "0")
    expect(page.locator("#chips .good")).to_have_count(5)
    expect(page.locator("#bars .annotation")).to_contain_text("suggested from 0 %")
    page.check("[name=k][value='0']", force=True)
    n_tags = len(asked_of_the_api(visit, china_jpg, "k=0")["tags"])
    expect(page.locator("#rows tr")).to_have_count(n_tags)
    assert sent
    assert all("/api/v1/rankings?" in url for url in sent)
    assert "k=0&ranking=mahalanobis&threshold=0" in page.url
    visit.screenshot("all-tags-1280-light")

    page.reload()  # the address keeps what was chosen
    expect(page.locator("#ranking")).to_have_value("mahalanobis")
    visit.take(china_jpg)
    expect(page.locator("#rows tr")).to_have_count(n_tags)
    page.click("#threshold-reset")
    percents = str(round(100 * expected["threshold"]))
    expect(page.locator("#threshold-number")).to_have_value(percents)
    assert "threshold" not in page.url


def test_the_slider_moves_by_keyboard(visit, china_jpg):
    visit = visit()
    page, expect = visit.page, visit.expect
    visit.take(china_jpg)
    visit.wait_for_charts()
    before = int(page.input_value("#threshold-number"))
    page.focus("#threshold")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#threshold-number")).to_have_value(str(before + 1))
    expect(page.locator("#bars .annotation")).to_contain_text(f"{before + 1} %")
    page.keyboard.press("End")
    expect(page.locator("#unsure")).to_be_visible()
    expect(page.locator("#copy")).to_be_disabled()
    expect(page.locator("#legend-tag")).to_have_text("closest tag")
    expect(page.locator("#threshold")).to_be_focused()
    visit.screenshot("unsure-1280-light")


def test_the_controls_hold_for_all_photos(visit, photos):
    visit = visit()
    page, expect = visit.page, visit.expect
    visit.take(photos["china"], photos["flower"])
    visit.wait_for_photos(2)
    page.fill("#threshold-number", "100")
    expect(page.locator(".thumbnail[data-state=unsure]")).to_have_count(2)
    page.locator("[role=option]").nth(1).click()
    expect(page.locator("#unsure")).to_be_visible()
    visit.wait_for_charts()


def test_an_accepted_tag_stays_when_fewer_are_shown(visit, china_jpg):
    visit = visit()
    page, expect = visit.page, visit.expect
    visit.take(china_jpg)
    visit.wait_for_charts()
    last = page.locator("#chips li").nth(9)
    name = last.locator(".name").text_content()
    last.locator("input").check()
    page.check("[name=k][value='5']", force=True)
    expect(page.locator("#rows tr")).to_have_count(5)
    expect(page.locator("#chips li")).to_have_count(6)
    expect(page.locator("#chips li").nth(5).locator(".name")).to_have_text(name)
    assert page.locator("#chips li input").nth(5).is_checked()


# --- Copied and downloaded ------------------------------------------------------------


def test_copied_are_the_accepted_tags(visit, china_jpg):
    visit = visit(permissions=["clipboard-read", "clipboard-write"])
    page, expect = visit.page, visit.expect
    visit.take(china_jpg)
    visit.wait_for_charts()
    boxes = page.locator("#chips input")
    boxes.nth(9).check()
    boxes.nth(0).uncheck()
    chosen = visit.texts("#chips li:has(input:checked) .name")
    count = len(chosen)
    expect(page.locator("#copy-label")).to_have_text(
        f"Copy {count} tag{'s' if count > 1 else ''}"
    )
    page.click("#copy")
    expect(page.locator("#copied")).to_have_text("Copied")
    expect(page.locator(".copied-label")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == ", ".join(chosen)
    page.check("[name=form][value=flickr]", force=True)
    page.click("#copy")
    assert page.evaluate("navigator.clipboard.readText()") == " ".join(chosen)


def test_flickr_takes_tags_with_spaces_in_quotes(visit):
    visit = visit()
    joined = visit.page.evaluate(
        """async () => {
          const { joined } = await import("/static/js/photo/words.js");
          const tags = ["beach", "golden gate", 'the "bridge"', "a,b"];
          return [joined(tags, "flickr"), joined(tags, "commas")];
        }"""
    )
    assert joined == [
        'beach "golden gate" "the bridge" "a,b"',
        'beach, golden gate, the "bridge", a,b',
    ]


def test_tags_are_downloaded_as_text_and_json(visit, photos, tmp_path):
    visit = visit(accept_downloads=True)
    page = visit.page
    visit.take(photos["china"], photos["flower"])
    visit.wait_for_photos(2)
    visit.wait_for_charts()

    def save(what: str) -> Path:
        page.click("#saving summary")
        with page.expect_download() as download:
            page.click(f"[data-save={what}]")
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        return path

    tags = visit.texts("#chips li:has(input:checked) .name")
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


# --- A tag is marked wherever it is shown ---------------------------------------------


def marked(visit) -> dict[str, list[str]]:
    """The tags that are marked in each place."""
    found: dict[str, list[str]] = visit.page.evaluate(
        """() => {
          const all = (selector) => [...document.querySelectorAll(selector)];
          const { shapes } = document.getElementById("map").layout;
          const { y } = document.getElementById("bars").data[0];
          const bars = all("#bars .bars .point");
          return {
            chips: all("#chips .marked").map((chip) => chip.dataset.tag),
            rows: all("#rows .marked").map((row) => row.dataset.tag),
            bars: y.filter((_, i) => bars[i].classList.contains("marked")),
            circles: all("#map .shapelayer path.marked")
              .map((path) => shapes[path.dataset.index].name),
          };
        }"""
    )
    return found


def everywhere(tag: str) -> dict[str, list[str]]:
    return {place: [tag] for place in ("chips", "rows", "bars", "circles")}


NOWHERE: dict[str, list[str]] = {"chips": [], "rows": [], "bars": [], "circles": []}


def test_a_tag_under_the_pointer_is_marked_in_all_places(visit, china_jpg):
    visit = visit(**fits(1280, "light"))
    page, expect = visit.page, visit.expect
    visit.take(china_jpg)
    visit.wait_for_charts()
    tags = visit.texts("#rows th")
    assert marked(visit) == NOWHERE

    page.hover("#chips li:nth-child(2) label")
    assert marked(visit) == everywhere(tags[1])
    page.screenshot(path=SCREENSHOTS / "marked-1280-light.png", full_page=True)
    page.hover("#rows tr:nth-child(3)")
    assert marked(visit) == everywhere(tags[2])
    page.hover("#numbers-title")
    assert marked(visit) == NOWHERE

    page.locator("#bars").scroll_into_view_if_needed()
    page.locator("#bars .bars .point").nth(0).hover(force=True)
    expect(page.locator("#chips li").nth(0)).to_have_class("chip good marked")
    assert marked(visit) == everywhere(tags[0])
    page.hover("#maps-title")
    expect(page.locator("#chips .marked")).to_have_count(0)

    # the middle of a circle that no smaller one covers
    index = page.evaluate(
        "tag => document.getElementById('map').layout.shapes"
        ".findIndex((shape) => shape.name === tag)",
        tags[0],
    )
    page.locator(f"#map .shapelayer path[data-index='{index}']").hover(force=True)
    assert marked(visit) == everywhere(tags[0])


def test_the_keyboards_focus_marks_as_the_pointer_does(visit, china_jpg):
    visit = visit()
    page = visit.page
    visit.take(china_jpg)
    visit.wait_for_charts()
    tags = visit.texts("#rows th")
    page.locator("#chips input").nth(3).focus()
    assert marked(visit) == everywhere(tags[3])
    page.locator("#rows tr").first.focus()
    assert marked(visit) == everywhere(tags[0])
    page.keyboard.press("ArrowDown")
    assert marked(visit) == everywhere(tags[1])
    page.focus("#copy")
    assert marked(visit) == NOWHERE


def test_a_marked_tags_training_photos_stand_out(visit, china_jpg):
    visit = visit()
    page, expect = visit.page, visit.expect
    visit.take(china_jpg)
    visit.wait_for_charts()
    page.click("#tab-photos")
    traces = page.locator("#dots .scatterlayer .trace")
    expect(traces).to_have_count(4)
    page.locator("#chips input").nth(1).focus()
    expect(traces.nth(1)).to_have_css("opacity", "1")
    expect(traces.nth(0)).to_have_css("opacity", "0.16")
    visit.screenshot("training-photos-1280-light")
