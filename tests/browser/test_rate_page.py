"""The rating page in a real browser, by keyboard alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from browsing import SCANNED, Look
from judging_pages import sign_in, stored

from lablr.annotation.results import results_of

N_PHOTOS = 10


@pytest.fixture
def places(photos) -> list[Path]:
    return [photos["china"], photos["flower"], photos["chelsea"]]


@pytest.fixture
def asked(visit, judging, places):
    """Open the page as Ann, with so many photos to judge."""

    def ask(n_photos: int, **options):
        stored(judging.database, places, n_photos)
        opened = visit(url=judging.server.url, path="/rate", **options)
        sign_in(opened, "ann")
        return opened

    return ask


def wait_for_done(visit, n: int) -> None:
    visit.expect(visit.page.locator(".how-far strong")).to_have_text(str(n))


def press(visit, key: str, n_done: int) -> None:
    visit.page.keyboard.press(key)
    wait_for_done(visit, n_done)


def test_ten_photos_by_keyboard_alone(asked, judging):
    visit = asked(N_PHOTOS)
    photo = visit.page.locator("#judged-photo")
    for n, key in enumerate(["j", "k", "l", "j", "j"] * 2):
        assert photo.evaluate("image => image.decode().then(() => image.naturalWidth)")
        press(visit, key, n + 1)
    visit.expect(visit.page.locator(".all-done h2")).to_be_visible()
    found = results_of(judging.database)
    assert found.n_ratings == N_PHOTOS
    assert found.top_1.n_right == 6
    assert found.top_k.n_right == 8


def test_marks_undo_skip_help_and_typing(asked, judging):
    visit = asked(4, complaints=("422",))
    page, expect = visit.page, visit.expect
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    shortcuts = page.locator("[aria-keyshortcuts]").evaluate_all(
        "all => all.map((element) => element.getAttribute('aria-keyshortcuts'))"
    )
    assert set(shortcuts) <= set(visit.texts("#help dt kbd"))
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
    rows = {row.tag: row.n_typed for row in results_of(judging.database).tags}
    assert rows.get("roof", 0) == 0  # that rating was taken back


def test_an_answer_is_kept_until_the_server_has_it(asked, judging):
    visit = asked(3, complaints=("ERR_", "503"))
    page, expect = visit.page, visit.expect
    message = page.locator("#trouble-message")
    page.context.set_offline(True)
    page.keyboard.press("j")
    expect(message).to_contain_text("not saved yet")
    page.keyboard.press("l")  # not taken while the first is not stored
    page.context.set_offline(False)
    wait_for_done(visit, 1)
    expect(page.locator("#trouble")).to_be_hidden()
    assert results_of(judging.database).top_1.n_right == 1

    elsewhere = judging.path.with_name("elsewhere")
    judging.path.rename(elsewhere)
    page.keyboard.press("j")
    expect(message).to_contain_text("cannot be reached")
    elsewhere.rename(judging.path)
    wait_for_done(visit, 2)


def test_the_page_fits_and_axe_finds_nothing(visit, judging, places):
    stored(judging.database, places, 1)
    path = "/rate?order=uncertain"
    visit = visit(url=judging.server.url, path=path, **SCANNED)
    page, expect = visit.page, visit.expect
    look = Look(visit, "rate")
    look.at("sign in")
    sign_in(visit, "ann")
    page.click(".orders a >> nth=1")
    expect(page.locator(".rule")).to_be_visible()
    page.click(".rule summary")
    page.keyboard.press("2")
    page.locator("#judged-photo").evaluate("image => image.decode()")
    look.at("question")
    page.keyboard.press("?")
    look.at("help")
    page.keyboard.press("Escape")
    press(visit, "k", 1)
    look.at("done")
    look.end()
