"""Each state of the page fits its window, and axe-core finds nothing grave in it."""

from __future__ import annotations

from browsing import SCANNED, TOKEN, Look, fits, grave_findings, hold_answers, let_go

BROKEN_NUMBERS = """
() => {
  const lines = (cell) => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    return new Set([...range.getClientRects()].map((box) => box.top)).size;
  };
  const numbers = "#numbers :is(td:not(:last-child), .short)";
  const cells = document.querySelectorAll(numbers);
  return [...cells].filter((cell) => lines(cell) > 1).map((cell) => cell.innerText);
}"""


def test_every_state_of_a_photo(visit, photos):
    visit = visit(**SCANNED)
    page, expect = visit.page, visit.expect
    look = Look(visit, "photo")
    expect(page.locator("#samples img").first).to_be_visible()
    look.at("empty")
    held = hold_answers(visit)
    visit.take(photos["china"])
    expect(page.locator("#working")).to_be_visible()
    look.at("working")
    let_go(visit, held)
    visit.wait_for_charts()
    page.click("#own summary")
    page.fill("#existing", "building, surfing, Aunt Mary")
    expect(page.locator("#unlikely li").first).to_be_visible()
    page.click("#saving summary")
    page.locator("#rows tr").nth(1).focus()
    look.at("own tags, menu, a tag marked")
    page.fill("#threshold-number", "100")
    expect(page.locator("#unsure")).to_be_visible()
    page.click("#tab-photos")
    expect(page.locator("#dots .scatterlayer .trace")).to_have_count(4)
    look.at("not sure, training photos")
    look.end()


def test_many_photos_and_what_goes_wrong(visit, guarded, photos):
    visit = visit(
        url=guarded.server.url,
        complaints=("401", "415", "ERR_INTERNET_DISCONNECTED", "ERR_FAILED"),
        script="delete Element.prototype.requestFullscreen;",
        **SCANNED,
    )
    page, expect = visit.page, visit.expect
    look = Look(visit, "many")
    page.route("**/assets/plotly*", lambda route: route.abort())
    page.reload()
    visit.take(photos["china"])
    expect(page.locator("#hold-token")).to_be_visible()
    look.at("token")
    page.fill("#token", TOKEN)
    page.keyboard.press("Enter")
    expect(page.locator("#rows tr")).to_have_count(10)
    for card in ("#result", "#maps"):
        expect(page.locator(f"{card} .charts-missing")).to_be_visible()
    look.at("no charts")
    visit.take(photos["broken"], photos["flower"])
    visit.wait_for_photos(3)
    expect(page.locator("#error")).to_be_visible()
    page.context.set_offline(True)
    expect(page.locator("#hold")).to_be_visible()
    look.at("an error among many, offline")
    page.context.set_offline(False)
    page.locator("[role=option]").nth(0).click()
    page.unroute_all()
    page.locator("#result .charts-again").click()
    visit.wait_for_charts()
    expect(page.locator(".charts-missing").first).to_be_hidden()
    page.click("#map-full")
    assert grave_findings(visit) == []
    page.goto(guarded.server.url + "/about")
    look.at("about")
    look.end()


def test_no_number_is_broken_on_a_phone(visit, flower_jpg):
    visit = visit(charts=False, path="/?k=0", **fits(390, "light"))  # the longest tags
    page, expect = visit.page, visit.expect
    visit.take(flower_jpg)
    expect(page.locator("#rows tr")).to_have_count(98)
    assert page.evaluate(BROKEN_NUMBERS) == []
    table = page.locator("#numbers .scroll")
    assert table.evaluate("scroll => scroll.scrollWidth <= scroll.clientWidth")


def test_without_javascript(visit, photos):
    """The page's scripts do not come; axe-core, a script too, does."""
    visit = visit(complaints=("415", "ERR_FAILED"), **SCANNED)
    page, expect = visit.page, visit.expect
    look = Look(visit, "plain")
    page.route("**/static/js/**", lambda route: route.abort())
    page.reload()
    shown = {"broken": "#error-message", "china": "#rows tr"}
    for name, answer in shown.items():
        visit.take(photos[name])
        page.click("button[type=submit]")
        expect(page.locator(answer).first).to_be_visible()
        look.at(name)
    look.end()
