"""What the tests of the judging pages share: databases of real photos, and clients."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from database_makers import MODEL
from serving import Server, running_server

from lablr.annotation.database.database import Database
from lablr.annotation.database.records import StoredPhoto

TAGS = (("temple", 0.9), ("sky", 0.6), ("flower", 0.5), ("dog", 0.2), ("cat", 0.1))
SECRET = "not a secret at all, as it stands in a test"  # noqa: S105


def stored(database: Database, places: list[Path], n: int) -> None:
    """Store predictions of ``n`` photos, which lie at the places in turn."""
    database.store_predictions(
        MODEL,
        (
            (StoredPhoto(f"photo-{i}", str(places[i % len(places)])), TAGS)
            for i in range(n)
        ),
    )


@contextmanager
def judging_server(folder: Path, url: str, **settings: str) -> Iterator[Server]:
    settings = {"LABLR_DATABASE": url, "LABLR_SECRET_KEY": SECRET, **settings}
    with running_server(folder, **settings) as server:
        yield server


def sign_in(visit, name: str, shown: str = ".who .name") -> None:
    """By keyboard: the field has the focus."""
    visit.expect(visit.page.locator("#name")).to_be_focused()
    visit.page.keyboard.type(name)
    visit.page.keyboard.press("Enter")
    visit.expect(visit.page.locator(shown)).to_be_visible()
    visit.page.wait_for_load_state("load")  # the keys work from then on


def field(page: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name}"
    return found[1]


def hidden_fields(page: str) -> dict[str, str]:
    """What the hidden fields of a page's forms hold, by name."""
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))


@dataclass
class Form:
    """A rater with Flask's test client, who posts what the page's form would."""

    client: Any

    def sign_in(self, name: str, password: str = "", **more: Any) -> Any:
        csrf = field(self.client.get("/rate/sign-in").text, "csrf")
        form = {"csrf": csrf, "name": name, "password": password}
        return self.client.post("/rate/sign-in", data=form, **more)

    def fields(self, page: str | None = None) -> dict[str, str]:
        """What the form on the page would send, without a button."""
        page = self.client.get("/rate").text if page is None else page
        names = ("csrf", "order", "k", "done", "photo", "model", "token")
        form = page[page.index('id="rating"') :]
        return {name: field(form, name) for name in names}

    def rate(self, verdict: str, fields: dict[str, str] | None = None, **more: Any):
        fields = self.fields() if fields is None else fields
        data = {**fields, "verdict": verdict, **more}
        return self.client.post("/rate/ratings", data=data)

    def press(self, button: str, **more: Any) -> Any:
        return self.client.post(f"/rate/{button}", data={**self.fields(), **more})
