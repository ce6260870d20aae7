"""The desk in a real browser, by keyboard alone, on real files."""

from __future__ import annotations

import logging
import re

from browsing import EVERY_WINDOW, Visit, fits
from desk_browsing import (
    at_desk,
    few,
    make_photos,
    names_of,
    sources,
    wait_for_stored,
    wait_for_suggestions,
    wait_for_sum,
    wait_until_looked_at,
)
from exif_reader import read_lists
from test_browser_axe import grave_findings

__all__ = ["few", "sources"]

N_PHOTOS = 40


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


def test_forty_photos_by_keyboard_alone(visit, tmp_path, sources):
    files = make_photos(tmp_path / "photos", sources, N_PHOTOS)
    before = [file.read_bytes() for file in files]
    with at_desk(visit, tmp_path / "photos", tmp_path / "server") as visit:
        page, expect = visit.page, visit.expect
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


def test_steps_are_kept_and_undone(visit, few, tmp_path):
    with at_desk(visit, few, tmp_path, complaints=("422",)) as visit:
        page, expect = visit.page, visit.expect
        wait_for_suggestions(visit)
        page.keyboard.press("Enter")
        first, second = names_of(visit, "open")[:2]
        with page.expect_response("**/suggestions*") as ranked:
            page.keyboard.press("Enter")
        timing = ranked.value.request.timing  # of the second ranking
        took_ms = timing["responseStart"] - timing["requestStart"]
        logging.getLogger("lablr").info(
            "ranked again in %.0f ms", took_ms
        )  # told, not asserted
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


def test_photos_like_this_one_in_one_step(visit, few, tmp_path):
    with at_desk(visit, few, tmp_path) as visit:
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


def test_photos_that_are_dropped_and_refused(visit, few, tmp_path, photos):
    with at_desk(visit, few, tmp_path, complaints=("415",)) as visit:
        page, expect = visit.page, visit.expect
        expect(page.locator(".cell")).to_have_count(6)
        visit.take(photos["chelsea"], photos["broken"])
        expect(page.locator(".cell")).to_have_count(7)
        expect(page.locator("#refused")).to_contain_text("broken.jpg")
        page.reload()
        expect(page.locator(".cell")).to_have_count(7)


def test_a_decision_waits_for_the_network(visit, few, tmp_path):
    with at_desk(visit, few, tmp_path, complaints=("ERR_",)) as visit:
        page, expect = visit.page, visit.expect
        wait_until_looked_at(visit)
        page.context.set_offline(True)
        page.click("#open .take >> nth=0")
        expect(page.locator("#hold")).to_be_visible()
        page.context.set_offline(False)
        wait_for_stored(visit, "accepted")
        expect(page.locator("#hold")).to_be_hidden()


@EVERY_WINDOW
def test_the_page_fits_and_axe_finds_nothing(visit, few, tmp_path, width, scheme):
    with at_desk(
        visit,
        few,
        tmp_path,
        bypass_csp=True,
        reduced_motion="reduce",
        **fits(width, scheme),
    ) as visit:
        page, expect = visit.page, visit.expect
        wait_until_looked_at(visit)
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        wait_for_stored(visit, "accepted")
        page.keyboard.press("Backspace")
        wait_for_stored(visit, "rejected")
        page.locator("#large").evaluate("image => image.decode()")
        visit.no_sideways_scroll()
        found = {"desk": grave_findings(visit)}
        visit.screenshot(f"desk-{width}-{scheme}")
        page.keyboard.press("w")
        expect(page.locator("#write-go")).to_have_text(re.compile("Write 1 file"))
        found["writing"] = grave_findings(visit)
        visit.screenshot(f"desk-write-{width}-{scheme}")
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        found["help"] = grave_findings(visit)
    assert {state: finding for state, finding in found.items() if finding} == {}
