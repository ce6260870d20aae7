"""A real Chromium on the real server: what the tests of the page share.

Every visit ends by asking what the browser complained about: no console error, no
breach of the content security policy. Pictures of the page go to
build/screenshots/.
"""

from __future__ import annotations

import importlib.util
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from serving import MULTIPART, ROOT, Server, form_of, running_server

SCREENSHOTS = ROOT / "build" / "screenshots"
# The settings of a server that one photo keeps busy.
ONE_AT_A_TIME = {"LABLR_MAX_RUNNING": "1", "LABLR_MAX_WAITING": "0"}
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
# Every width, and both schemes where the page is narrow and where it is wide. The
# window of all other tests is 1,280 px wide, and light.
EVERY_WINDOW = pytest.mark.parametrize(
    ("width", "scheme"),
    [(390, "light"), (390, "dark"), (1280, "dark"), (2560, "light")],
)
TOKEN = "a long and secret token"  # noqa: S105  # of the tests' own server
PHOTOS_A_MINUTE = 6
WATCH_POLICY = """
addEventListener("securitypolicyviolation", (event) =>
  console.error("policy violation", event.violatedDirective, event.blockedURI));
"""
# What is wider than the window after so many milliseconds; nothing, as a rule.
NARROW_ENOUGH = """
(timeout) => new Promise((resolve) => {
  const root = document.documentElement;
  const deadline = performance.now() + timeout;
  const look = () => {
    if (root.scrollWidth <= root.clientWidth) resolve("");
    else if (performance.now() < deadline) requestAnimationFrame(look);
    else {
      const wide = [...document.querySelectorAll("body *")].filter(
        (element) => element.getBoundingClientRect().right > root.clientWidth + 1);
      resolve(`${root.scrollWidth} px: ` + wide.slice(0, 5).map(
        (element) => element.outerHTML.slice(0, 120)).join(" "));
    }
  };
  look();
})
"""
SETTLED = ".thumbnail:is([data-state=done], [data-state=unsure], [data-state=failed])"


@dataclass
class Visit:
    """A page, and what the browser complained about while it was open."""

    page: Any
    expect: Any
    complaints: list[str] = field(default_factory=list)
    holding: bool = False

    def take(self, *photos: Path | dict[str, Any]) -> None:
        """Choose photos as the file dialogue would."""
        self.page.set_input_files("#photo", list(photos))

    def wait_for_charts(self) -> None:
        """Wait until the bars and the map's circles are drawn."""
        self.expect(self.page.locator("#bars .bars path").first).to_be_visible()
        self.expect(self.page.locator("#map .shapelayer path").first).to_be_visible()

    def wait_for_photos(self, count: int) -> None:
        """Wait until so many photos of the strip are done, unsure or failed."""
        self.expect(self.page.locator(SETTLED)).to_have_count(count)

    def texts(self, selector: str) -> list[str]:
        found: list[str] = self.page.locator(selector).all_text_contents()
        return found

    def tab_to(self, selector: str) -> None:
        """Press Tab until an element has the focus."""
        for _ in range(90):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(f"Tab never reaches {selector}")

    def no_sideways_scroll(self) -> None:
        """Wait until the page is as narrow as the window: charts are drawn anew.

        The function waits by itself, for `page.wait_for_function` evaluates its text
        again and again, which the page's policy forbids.
        """
        too_wide = self.page.evaluate(NARROW_ENOUGH, TIMEOUT_MS)
        assert too_wide == ""

    def screenshot(self, name: str) -> Path:
        self.page.mouse.move(0, 0)
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        self.page.screenshot(path=path, full_page=True)
        return path

    def listen(self) -> None:
        def on_console(message: Any) -> None:
            if message.type in ("error", "warning"):
                self.complaints.append(message.text)

        self.page.on("console", on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))


Open = Callable[..., Visit]


