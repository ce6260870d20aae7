"""The desk in a real browser, by keyboard alone, on real files."""

from __future__ import annotations

from browsing import SCANNED, TOKEN, Look, Visit
from desk_browsing import (
    names_of,
    wait_for_stored,
    wait_for_suggestions,
    wait_for_sum,
    wait_until_looked_at,
)
from exif_reader import read_lists

N_PHOTOS = 6


def tag_by_keys(visit: Visit, number: int) -> list[str]:
    """Accept what is sure, else the best suggestion; type one tag for every fifth."""
    page = visit.page
    visit.expect(page.locator("#one-place")).to_have_text(f"{number + 1} of {N_PHOTOS}")
    wait_for_suggestions(visit)
    if page.locator("#open li.sure").count():
        page.keyboard.press("a")
    else:
        page.keyboard.press("Enter")  # to the tags
        page.keyboard.press("Enter")  # the first is accepted
        visit.expect(page.locator("#wanted li")).to_have_count(1)
        page.keyboard.press("Escape")
    if number % 5 == 0:
        page.keyboard.press("t")
        page.keyboard.type("by keyboard")
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        wait_for_stored(visit, "by keyboard typed")
    wait_for_sum(visit, f"{number + 1} of {N_PHOTOS} decided")
    tags = names_of(visit, "wanted")
    assert tags
    return tags


def test_a_folder_by_keyboard_alone(desk):
    visit, files = desk(N_PHOTOS)
    page, expect = visit.page, visit.expect
    before = [file.read_bytes() for file in files]
    given = []
    for number in range(N_PHOTOS):
        given.append(tag_by_keys(visit, number))
        page.keyboard.press("ArrowRight")

    page.keyboard.press("w")
    go = page.locator("#write-go")
    expect(go).to_have_text(f"Write {N_PHOTOS} files")
    expect(go).to_be_focused()
    assert page.locator("#writing-lines li").count() == N_PHOTOS
    assert [file.read_bytes() for file in files] == before  # a dry run
    page.keyboard.press("Enter")
    said = page.locator("#writing-said")
    expect(said).to_have_text(f"{N_PHOTOS} files written.")
    for file, tags in zip(files, given, strict=True):
        lists = read_lists(file)
        assert set(lists["dc:subject"]) == set(tags)
        assert set(lists["IPTC Keywords"]) == set(tags)
    wait_for_sum(visit, f"{N_PHOTOS} written")

    visit.tab_to("#write-undo")
    page.keyboard.press("Enter")
    expect(said).to_have_text(f"{N_PHOTOS} files restored.")
    assert [file.read_bytes() for file in files] == before


def test_steps_are_kept_and_undone(desk):
    visit, _ = desk(3)
    page, expect = visit.page, visit.expect
    wait_for_suggestions(visit)
    page.keyboard.press("Enter")
    first, second = names_of(visit, "open")[:2]
    page.keyboard.press("Enter")
    wait_for_stored(visit, f"{first} accepted")
    page.keyboard.press("Backspace")  # the focus went on to the next tag
    wait_for_stored(visit, f"{second} rejected")
    expect(page.locator("#rejected .name")).to_have_text(second)
    page.keyboard.press("t")
    page.keyboard.type("My Holiday, lake")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator("#wanted li")).to_have_count(3)
    wait_for_stored(visit, "typed")

    page.reload()
    expect(page.locator("#wanted li")).to_have_count(3)
    assert names_of(visit, "rejected") == [second]
    for left in (1, 1, 0):
        page.keyboard.press("u")
        wait_for_stored(visit, "Undone")
        expect(page.locator("#wanted li")).to_have_count(left)
        page.evaluate("document.getElementById('said').textContent = ''")
    expect(page.locator("#undo")).to_be_disabled()


def test_keys_do_what_the_help_says_and_can_be_turned_off(desk):
    visit, _ = desk(3)
    page, expect = visit.page, visit.expect
    wait_for_suggestions(visit)
    page.keyboard.press("?")
    expect(page.locator("#help dd").first).to_contain_text("another photo")
    listed = visit.texts("#help dt kbd")
    shortcuts = page.locator("[aria-keyshortcuts]").evaluate_all(
        "all => all.map((element) => element.getAttribute('aria-keyshortcuts'))"
    )
    assert set(shortcuts) <= set(listed)
    page.keyboard.press("a")  # nothing behind the list
    page.uncheck("#keys-on")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    page.keyboard.press("ArrowRight")  # in the grid the arrows stay
    expect(page.locator("#one-place")).to_have_text("2 of 3")
    page.reload()  # kept
    wait_for_suggestions(visit)
    page.keyboard.press("t")
    expect(page.locator("#typed")).not_to_be_focused()
    wait_for_sum(visit, "0 of 3 decided")


