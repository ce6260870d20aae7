"""The page in a real Chromium, against the real server.

Every test ends by asking what the browser complained about: no console error, no
breach of the content security policy. Pictures of the page go to
build/screenshots/.
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from PIL import Image
from serving import ROOT, Server, running_server

from lablr.bundle import Bundle

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

SCREENSHOTS = ROOT / "build" / "screenshots"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TIMEOUT_MS = 60_000
WATCH_POLICY = """
addEventListener("securitypolicyviolation", (event) =>
  console.error("policy violation", event.violatedDirective, event.blockedURI));
"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@dataclass
class Visit:
    """A page, and what the browser complained about while it was open."""

    page: playwright.Page
    complaints: list[str] = field(default_factory=list)

    def take(self, photo: Path | dict) -> None:
        """Choose a photo as the file dialogue would."""
        self.page.set_input_files("#photo", photo)

    def wait_for_charts(self) -> None:
        """Wait until the bars and the map's circles are drawn."""
        expect(self.page.locator("#bars .bars path").first).to_be_visible()
        expect(self.page.locator("#map .shapelayer path").first).to_be_visible()

    def no_sideways_scroll(self) -> None:
        width = self.page.evaluate("document.documentElement.scrollWidth")
        assert width <= self.page.viewport_size["width"]


Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("temporary")) as running:
        yield running


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, server) -> Iterator[Open]:
    """Open the page in a fresh profile; at the end nothing may have been wrong."""
    contexts, visits, expected = [], [], []

    def open_page(
        url: str = server.url, complaints: tuple[str, ...] = (), path="/", **options
    ) -> Visit:
        options.setdefault("viewport", {"width": 1280, "height": 900})
        context = browser.new_context(**options)
        context.set_default_timeout(TIMEOUT_MS)
        context.add_init_script(WATCH_POLICY)
        visit = Visit(context.new_page())
        listen(visit)
        visit.page.goto(url + path)
        contexts.append(context)
        visits.append(visit)
        expected.append(complaints)
        return visit

    expect.set_options(timeout=TIMEOUT_MS)
    yield open_page
    for context in contexts:
        context.close()
    for visit, allowed in zip(visits, expected, strict=True):
        unexpected = [
            text for text in visit.complaints if not any(a in text for a in allowed)
        ]
        assert unexpected == []


def listen(visit: Visit) -> None:
    def on_console(message):
        if message.type in ("error", "warning"):
            visit.complaints.append(message.text)

    visit.page.on("console", on_console)
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))


def screenshot(visit: Visit, name: str) -> Path:
    visit.page.mouse.move(0, 0)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    path = SCREENSHOTS / f"{name}.png"
    visit.page.screenshot(path=path, full_page=True)
    return path


# --- With JavaScript ------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_a_photo_gets_tags_map_and_numbers(visit, china_jpg, scheme, width, height):
    size = {"width": width, "height": height}
    visit = visit(viewport=size, color_scheme=scheme)
    page = visit.page
    visit.no_sideways_scroll()
    screenshot(visit, f"empty-{width}-{scheme}")

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
    assert page.locator("#preview-image").evaluate("image => image.naturalWidth") == 640
    visit.no_sideways_scroll()
    screenshot(visit, f"result-{width}-{scheme}")

    page.click("#tab-photos")
    expect(page.locator("#dots .scatterlayer .trace")).to_have_count(4)
    expect(page.locator("#map")).to_be_hidden()
    visit.no_sideways_scroll()
    screenshot(visit, f"photos-{width}-{scheme}")


