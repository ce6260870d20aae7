"""The search page in a real browser, over an index of real photos."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from browsing import EVERY_WINDOW, TOKEN, fits
from click.testing import CliRunner
from flickr_server.albums import SUBJECTS, real_photos
from serving import Server, running_server
from test_browser_axe import grave_findings

from lablr.cli import main
from lablr.ranking.tagger import Tagger
from lablr.search import FeatureExtractor, Index, Query, Search

COMMAS = "food, -people"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """A folder of seven real photos and two cuttings of each, and their index."""
    place = tmp_path_factory.mktemp("pictures")
    (place / "photos").mkdir()
    for name, photo in zip(SUBJECTS, real_photos(), strict=True):
        stem = Path(name).stem
        width, height = photo.size
        cuttings = {
            stem: photo,
            f"{stem}-left": photo.crop((0, 0, 3 * width // 4, height)),
            f"{stem}-right": photo.crop((width // 4, 0, width, height)),
        }
        for cutting, image in cuttings.items():
            image.save(place / "photos" / f"{cutting}.jpg", quality=90)
    words = ["index", str(place / "photos"), "--out", str(place / "index")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    return place


@pytest.fixture(scope="module")
def searched(pictures, tmp_path_factory) -> Iterator[Server]:
    """A server on the index, with the bundled model, which reads any words."""
    settings = {"LABLR_INDEX": str(pictures / "index")}
    with running_server(tmp_path_factory.mktemp("temporary"), **settings) as server:
        yield server


@pytest.fixture(scope="module")
def library(pictures) -> Search:
    """The library's own search over the same index."""
    return Search(Index.read(pictures / "index"), FeatureExtractor(Tagger.load()))


@pytest.fixture
def opened(visit, searched):
    """Open the search page; returns the visit."""

    def open_search(words: str = "", **options):
        path = f"/search?q={quote(words)}" if words else "/search"
        return visit(url=searched.url, path=path, **options)

    return open_search


def files(visit) -> list[str]:
    return visit.texts("#found .file")


def similarities(visit) -> list[float]:
    shown = visit.texts("#found .similarity")
    return [float(number.replace("−", "-")) for number in shown]


def expect_found(visit, count: int) -> None:
    """All photos are found, best first, each with a picture that has come."""
    page, expect = visit.page, visit.expect
    expect(page.locator("#found figure")).to_have_count(count)
    expect(page.locator("#found-title")).to_contain_text(f"{count} of {count} photos")
    numbers = similarities(visit)
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(files(visit))) == count
    first = page.locator("#found img").first
    first.evaluate("image => image.decode()")  # fails for a picture that is none
    assert first.evaluate("image => image.naturalWidth") > 100


def place_of(visit) -> int:
    """Which photo of the grid has the focus, counted from 0."""
    return visit.page.evaluate(
        "[...document.querySelectorAll('#found figure')]"
        ".indexOf(document.activeElement)"
    )


# --- what is found


def test_a_tag_is_typed_and_found_by_keyboard_alone(opened):
    visit = opened()
    page, expect = visit.page, visit.expect
    expect(page.locator("#found")).to_have_count(0)
    visit.tab_to("#q")
    page.keyboard.type("cat")
    page.keyboard.press("Enter")
    expect_found(visit, 21)
    assert page.url.endswith("/search?q=cat")
    assert files(visit)[0].startswith("chelsea")
    assert 0.1 < similarities(visit)[0] <= 1  # a probability
    expect(page.locator("#q")).to_have_value("cat")
    tags = page.locator("#found img").first.get_attribute("alt")
    assert "cat" in tags.split(", ")


