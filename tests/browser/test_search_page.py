"""The search page in a real browser, over an index of real photos."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from browsing import SCANNED, Look

from lablr.ranking.tagger import Tagger
from lablr.search.features import FeatureExtractor
from lablr.search.index import Index
from lablr.search.query import Query, Search

N_PHOTOS = 6


@pytest.fixture(scope="module")
def library(pictures) -> Search:
    """The library's own search over the same index."""
    return Search(Index.read(pictures / "index"), FeatureExtractor(Tagger.load()))


@pytest.fixture
def opened(visit):
    """Open the search page; returns the visit."""

    def open_search(words: str = "", **options):
        return visit(path=f"/search?q={quote(words)}", **options)

    return open_search


def files(visit) -> list[str]:
    return visit.texts("#found .file")


def similarities(visit) -> list[float]:
    shown = visit.texts("#found .similarity")
    return [float(number.replace("−", "-")) for number in shown]


def expect_found(visit) -> None:
    """All photos are found, best first, each with a picture that has come."""
    page, expect, n = visit.page, visit.expect, N_PHOTOS
    expect(page.locator("#found figure")).to_have_count(n)
    expect(page.locator("#found-title")).to_contain_text(f"{n} of {n} photos")
    numbers = similarities(visit)
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(files(visit))) == n
    for image in (page.locator("#found img").first, page.locator("#found img").last):
        image.scroll_into_view_if_needed()
        image.evaluate("image => image.decode()")  # fails for a picture that is none
        assert image.evaluate("image => image.naturalWidth") > 100


def place_of(visit) -> int:
    """Which photo of the grid has the focus, counted from 0."""
    return visit.page.evaluate(
        "[...document.querySelectorAll('#found figure')]"
        ".indexOf(document.activeElement)"
    )


def test_words_are_typed_and_find_what_the_library_finds(opened, library):
    visit = opened()
    page, expect = visit.page, visit.expect
    expect(page.locator("#found")).to_have_count(0)
    visit.tab_to("#q")
    page.keyboard.type("cat")
    page.keyboard.press("Enter")
    expect_found(visit)
    assert page.url.endswith("/search?q=cat")
    assert files(visit)[0].startswith("chelsea")
    assert 0.1 < similarities(visit)[0] <= 1  # a probability
    expect(page.locator("#q")).to_have_value("cat")

    queries = {
        "a sleepy kitten": Query(plus=("a sleepy kitten",)),
        "hot coffee, -a cat": Query(plus=("hot coffee",), minus=("a cat",)),
    }
    for words, query in queries.items():
        page.fill("#q", words)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**q={quote(words).replace('%20', '+')}")
        expect_found(visit)
        expected = library.find(query, 0)
        assert files(visit) == [one.file for one in expected]
        rounded = [round(one.similarity, 3) for one in expected]
        assert similarities(visit) == pytest.approx(rounded, abs=1e-3)
        alts = page.locator("#found img").evaluate_all("all => all.map((i) => i.alt)")
        assert alts == [", ".join(one.tags) for one in expected]


def test_a_photo_finds_itself_and_words_with_it_turn_the_order(opened, pictures):
    visit = opened(java_script_enabled=False)  # all of it works without
    page, expect = visit.page, visit.expect
    expect(page.locator("text=The arrow keys go")).to_have_count(0)
    photo = pictures / "photos" / "chelsea-0.jpg"
    visit.take(photo)
    page.click("text=Find like it")
    expect(page.locator("#found figure")).to_have_count(N_PHOTOS)
    expect(page.locator("text=The arrow keys go")).to_be_hidden()
    assert [name.split("-")[0] for name in files(visit)[:2]] == ["chelsea"] * 2
    assert files(visit)[0] == "chelsea-0.jpg"
    assert similarities(visit)[0] == pytest.approx(1, abs=2e-3)
    visit.take(photo)
    page.fill("#q-photo", "coffee, -cat")
    page.click("text=Find like it")
    expect(page.locator("#q-photo")).to_have_value("coffee, -cat")
    expect(page.locator("#found .file").first).not_to_have_text("chelsea-0.jpg")


def test_every_state_fits_axe_finds_nothing_and_arrow_keys_walk(
    opened, photos, pictures
):
    visit = opened(complaints=("400", "415", "503"), **SCANNED)
    page, expect = visit.page, visit.expect
    look = Look(visit, "search")
    page.fill("#q", "  ")
    page.keyboard.press("Enter")
    expect(page.locator("#found")).to_have_count(0)
    expect(page.locator("#error")).to_have_count(0)
    visit.take(photos["broken"])
    page.click("text=Find like it")
    expect(page.locator("#error")).to_contain_text("not a JPEG")
    expect(page.locator("#q")).to_be_visible()
    look.at("error")
    page.goto(page.url.split("?")[0] + "?q=" + "x," * 21)
    expect(page.locator("#error")).to_contain_text("at most 20 terms")
    page.fill("#q", "flower")
    page.keyboard.press("Enter")
    expect_found(visit)
    expect(page.locator("#error")).to_have_count(0)

    page.locator("#q").focus()
    visit.tab_to("#found figure")
    assert place_of(visit) == 0
    look.at("found")
    tops = page.locator("#found figure").evaluate_all(
        "all => all.map((figure) => figure.offsetTop)"
    )
    columns, last = tops.count(tops[0]), N_PHOTOS - 1
    down = columns if columns < N_PHOTOS else 0  # there may be one row only
    steps = [
        ("ArrowDown", down),
        ("ArrowUp", 0),
        ("ArrowRight", 1),
        ("ArrowLeft", 0),
        ("ArrowLeft", 0),
        ("End", last),
        ("ArrowRight", last),
        ("Home", 0),
        ("ArrowRight", 1),
    ]
    for key, place in steps:
        page.keyboard.press(key)
        assert place_of(visit) == place, key
        stops = page.locator("#found figure[tabindex='0']")
        assert stops.count() == 1  # Tab comes back to where it was
    outline = page.locator(":focus").evaluate("e => getComputedStyle(e).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Tab")
    assert place_of(visit) == -1  # one stop, whatever is found
    page.keyboard.press("Shift+Tab")
    assert place_of(visit) == 1

    index, gone = pictures / "index", pictures / "gone"
    index.rename(gone)
    page.reload()
    expect(page.locator("#error")).to_have_text("There is no index of this model.")
    assert str(pictures) not in page.content()
    gone.rename(index)
    look.end()