def upload(path: Path, name: str) -> dict[str, Any]:
    """A photo under another name."""
    return {"name": name, "mimeType": "image/jpeg", "buffer": path.read_bytes()}


def no_photo(name: str = "no.jpg") -> dict[str, Any]:
    """A file that is none, whatever its name."""
    return {"name": name, "mimeType": "image/jpeg", "buffer": b"text"}


@pytest.fixture(scope="session")
def photos(
    photos_of_sklearn: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Real photos by name, and a file that only has a photo's name."""
    found = {path.stem: path for path in photos_of_sklearn.glob("*.jpg")}
    spec = importlib.util.find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    found["chelsea"] = Path(spec.origin).parent / "data" / "chelsea.png"
    found["broken"] = tmp_path_factory.mktemp("broken") / "broken.jpg"
    found["broken"].write_bytes(b"text")
    return found


@pytest.fixture(scope="session")
def page_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server of all visits that need nothing special of it."""
    with running_server(tmp_path_factory.mktemp("temporary")) as running:
        yield running


@pytest.fixture(scope="session")
def guarded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that asks for `TOKEN` and takes few photos a minute."""
    settings = {"LABLR_API_TOKEN": TOKEN, "LABLR_RATE_LIMIT": str(PHOTOS_A_MINUTE)}
    with running_server(tmp_path_factory.mktemp("temporary"), **settings) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser; each visit has its own profile in it."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any, page_server: Server) -> Iterator[Open]:
    """Open the page in a fresh profile; at the end nothing may have been wrong."""
    from playwright.sync_api import expect

    contexts, visits, expected = [], [], []
    expect.set_options(timeout=TIMEOUT_MS)

    def open_page(
        url: str = page_server.url,
        complaints: tuple[str, ...] = (),
        path: str = "/",
        script: str = "",
        **options: Any,
    ) -> Visit:
        """complaints: what the browser may say; script: runs before the page's."""
        options.setdefault("viewport", {"width": 1280, "height": 900})
        context = chromium.new_context(**options)
        context.set_default_timeout(TIMEOUT_MS)
        context.add_init_script(WATCH_POLICY + script)
        visit = Visit(context.new_page(), expect)
        visit.listen()
        contexts.append(context)
        visits.append(visit)
        expected.append(complaints)
        visit.page.goto(url + path)
        return visit

    yield open_page
    for context in contexts:
        context.close()
    for visit, allowed in zip(visits, expected, strict=True):
        unexpected = [
            text for text in visit.complaints if not any(a in text for a in allowed)
        ]
        assert unexpected == []


def fits(width: int, scheme: str) -> dict[str, Any]:
    """The options of a visit on a screen of a width, light or dark."""
    size = {"width": width, "height": 844 if width < 600 else 900}
    return {"viewport": size, "color_scheme": scheme}


def hold_answers(visit: Visit) -> list[Any]:
    """Keep photos from the server until the test lets them go on."""
    held: list[Any] = []
    visit.holding = True
    visit.page.route(
        "**/api/v1/suggestions*",
        lambda route: held.append(route) if visit.holding else route.continue_(),
    )
    return held


def let_go(visit: Visit, held: list[Any]) -> None:
    visit.holding = False
    while held:
        held.pop(0).continue_()


@contextmanager
def kept_busy(server: Server, photo: bytes) -> Iterator[None]:
    """Three clients that take every place of a server, again and again."""
    enough = threading.Event()

    def post() -> None:
        request = urllib.request.Request(
            server.url + "/api/v1/suggestions",
            form_of(photo),
            {"Content-Type": MULTIPART},
        )
        while not enough.is_set():
            try:
                urllib.request.urlopen(request, timeout=60).read()
            except (urllib.error.HTTPError, OSError):
                enough.wait(0.01)

    clients = [threading.Thread(target=post) for _ in range(3)]
    for client in clients:
        client.start()
    try:
        yield
    finally:
        enough.set()
        for client in clients:
            client.join()