@pytest.mark.parametrize(
    ("words", "plus", "minus"),
    [
        ("a sleepy kitten", ("a sleepy kitten",), ()),
        ("hot coffee in a mug, -a rocket", ("hot coffee in a mug",), ("a rocket",)),
    ],
)
def test_any_words_find_what_the_library_finds(opened, library, words, plus, minus):
    visit = opened(words)
    expect_found(visit, 21)
    expected = library.find(Query(plus=plus, minus=minus), 0)
    assert files(visit) == [one.file for one in expected]
    rounded = [round(one.similarity, 3) for one in expected]
    assert similarities(visit) == pytest.approx(rounded, abs=1e-3)
    shown = visit.page.locator("#found img").evaluate_all(
        "all => all.map((i) => i.alt)"
    )
    assert shown == [", ".join(one.tags) for one in expected]


def test_a_minus_takes_photos_down(opened):
    visit = opened("portrait")
    expect_found(visit, 21)
    ranks = {name: rank for rank, name in enumerate(files(visit))}
    visit.page.fill("#q", "portrait, -cat")
    visit.page.keyboard.press("Enter")
    visit.expect(visit.page).to_have_url(
        visit.page.url.split("?")[0] + "?q=portrait%2C+-cat"
    )
    expect_found(visit, 21)
    again = {name: rank for rank, name in enumerate(files(visit))}
    cats = [name for name in ranks if name.startswith("chelsea")]
    assert sum(again[name] for name in cats) > sum(ranks[name] for name in cats)


def test_a_photo_finds_itself_and_words_with_it_turn_the_order(opened, pictures):
    visit = opened()
    page, expect = visit.page, visit.expect
    photo = pictures / "photos" / "chelsea.jpg"
    visit.take(photo)
    page.click("text=Find like it")
    expect_found(visit, 21)
    assert files(visit)[0] == "chelsea.jpg"
    assert all(name.startswith("chelsea") for name in files(visit)[:3])
    assert similarities(visit)[0] == pytest.approx(1, abs=2e-3)
    visit.take(photo)
    page.fill("#q-photo", "coffee, -cat")
    page.click("text=Find like it")
    expect(page.locator("#q-photo")).to_have_value("coffee, -cat")
    expect_found(visit, 21)
    assert files(visit)[0] != "chelsea.jpg"


def test_every_photo_found_is_shown_when_it_is_scrolled_to(opened):
    visit = opened("flower")
    last = visit.page.locator("#found img").last
    last.scroll_into_view_if_needed()
    last.evaluate("image => image.decode()")
    assert last.evaluate("image => image.naturalWidth") > 100


# --- by keyboard


@pytest.mark.parametrize("width", [390, 1280, 2560])
def test_the_arrow_keys_go_from_photo_to_photo(opened, width):
    visit = opened("flower", **fits(width, "light"))
    page = visit.page
    expect_found(visit, 21)
    visit.tab_to("#found figure")
    assert place_of(visit) == 0
    tops = page.locator("#found figure").evaluate_all(
        "all => all.map((figure) => figure.offsetTop)"
    )
    columns = tops.count(tops[0])
    steps = [
        ("ArrowRight", 1),
        ("ArrowDown", 1 + columns),
        ("ArrowLeft", columns),
        ("ArrowUp", 0),
        ("ArrowLeft", 0),
        ("End", 20),
        ("ArrowRight", 20),
        ("Home", 0),
    ]
    for key, place in steps:
        page.keyboard.press(key)
        assert place_of(visit) == place, key
        stops = page.locator("#found figure[tabindex='0']")
        assert stops.count() == 1  # Tab comes back to where it was
    page.keyboard.press("ArrowDown")
    outline = page.locator(":focus").evaluate("e => getComputedStyle(e).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Tab")
    assert place_of(visit) == -1  # one stop, whatever is found
    page.keyboard.press("Shift+Tab")
    assert place_of(visit) == columns


# --- what cannot be found


