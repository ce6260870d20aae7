"""Why a tag, on the page: asked by a row's button, painted on the photo."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from browsing import SCANNED, Look
from PIL import Image

EXPLANATIONS = "**/api/v1/explanations*"
PAINTED = """
canvas => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const sums = [0, 0];
  for (let place = 0; place < data.length; place += 4) {
    const right = (place / 4) % width >= width / 2;
    if (data[place] > data[place + 2]) sums[+right] += data[place + 3];
  }
  return sums;
}"""


@pytest.fixture(scope="module")
def halves(photos: dict[str, Path]) -> dict[str, object]:
    """A temple on the left, a flower on the right."""
    both = Image.new("RGB", (800, 500))
    for left, name in ((0, "china"), (400, "flower")):
        with Image.open(photos[name]) as photo:
            both.paste(photo.resize((400, 500)), (left, 0))
    written = io.BytesIO()
    both.save(written, "JPEG", quality=92)
    raw = written.getvalue()
    return {"name": "halves.jpg", "mimeType": "image/jpeg", "buffer": raw}


def ask(visit, tag: str) -> None:
    """Press the button of a tag's row, and wait for the explanation."""
    visit.page.click(f"#rows [data-tag='{tag}'] .ask button")
    visit.expect(visit.page.locator("#why-found")).to_be_visible()


def posts(visit) -> list[str]:
    """The explanations that are asked of the server from now on."""
    sent: list[str] = []
    visit.page.on(
        "request",
        lambda request: (
            sent.append(request.url) if "/api/v1/explanations" in request.url else None
        ),
    )
    return sent


def test_a_tag_is_painted_where_it_is(visit, halves, photos):
    open_page = visit
    visit = open_page(charts=False, complaints=("503",))
    page, expect = visit.page, visit.expect
    visit.take(halves)
    expect(page.locator("#rows tr")).to_have_count(10)
    sent = posts(visit)
    with page.expect_response(EXPLANATIONS) as answered:
        ask(visit, "flower")
    expect(page.locator("#why-title")).to_have_text("Why flower?")
    expect(page.locator("#why-title")).to_be_focused()
    expect(page.locator("#why-where")).to_contain_text("right")
    expect(page.locator("#why-typical")).to_contain_text("photos with the tag")
    expect(page.locator("#why-photos li")).to_have_count(5)
    assert all("flower" in tags for tags in visit.texts("#why-photos .tags"))
    page_of_one = page.locator("#why-photos .page").first.get_attribute("href")
    assert page_of_one.startswith("https://www.flickr.com/photo.gne?id=")
    expect(page.locator("#status")).to_contain_text("Most of it:")
    expect(page.locator("#why-other")).to_be_hidden()

    canvas, picture = page.locator("#seen"), page.locator("#preview-image")
    expect(canvas).to_be_visible()
    assert "flower" in canvas.get_attribute("aria-label")
    assert canvas.bounding_box() == picture.bounding_box()
    left, right = canvas.evaluate(PAINTED)
    assert right > 3 * left
    page.uncheck("#why-show")
    expect(canvas).to_be_hidden()
    page.check("#why-show")
    expect(canvas).to_be_visible()
    page.select_option("#ranking", "neighbours")
    expect(page.locator("#why-other")).to_be_visible()
    page.select_option("#ranking", "calibrated")
    expect(page.locator("#why-other")).to_be_hidden()
    page.click("#why-close")
    expect(page.locator("#why")).to_be_hidden()
    expect(canvas).to_be_hidden()

    # another tag on show was explained with it; by keyboard
    visit.tab_to("#rows tr")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    second = page.locator("#rows tr").nth(1)
    button = second.locator(".ask button")
    expect(button).to_be_focused()
    name = second.locator("bdi").text_content()
    assert button.get_attribute("aria-label") == f"Why {name}?"
    page.keyboard.press("Enter")
    expect(page.locator("#why-found")).to_be_visible()
    expect(page.locator("#why-tag")).to_have_text(name)
    expect(page.locator("#why-title")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#why-close")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#why")).to_be_hidden()
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    assert len(sent) == 1

    # it goes with its photo
    visit.take(photos["flower"])
    expect(page.locator("#preview-name")).to_have_text("flower.jpg")
    expect(page.locator("#why")).to_be_hidden()
    expect(canvas).to_be_hidden()
    visit.wait_for_photos(2)
    refusal = {"error": {"code": "busy", "message": "The server is busy."}}
    page.route(EXPLANATIONS, lambda route: route.fulfill(status=503, json=refusal))
    page.click("#rows tr:first-child .ask button")
    for said in ("#why-state", "#status"):
        expect(page.locator(said)).to_have_text("The server is busy.")
    expect(page.locator("#why-found")).to_be_hidden()
    expect(canvas).to_be_hidden()
    page.unroute_all()
    page.locator("[role=option]").nth(0).click()
    expect(page.locator("#why")).to_be_hidden()
    ask(visit, name)
    expect(page.locator("#why-state")).to_be_hidden()

    # how it looks, with the same answer
    answer = answered.value.json()
    visit = open_page(charts=False, **SCANNED)
    visit.page.route(EXPLANATIONS, lambda route: route.fulfill(json=answer))
    visit.take(halves)
    ask(visit, "flower")
    look = Look(visit, "why")
    look.at("flower")
    box = visit.page.locator("#rows .ask button").first.bounding_box()
    assert min(box["width"], box["height"]) >= 24
    look.end()
