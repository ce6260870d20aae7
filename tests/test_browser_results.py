"""The results page in a real browser: its numbers are those of `lablr.annotation`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from operator import attrgetter

import pytest
from browsing import EVERY_WINDOW, Visit, fits
from database_makers import judge
from judging_pages import judging_server, sign_in
from serving import Server
from test_browser_axe import grave_findings

from lablr.annotation.curves import AtThreshold
from lablr.annotation.database.database import Database
from lablr.annotation.results import Results, TagRow, results_of

EFFECT = ("accepted", "rejected", "precision", "recall")


@pytest.fixture(scope="module")
def judged(tmp_path_factory) -> Iterator[tuple[Server, Results]]:
    """A server on 60 photos that three raters judged, and the library's figures."""
    folder = tmp_path_factory.mktemp("results")
    url = f"sqlite:///{folder / 'judgements.sqlite'}"
    with Database(url) as database:
        judge(database)
        for number, typed in enumerate(("seen nowhere", "10", "9", "1a")):
            said = {typed: "typed"}
            database.rate("ben", f"photo-{2 * number}", "none_right", said, k=3)
        results = results_of(database)
    (folder / "temporary").mkdir()
    with judging_server(folder / "temporary", url) as server:
        yield server, results


@pytest.fixture
def opened(visit, judged):
    """Open the page as a signed-in rater, its curves drawn; returns the visit."""
    server, _ = judged

    def open_results(**options) -> Visit:
        found = visit(url=server.url, path="/results", **options)
        sign_in(found, "ann", "#results")
        for name in ("roc", "precision_recall"):
            curve = found.page.locator(f"#{name} .scatterlayer path.js-line")
            found.expect(curve).to_have_count(2)  # chance, and the curve
        return found

    return open_results


def shown(effect: AtThreshold) -> list[str]:
    """What the page has to say of a threshold."""
    shares = (
        "–" if math.isnan(share) else f"{100 * share:.1f} %"
        for share in (effect.precision, effect.recall)
    )
    counts = (
        effect.accepted_right + effect.accepted_wrong,
        effect.rejected_right + effect.rejected_wrong,
    )
    return [*map(str, counts), *shares]


def expect_effect(visit: Visit, results: Results, threshold: float) -> None:
    expected = shown(results.at(threshold))
    for name, text in zip(EFFECT, expected, strict=True):
        visit.expect(visit.page.locator(f"#{name}")).to_have_text(text)


def test_the_slider_shows_what_a_threshold_accepts_and_rejects(opened, judged):
    _, results = judged
    visit = opened()
    page, expect = visit.page, visit.expect
    expect_effect(visit, results, 0.5)
    slider, number = page.locator("#threshold-range"), page.locator("#threshold")
    slider.focus()
    for key, threshold in (("End", 1.0), ("Home", 0.0), ("ArrowRight", 0.001)):
        page.keyboard.press(key)
        expect(number).to_have_value(f"{threshold:.3f}")
        expect_effect(visit, results, threshold)
    seen = set()
    for share in (0.2, 0.4, 0.6, 0.8):
        box = slider.bounding_box()
        place = {"x": share * box["width"], "y": box["height"] / 2}
        slider.click(position=place)
        threshold = float(slider.input_value())
        assert abs(threshold - share) < 0.05
        expect_effect(visit, results, threshold)
        seen.add(page.locator("#accepted").text_content())
    assert len(seen) == 4
    number.fill("0.75")
    expect(slider).to_have_value("0.75")
    expect_effect(visit, results, 0.75)
    number.fill("7")  # is none: the last one stays
    expect_effect(visit, results, 0.75)


def test_the_mark_on_the_curves_goes_with_the_threshold(opened, judged):
    _, results = judged
    visit = opened()
    for threshold in (0.3, 0.7):
        visit.page.fill("#threshold", str(threshold))
        effect = results.at(threshold)
        expected = {
            "roc": [effect.false_positive_rate, effect.recall],
            "precision_recall": [effect.recall, effect.precision],
        }
        for name, point in expected.items():
            # drawn before the browser turns to anything else
            mark = visit.page.evaluate(
                "name => document.getElementById(name).data.at(-1)", name
            )
            assert [*mark["x"], *mark["y"]] == pytest.approx(point)


