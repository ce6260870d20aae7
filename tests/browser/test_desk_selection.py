"""Several photos chosen at the desk: one decision for all of them, undone as one."""

from __future__ import annotations

from desk_browsing import names_of, wait_for_stored, wait_until_looked_at

CHOSEN = "[...document.querySelectorAll('.cell')].flatMap(\
(cell, place) => cell.ariaSelected === 'true' ? [place] : [])"


def chosen(visit) -> list[int]:
    """The places of the photos that a screen reader calls selected."""
    found: list[int] = visit.page.evaluate(CHOSEN)
    return found


def test_by_keyboard_one_decision_and_one_undo(desk):
    visit, _ = desk(6)
    page, expect = visit.page, visit.expect
    wait_until_looked_at(visit)
    grid = page.locator("#grid")
    expect(grid).to_have_attribute("aria-multiselectable", "true")
    assert chosen(visit) == [0]  # the one that decisions are for
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#said")).to_have_text("3 photos chosen.")
    assert chosen(visit) == [0, 1, 2]
    expect(page.locator("#for-chosen")).to_contain_text("all 3 chosen photos")
    page.keyboard.press("t")
    page.keyboard.type("together")
    page.keyboard.press("Enter")
    wait_for_stored(visit, "together typed on 3 photos. 3 of 6 decided")
    page.keyboard.press("Escape")
    assert chosen(visit) == [0, 1, 2]
    page.keyboard.press("u")  # one step
    wait_for_stored(visit, "Undone: typed together on 3 photos. 0 of 6 decided")
    expect(page.locator("#undo")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(page.locator("#said")).to_have_text("No photo is chosen.")
    assert chosen(visit) == [2]

    page.keyboard.press("Control+a")
    wait_for_stored(visit, "6 photos chosen.")
    page.keyboard.press("Enter")  # chips decide for all that are chosen
    first, second = names_of(visit, "open")[:2]
    page.keyboard.press("Enter")
    wait_for_stored(visit, f"{first} accepted on 6 photos. 6 of 6 decided")
    page.keyboard.press("Backspace")
    wait_for_stored(visit, f"{second} rejected on 6 photos")
    page.click("#wanted .take")
    wait_for_stored(visit, f"{first} taken back on 6 photos")
    for undone in ("cleared", "rejected", "accepted"):
        page.keyboard.press("u")
        wait_for_stored(visit, f"Undone: {undone}")
    expect(page.locator("#undo")).to_be_disabled()


def test_choosing_with_the_mouse_and_writing_only_what_is_chosen(desk):
    visit, _ = desk(6)
    page, expect = visit.page, visit.expect
    cells = page.locator(".cell")
    expect(cells).to_have_count(6)
    cells.nth(1).click()
    cells.nth(3).click(modifiers=["Shift"])
    assert chosen(visit) == [1, 2, 3]
    cells.nth(5).click(modifiers=["ControlOrMeta"])
    cells.nth(2).click(modifiers=["ControlOrMeta"])
    assert chosen(visit) == [1, 3, 5]
    expect(page.locator("#for-chosen")).to_contain_text("not to this one")
    cells.nth(4).click()  # a plain press lets the others go
    assert chosen(visit) == [4]
    expect(page.locator("#n-chosen")).to_be_empty()

    choose = page.locator("#choose")  # as with a finger
    choose.click()
    expect(choose).to_have_attribute("aria-pressed", "true")
    cells.nth(0).click()
    cells.nth(2).click()
    expect(page.locator("#n-chosen")).to_have_text("2 chosen")
    page.keyboard.press("ArrowRight")  # keeps them
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert chosen(visit) == [0, 2, 4]
    choose.click()
    expect(choose).to_have_attribute("aria-pressed", "false")
    assert chosen(visit) == [4]

    cells.nth(0).click()
    page.keyboard.press("Control+a")
    page.fill("#typed", "lake")
    page.keyboard.press("Enter")
    wait_for_stored(visit, "lake typed on 6 photos")
    page.keyboard.press("Escape")
    page.keyboard.press("Home")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("w")
    expect(page.locator("[name=which][value=chosen]")).to_be_checked()
    expect(page.locator("#write-chosen")).to_have_text("The 2 chosen photos")
    expect(page.locator("#write-go")).to_have_text("Write 2 files")
    page.check("[name=which][value=all]")
    expect(page.locator("#write-go")).to_have_text("Write 6 files")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")  # from the grid
    page.keyboard.press("w")
    expect(page.locator("#write-go")).to_have_text("Write 6 files")
    expect(page.locator("#write-chosen")).to_be_hidden()