def test_photos_like_this_one_in_one_step(desk):
    visit, _ = desk(6)
    page, expect = visit.page, visit.expect
    wait_until_looked_at(visit)
    page.keyboard.press("s")
    expect(page.locator("#said")).to_contain_text("Accept, type or reject")
    page.click("#open .take >> nth=0")  # with the mouse
    expect(page.locator("#wanted li")).to_have_count(1)
    page.click("#ask-similar")
    expect(page.locator("#similar")).to_be_visible()
    found = page.locator("#similar-photos li").count()
    assert found >= 1
    page.keyboard.press("Enter")
    wait_for_sum(visit, f"{found + 1} of 6 decided")
    page.keyboard.press("u")  # one step
    wait_for_sum(visit, "1 of 6 decided")


def test_photos_come_in_and_decisions_wait_for_the_network(desk, photos):
    visit, _ = desk(1, complaints=("415", "ERR_"))
    page, expect = visit.page, visit.expect
    expect(page.locator(".cell")).to_have_count(1)
    visit.take(photos["flower"], photos["broken"])
    expect(page.locator(".cell")).to_have_count(2)
    expect(page.locator("#refused")).to_contain_text("broken.jpg")
    page.reload()
    expect(page.locator(".cell")).to_have_count(2)
    wait_until_looked_at(visit)
    page.context.set_offline(True)
    first, second = names_of(visit, "open")[:2]
    for tag in (first, second):
        page.click(f"#open li[data-tag='{tag}'] .take")
    expect(page.locator("#hold")).to_be_visible()
    expect(page.locator("#wanted li")).to_have_count(2)  # shown at once
    page.context.set_offline(False)
    wait_for_stored(visit, f"{second} accepted")  # the last, in their order
    expect(page.locator("#hold")).to_be_hidden()
    page.keyboard.press("u")
    wait_for_stored(visit, f"Undone: accepted {second}")


def test_a_desk_that_asks_for_a_token(guarded_desk, tmp_path):
    visit, (file, _) = guarded_desk(2, complaints=("401",))
    page, expect = visit.page, visit.expect
    asked = page.locator("#hold-message")
    expect(asked).to_have_text("This server asks for a token.")
    expect(page.locator(".cell")).to_have_count(0)
    page.fill("#token", "wrong")
    page.keyboard.press("Enter")
    expect(asked).to_have_text("The server did not take that token.")
    page.fill("#token", TOKEN)
    page.keyboard.press("Enter")
    expect(page.locator("#hold")).to_be_hidden()
    wait_for_suggestions(visit)
    expect(page.locator(".cell.has-picture").first).to_be_visible()
    page.fill("#typed", "let in")
    page.keyboard.press("Enter")
    wait_for_stored(visit, "let in typed")
    page.click("#ask-write")
    expect(page.locator("#write-go")).to_have_text("Write 1 file")
    page.click("#write-go")
    expect(page.locator("#writing-said")).to_have_text("1 file written.")
    page.click("#writing-close")
    assert read_lists(file)["dc:subject"] == ["let in"]
    with page.expect_download() as coming:
        page.click("#file-link")
    coming.value.save_as(tmp_path / "downloaded.jpg")
    assert (tmp_path / "downloaded.jpg").read_bytes() == file.read_bytes()
    assert TOKEN not in page.url


def test_the_page_fits_and_axe_finds_nothing(desk):
    visit, _ = desk(4, **SCANNED)
    page, expect = visit.page, visit.expect
    look = Look(visit, "desk")
    wait_until_looked_at(visit)
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    wait_for_stored(visit, "accepted")
    page.keyboard.press("Backspace")
    wait_for_stored(visit, "rejected")
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.fill("#typed", "lake")
    page.keyboard.press("Enter")
    wait_for_stored(visit, "lake typed on 3 photos")
    page.locator("#large").evaluate("image => image.decode()")
    look.at("desk")
    page.click("#ask-write")
    expect(page.locator("#write-go")).to_have_text("Write 3 files")
    look.at("writing")
    page.keyboard.press("Escape")
    page.click("#ask-help")
    look.at("help")
    look.end()