def test_a_recommended_threshold_is_taken_over_whole(opened, judged):
    _, results = judged
    visit = opened()
    page = visit.page
    for row, rule in enumerate((0.9, None)):
        cells = page.locator(".recommended tbody tr").nth(row).locator("td")
        threshold = results.threshold(rule)
        effect = shown(results.at(threshold))
        assert cells.all_text_contents()[1:] == [effect[0], *effect[2:]]
        cells.locator("button").click()
        expect_effect(visit, results, threshold)
    page.fill("#target", "0.8")
    page.keyboard.press("Enter")
    button = page.locator(".recommended [data-threshold] >> nth=0")
    visit.expect(button).to_have_text(f"{results.threshold(0.8):.3f}")


def test_every_column_of_the_table_sorts_both_ways(opened, judged):
    _, results = judged
    visit = opened()
    heads, names = visit.page.locator("#tags thead th"), "#tags tbody th"
    assert visit.texts(names) == [row.tag for row in results.tags]
    columns = {
        "Tag": attrgetter("tag"),
        "Judged": attrgetter("right.n"),
        "Right": attrgetter("right.n_right"),
        "Share": lambda row: row.right.share if row.right.n else -1,
        "Interval": lambda row: row.right.interval[0],
        "Probability": probability_of,
        "Missed": attrgetter("n_typed"),
    }
    of_tag = {row.tag: row for row in results.tags}
    assert visit.texts("#tags .sort") == [*columns]
    for place, (name, key) in enumerate(columns.items()):
        for _ in range(2):
            way = press(heads.nth(place))
            values = [key(of_tag[tag]) for tag in visit.texts(names)]
            assert values == sorted(values, reverse=way == "descending"), name
        assert way == ("descending" if name == "Tag" else "ascending")
        assert visit.page.locator("#tags [aria-sort]").count() == 1


def probability_of(row: TagRow) -> float:
    return -1 if row.mean_probability is None else row.mean_probability


def press(head) -> str:
    """Press a column's button by keyboard; returns how it sorts then."""
    head.locator("button").focus()
    head.page.keyboard.press("Enter")
    return head.get_attribute("aria-sort")


def test_without_javascript_forms_ask_for_a_threshold(visit, judged):
    server, results = judged
    visit = visit(url=server.url, path="/results", java_script_enabled=False)
    sign_in(visit, "ann", "#results")
    visit.page.fill("#threshold", "0.75")
    visit.page.get_by_role("button", name="Show").click()
    expect_effect(visit, results, 0.75)


def test_without_the_figures_the_field_still_works(visit, judged):
    server, results = judged
    visit = visit(url=server.url, path="/results", complaints=("ERR_FAILED",))
    visit.page.route("**/results/figures", lambda route: route.abort())
    sign_in(visit, "ann", ".charts-missing")
    visit.expect(visit.page.locator("#threshold-range")).to_be_disabled()
    visit.page.fill("#threshold", "0.75")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_url("**threshold=0.75*")
    expect_effect(visit, results, 0.75)


@EVERY_WINDOW
def test_the_page_fits_and_axe_finds_nothing(opened, width, scheme):
    visit = opened(bypass_csp=True, reduced_motion="reduce", **fits(width, scheme))
    found = {"first": grave_findings(visit)}
    visit.no_sideways_scroll()
    visit.screenshot(f"results-{width}-{scheme}")
    visit.page.fill("#threshold", "1")
    visit.expect(visit.page.locator("#precision")).to_have_text("–")
    visit.page.click("#tags button >> nth=0")
    found["nothing accepted, sorted"] = grave_findings(visit)
    visit.no_sideways_scroll()
    assert {state: finding for state, finding in found.items() if finding} == {}