def test_circles_are_round_and_of_their_radius(visit, china_jpg):
    visit = visit()
    page = visit.page
    visit.take(china_jpg)
    visit.wait_for_charts()
    drawn = page.evaluate(
        """() => {
          const map = document.getElementById("map");
          const { xaxis, yaxis } = map._fullLayout;
          const perUnit = Math.abs(xaxis._length / (xaxis.range[1] - xaxis.range[0]));
          return [...map.querySelectorAll(".shapelayer path")].map((path, index) => {
            const box = path.getBBox();
            const shape = map.layout.shapes[index];
            return [box.width, box.height, (shape.x1 - shape.x0) * perUnit];
          });
        }"""
    )
    for width, height, expected in drawn:
        assert width == pytest.approx(height, rel=0.02)
        assert width == pytest.approx(expected, rel=0.02)


def test_charts_follow_the_theme(visit, china_jpg):
    visit = visit(color_scheme="light")
    visit.take(china_jpg)
    visit.wait_for_charts()
    bar = visit.page.locator("#bars .bars .point path").first
    light = bar.evaluate("bar => getComputedStyle(bar).fill")
    visit.page.emulate_media(color_scheme="dark")
    expect(bar).not_to_have_css("fill", light)


def test_copied_are_the_chosen_tags(visit, china_jpg):
    visit = visit(permissions=["clipboard-read", "clipboard-write"])
    page = visit.page
    visit.take(china_jpg)
    visit.wait_for_charts()
    boxes = page.locator("#chips input")
    boxes.nth(9).check()
    boxes.nth(0).uncheck()
    chosen = page.locator("#chips li:has(input:checked) .name").all_text_contents()
    count = len(chosen)
    expect(page.locator("#copy")).to_have_text(
        f"Copy {count} tag{'s' if count > 1 else ''}"
    )
    page.click("#copy")
    expect(page.locator("#copied")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == ", ".join(chosen)


def test_the_whole_page_by_keyboard(visit, china_jpg):
    visit = visit(permissions=["clipboard-read", "clipboard-write"])
    page = visit.page

    def tab_to(selector: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(f"Tab never reaches {selector}")

    # from the start: a chooser that opens unheard is closed by the headless browser
    page.on("filechooser", lambda chooser: chooser.set_files(china_jpg))
    tab_to("#photo")
    outline = page.locator(".drop label").evaluate(
        "l => getComputedStyle(l).outlineStyle"
    )
    assert outline == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#preview-name")).to_have_text("china.jpg")
    visit.wait_for_charts()

    tab_to("#chips input")
    before = page.locator("#chips input:checked").count()
    page.keyboard.press("Space")
    assert page.locator("#chips input:checked").count() == before - 1
    page.keyboard.press("Space")
    tab_to("#copy")
    page.keyboard.press("Enter")
    expect(page.locator("#copied")).to_have_text("Copied")
    tab_to("#tab-map")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-photos")).to_be_focused()
    expect(page.locator("#dots .scatterlayer .trace")).to_have_count(4)
    page.keyboard.press("Home")
    expect(page.locator("#map")).to_be_visible()
    tab_to("#numbers .scroll")


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_photo_can_be_dropped_or_pasted(visit, flower_jpg, event):
    visit = visit()
    photo = base64.b64encode(flower_jpg.read_bytes()).decode()
    visit.page.evaluate(
        """([event, photo]) => {
          const bytes = Uint8Array.from(atob(photo), (c) => c.charCodeAt(0));
          const file = new File([bytes], "flower.jpg", { type: "image/jpeg" });
          const data = new DataTransfer();
          data.items.add(file);
          const options = { bubbles: true, cancelable: true };
          document.body.dispatchEvent(event === "drop"
            ? new DragEvent("drop", { ...options, dataTransfer: data })
            : new ClipboardEvent("paste", { ...options, clipboardData: data }));
        }""",
        [event, photo],
    )
    visit.wait_for_charts()
    expect(visit.page.locator("#preview-name")).to_have_text("flower.jpg")


def test_an_error_stands_beside_the_form_and_keeps_the_place(visit, china_jpg):
    visit = visit(complaints=("415",))
    page = visit.page
    visit.take({"name": "<b>no.jpg", "mimeType": "image/jpeg", "buffer": b"text"})
    expect(page.locator("#error")).to_be_visible()
    expect(page.locator("#error-message")).to_contain_text("<b>no.jpg: ")
    expect(page.locator("#result")).to_be_hidden()
    screenshot(visit, "error-empty-1280-light")

    visit.take(china_jpg)
    visit.wait_for_charts()
    expect(page.locator("#error")).to_be_hidden()
    first = page.locator("#rows th").all_text_contents()
    visit.take({"name": "no.jpg", "mimeType": "image/jpeg", "buffer": b"text"})
    expect(page.locator("#error")).to_be_visible()
    assert page.locator("#rows th").all_text_contents() == first
    expect(page.locator("#preview-name")).to_have_text("china.jpg")
    screenshot(visit, "error-1280-light")


def test_too_large_a_photo_is_not_even_sent(visit):
    visit = visit()
    requests = []
    visit.page.on("request", lambda request: requests.append(request.method))
    visit.take({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": bytes(11 << 20)})
    expect(visit.page.locator("#error-message")).to_contain_text("10 MiB")
    assert "POST" not in requests


def test_offline_the_photo_waits_for_another_try(visit, china_jpg):
    visit = visit(complaints=("ERR_INTERNET_DISCONNECTED",))
    page = visit.page
    page.context.set_offline(True)
    visit.take(china_jpg)
    expect(page.locator("#error-message")).to_contain_text("offline")
    page.context.set_offline(False)
    page.click("#retry")
    visit.wait_for_charts()
    expect(page.locator("#error")).to_be_hidden()


def test_not_sure_is_said(visit, china_jpg, tmp_path):
    """A bundle whose threshold nothing reaches."""
    bundle = Bundle.load()
    careful = replace(bundle, settings={**bundle.settings, "threshold": 1.0})
    careful.save(tmp_path / "careful")
    settings = {"LABLR_BUNDLE": str(tmp_path / "careful")}
    (tmp_path / "temporary").mkdir()
    with running_server(tmp_path / "temporary", **settings) as server:
        visit = visit(url=server.url)
        visit.take(china_jpg)
        visit.wait_for_charts()
        expect(visit.page.locator("#unsure")).to_be_visible()
        expect(visit.page.locator("#copy")).to_be_disabled()
        expect(visit.page.locator("#status")).to_contain_text("Not sure")
        screenshot(visit, "unsure-1280-light")


# --- Without JavaScript, and the other pages ------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_the_form_works_without_javascript(visit, flower_jpg, scheme, width, height):
    size = {"width": width, "height": height}
    visit = visit(viewport=size, color_scheme=scheme, java_script_enabled=False)
    page = visit.page
    visit.take(flower_jpg)
    page.click("button[type=submit]")
    expect(page.locator("#rows tr")).to_have_count(10)
    expect(page.locator(".map-image")).to_be_visible()
    expect(page.locator("ol.bars li")).to_have_count(10)
    expect(page.locator("#copy")).to_be_hidden()
    assert page.input_value("#tags-text")
    picture = screenshot(visit, f"plain-{width}-{scheme}")
    with Image.open(picture) as image:
        assert image.width == width  # nothing scrolls sideways


def test_an_error_without_javascript(visit):
    visit = visit(complaints=("415",), java_script_enabled=False)
    visit.take({"name": "no.jpg", "mimeType": "image/jpeg", "buffer": b"text"})
    visit.page.click("button[type=submit]")
    expect(visit.page.locator("#error-message")).to_contain_text("JPEG")
    expect(visit.page.locator("#photo")).to_be_visible()
    screenshot(visit, "plain-error-1280-light")


@pytest.mark.parametrize("width", [1280, 390])
def test_about(visit, width):
    visit = visit(path="/about", viewport={"width": width, "height": 900})
    expect(visit.page.locator("h1")).to_be_visible()
    visit.no_sideways_scroll()
    screenshot(visit, f"about-{width}-light")
