"""A real Chromium on the real server: what the tests of the page share.

Every visit ends by asking what the browser complained about: no console error, no
breach of the content security policy. With ``SCREENSHOTS=1`` pictures of the pages go
to build/screenshots/.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
# The shell is the same browser without its windows, which cost a third of the time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
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
# Where the layout changes, each scheme once where it is narrow or wide. The window of
# all other tests is 1,280 px wide, and light.
WINDOWS = ((390, "light"), (1280, "dark"))
WIDEST = 2560  # nothing is arranged otherwise than before, but for columns
# Colours are measured where nothing fades; the scan is a script of its own, so that the
# policy is set aside.
SCANNED = {"bypass_csp": True, "reduced_motion": "reduce"}
TOKEN = "a long and secret token"  # noqa: S105  # of the tests' own server
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

    def screenshot(self, name: str) -> None:
        if os.environ.get("SCREENSHOTS"):
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            path = SCREENSHOTS / f"{name}.png"
            self.page.screenshot(path=path, full_page=True)

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
        with contextlib.suppress(Error):  # the page has let go of that one itself
            held.pop(0).continue_()


def grave_findings(visit: Visit) -> list[str]:
    """What axe-core calls serious or critical: the rule and where."""
    results = Axe().run(visit.page, options={"resultTypes": ["violations"]}).response
    return [
        f"{finding['id']}: {node['target']} {node.get('failureSummary', '')}"
        for finding in results["violations"]
        if finding["impact"] in ("serious", "critical")
        for node in finding["nodes"]
    ]


class Look:
    """Every state fits every window, and axe finds nothing grave in it."""

    def __init__(self, visit: Visit, name: str) -> None:
        self.visit = visit
        self.name = name
        self.found: dict[str, list[str]] = {}

    def at(self, state: str) -> None:
        """Look at a state in each window; ends in the last, 1,280 px wide."""
        for width, scheme in WINDOWS:
            self._resize(width, scheme)
            name = f"{self.name}-{state.replace(' ', '-')}-{width}-{scheme}"
            self.visit.screenshot(name)
            self.found[name] = grave_findings(self.visit)

    def end(self) -> None:
        self._resize(WIDEST, "light")
        found = {state: found for state, found in self.found.items() if found}
        assert not found, found

    def _resize(self, width: int, scheme: str) -> None:
        options = fits(width, scheme)
        self.visit.page.set_viewport_size(options["viewport"])
        self.visit.page.emulate_media(color_scheme=scheme)
        self.visit.no_sideways_scroll()