def test_what_is_wrong_is_said_beside_the_form(opened, photos):
    visit = opened(complaints=("400", "415"))
    page, expect = visit.page, visit.expect
    page.fill("#q", "  ")
    page.keyboard.press("Enter")
    expect(page.locator("#found")).to_have_count(0)
    expect(page.locator("#error")).to_have_count(0)
    visit.take(photos["broken"])
    page.click("text=Find like it")
    expect(page.locator("#error")).to_contain_text("not a JPEG")
    expect(page.locator("#q")).to_be_visible()
    visit.screenshot("search-error-1280-light")
    page.goto(page.url.split("?")[0] + "?q=" + "x," * 21)
    expect(page.locator("#error")).to_contain_text("at most 20 terms")
    page.fill("#q", "cat")
    page.keyboard.press("Enter")
    expect_found(visit, 21)
    expect(page.locator("#error")).to_have_count(0)


def test_without_an_index_the_page_says_how_to_make_one(visit):
    visit = visit(path="/search")
    expect = visit.expect
    expect(visit.page.locator("pre")).to_contain_text("lablr index ~/Pictures")
    expect(visit.page.locator("form")).to_have_count(0)
    expect(visit.page.locator("nav [aria-current=page]")).to_have_text("Search")
    visit.screenshot("search-off-1280-light")


def test_an_index_that_has_gone_is_said(visit, tmp_path):
    settings = {"LABLR_INDEX": str(tmp_path / "gone")}
    with running_server(tmp_path, **settings) as server:
        visit = visit(url=server.url, path="/search?q=cat", complaints=("503",))
        said = visit.page.locator("#error")
        visit.expect(said).to_have_text("There is no index of this model.")
        assert str(tmp_path) not in visit.page.content()


def test_a_token_is_asked_for_with_a_photo(visit, pictures, tmp_path):
    settings = {"LABLR_INDEX": str(pictures / "index"), "LABLR_API_TOKEN": TOKEN}
    with running_server(tmp_path, **settings) as server:
        visit = visit(url=server.url, path="/search", complaints=("401",))
        page, expect = visit.page, visit.expect
        visit.take(pictures / "photos" / "rocket.jpg")
        page.click("text=Find like it")
        expect(page.locator("#error")).to_be_visible()
        visit.take(pictures / "photos" / "rocket.jpg")
        page.fill("#form-token", TOKEN)
        page.click("text=Find like it")
        expect_found(visit, 21)
        assert files(visit)[0] == "rocket.jpg"


def test_without_javascript_all_of_it_works(opened, pictures):
    visit = opened(java_script_enabled=False)
    page, expect = visit.page, visit.expect
    page.fill("#q", "cat")
    page.keyboard.press("Enter")
    expect(page.locator("#found figure")).to_have_count(21)
    expect(page.locator("text=The arrow keys go")).to_be_hidden()
    visit.take(pictures / "photos" / "coffee.jpg")
    page.fill("#q-photo", "food")
    page.click("text=Find like it")
    expect(page.locator("#q-photo")).to_have_value("food")
    expect(page.locator("#found .file").first).to_contain_text("coffee")


# --- how it looks


@EVERY_WINDOW
def test_every_state_fits_the_window_and_axe_finds_nothing(
    opened, photos, width, scheme
):
    visit = opened(
        complaints=("415",),
        bypass_csp=True,
        reduced_motion="reduce",
        **fits(width, scheme),
    )
    page, expect = visit.page, visit.expect
    found = {"empty": grave_findings(visit)}
    visit.no_sideways_scroll()
    visit.screenshot(f"search-empty-{width}-{scheme}")
    page.fill("#q", COMMAS)
    page.keyboard.press("Enter")
    expect_found(visit, 21)
    visit.tab_to("#found figure")
    found["found"] = grave_findings(visit)
    visit.no_sideways_scroll()
    for image in page.locator("#found img").all():
        image.scroll_into_view_if_needed()
        image.evaluate("image => image.decode()")
    page.evaluate("scrollTo(0, 0)")
    visit.screenshot(f"search-found-{width}-{scheme}")
    visit.take(photos["broken"])
    page.click("text=Find like it")
    expect(page.locator("#error")).to_be_visible()
    found["error"] = grave_findings(visit)
    visit.no_sideways_scroll()
    assert {state: finding for state, finding in found.items() if finding} == {}
