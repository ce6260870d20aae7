"""The rating page in a real browser, by keyboard alone, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import EVERY_WINDOW, fits
from database_makers import database_url, postgresql
from judging_pages import judging_server, sign_in, stored
from serving import Server
from test_browser_axe import grave_findings

from lablr.annotation.database.database import Database
from lablr.annotation.results import results_of

__all__ = ["database_url", "postgresql"]

N_PHOTOS = 50


def wait_for_done(visit, n: int) -> None:
    visit.expect(visit.page.locator(".how-far strong")).to_have_text(str(n))


def press(visit, key: str, n_done: int) -> None:
    visit.page.keyboard.press(key)
    wait_for_done(visit, n_done)


@pytest.fixture(scope="module")
def places(photos) -> list[Path]:
    return [photos["china"], photos["flower"], photos["chelsea"]]


@pytest.fixture(scope="module")
def server_of_two(tmp_path_factory, places) -> Iterator[Server]:
    """A server where two photos wait for every rater."""
    folder = tmp_path_factory.mktemp("two")
    url = f"sqlite:///{folder / 'judgements.sqlite'}"
    with Database(url) as database:
        stored(database, places, 2)
    with judging_server(folder, url) as server:
        yield server


def test_fifty_photos_by_keyboard_alone(visit, tmp_path, database_url, places):
    with Database(database_url) as database:
        stored(database, places, N_PHOTOS)
        with judging_server(tmp_path, database_url) as server:
            visit = visit(url=server.url, path="/rate")
            sign_in(visit, "ann")
            keys = ["j", "k", "l", "j", "j"]
            for n in range(N_PHOTOS):
                photo = visit.page.locator("#judged-photo")
                assert photo.evaluate(
                    "image => image.decode().then(() => image.naturalWidth)"
                )
                press(visit, keys[n % 5], n + 1)
            visit.expect(visit.page.locator(".all-done h2")).to_be_visible()
            visit.page.close()
        found = results_of(database)
        assert found.n_ratings == N_PHOTOS
        assert found.top_1.n_right == 30
        assert found.top_k.n_right == 40


def test_marks_undo_skip_help_and_typing(visit, tmp_path, places):
    url = f"sqlite:///{tmp_path / 'judgements.sqlite'}"
    with Database(url) as database:
        stored(database, places, 4)
        with judging_server(tmp_path, url) as server:
            visit = visit(url=server.url, path="/rate", complaints=("422",))
            page, expect = visit.page, visit.expect
            sign_in(visit, "ann")
            page.keyboard.press("?")
            expect(page.locator("#help")).to_be_visible()
            page.keyboard.press("j")  # answers nothing behind the list
            page.keyboard.press("Escape")
            expect(page.locator("#help")).to_be_hidden()
            wait_for_done(visit, 0)

            page.keyboard.press("2")
            expect(page.locator("#said")).to_have_text("sky: yes.")
            page.keyboard.press("1")
            page.keyboard.press("1")
            expect(page.locator("[name=tag-1][value=no]")).to_be_checked()
            page.keyboard.press("j")
            expect(page.locator("#trouble-message")).to_contain_text("contradicts")
            page.keyboard.press("t")
            page.keyboard.type("roof, jkl")
            page.keyboard.press("Enter")
            press(visit, "k", 1)
            expect(page.locator("#trouble")).to_be_hidden()
            press(visit, "s", 2)
            press(visit, "u", 1)
            press(visit, "u", 0)
            expect(page.locator("#undo")).to_be_disabled()
            press(visit, "l", 1)
            page.reload()
            wait_for_done(visit, 1)  # goes on where it was
        rows = {row.tag: row.n_typed for row in results_of(database).tags}
        assert rows.get("roof", 0) == 0  # that rating was taken back
        visit.page.close()


def test_an_answer_is_kept_until_the_server_is_back(visit, tmp_path, places):
    url = f"sqlite:///{tmp_path / 'judgements.sqlite'}"
    with Database(url) as database:
        stored(database, places, 3)
        with judging_server(tmp_path, url) as server:
            visit = visit(url=server.url, path="/rate", complaints=("ERR_",))
            page, expect = visit.page, visit.expect
            sign_in(visit, "ann")
            page.context.set_offline(True)
            page.keyboard.press("j")
            expect(page.locator("#trouble-message")).to_contain_text("not saved yet")
            page.keyboard.press("l")  # not taken while the first is not stored
            page.context.set_offline(False)
            wait_for_done(visit, 1)
            expect(page.locator("#trouble")).to_be_hidden()
            page.close()
        assert results_of(database).top_1.n_right == 1


def test_a_database_that_is_gone_is_said(visit, tmp_path, places):
    path = tmp_path / "judgements.sqlite"
    with Database(f"sqlite:///{path}") as database:
        stored(database, places, 3)
    with judging_server(tmp_path, str(path)) as server:
        visit = visit(url=server.url, path="/rate", complaints=("503",))
        sign_in(visit, "ann")
        path.rename(tmp_path / "elsewhere")
        visit.page.keyboard.press("j")
        message = visit.page.locator("#trouble-message")
        visit.expect(message).to_contain_text("cannot be reached")
        (tmp_path / "elsewhere").rename(path)
        wait_for_done(visit, 1)
        visit.page.close()


@EVERY_WINDOW
def test_the_page_fits_and_axe_finds_nothing(visit, server_of_two, width, scheme):
    visit = visit(
        url=server_of_two.url,
        path="/rate?order=uncertain",
        bypass_csp=True,
        reduced_motion="reduce",
        **fits(width, scheme),
    )
    page = visit.page
    found = {"sign in": grave_findings(visit)}
    visit.screenshot(f"sign-in-{width}-{scheme}")
    sign_in(visit, f"ann {width} {scheme}")
    page.click(".orders a >> nth=1")
    visit.expect(page.locator(".rule")).to_be_visible()
    page.click(".rule summary")
    page.keyboard.press("2")
    page.locator("#judged-photo").evaluate("image => image.decode()")
    visit.no_sideways_scroll()
    found["question"] = grave_findings(visit)
    visit.screenshot(f"rate-{width}-{scheme}")
    page.keyboard.press("?")
    found["help"] = grave_findings(visit)
    page.keyboard.press("Escape")
    press(visit, "k", 1)
    press(visit, "l", 2)
    found["done"] = grave_findings(visit)
    visit.no_sideways_scroll()
    visit.screenshot(f"rate-done-{width}-{scheme}")
    page.close()
    assert {state: finding for state, finding in found.items() if finding} == {}
