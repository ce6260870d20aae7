"""The results page in a real browser: its numbers are those of `lablr.annotation`."""

from __future__ import annotations

import math
from operator import attrgetter

import pytest
from browsing import SCANNED, Look, Visit
from judging_pages import sign_in

from lablr.annotation.curves import AtThreshold
from lablr.annotation.results import Results, TagRow

EFFECT = ("accepted", "rejected", "precision", "recall")


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
    expected = shown(results.curves.at(threshold))
    for name, text in zip(EFFECT, expected, strict=True):
        visit.expect(visit.page.locator(f"#{name}")).to_have_text(text)


def test_the_slider_shows_what_a_threshold_accepts(opened, judged):
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

    # the mark on the curves goes with it
    for threshold in (0.3, 0.7):
        page.fill("#threshold", str(threshold))
        effect = results.curves.at(threshold)
        expected = {
            "roc": [effect.false_positive_rate, effect.recall],
            "precision_recall": [effect.recall, effect.precision],
        }
        for name, point in expected.items():
            # drawn before the browser turns to anything else
            mark = page.evaluate(
                "name => document.getElementById(name).data.at(-1)", name
            )
            assert [*mark["x"], *mark["y"]] == pytest.approx(point)

    # a recommended threshold is taken over whole
    for row, rule in enumerate((0.9, None)):
        cells = page.locator(".recommended tbody tr").nth(row).locator("td")
        threshold = results.threshold(rule)
        effect = shown(results.curves.at(threshold))
        assert cells.all_text_contents()[1:] == [effect[0], *effect[2:]]
        cells.locator("button").click()
        expect_effect(visit, results, threshold)
    page.fill("#target", "0.8")
    page.keyboard.press("Enter")
    button = page.locator(".recommended [data-threshold] >> nth=0")
    expect(button).to_have_text(f"{results.threshold(0.8):.3f}")


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


def test_without_javascript_or_the_figures_the_field_still_works(visit, judged):
    server, results = judged
    plain = visit(url=server.url, path="/results", java_script_enabled=False)
    sign_in(plain, "ann", "#results")
    plain.page.fill("#threshold", "0.75")
    plain.page.get_by_role("button", name="Show").click()
    expect_effect(plain, results, 0.75)

    cut = visit(url=server.url, path="/results", complaints=("ERR_FAILED",))
    cut.page.route("**/results/figures", lambda route: route.abort())
    sign_in(cut, "ann", ".charts-missing")
    cut.expect(cut.page.locator("#threshold-range")).to_be_disabled()
    cut.page.fill("#threshold", "0.75")
    cut.page.keyboard.press("Enter")
    cut.page.wait_for_url("**threshold=0.75*")
    expect_effect(cut, results, 0.75)


def test_the_page_fits_and_axe_finds_nothing(opened):
    visit = opened(**SCANNED)
    look = Look(visit, "results")
    look.at("first")
    visit.page.fill("#threshold", "1")
    visit.expect(visit.page.locator("#precision")).to_have_text("–")
    visit.page.click("#tags button >> nth=0")
    look.at("nothing accepted, sorted")
    look.end()
