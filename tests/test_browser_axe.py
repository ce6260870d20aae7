"""axe-core finds nothing serious in any state of the page, light or dark."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import (
    ONE_AT_A_TIME,
    TOKEN,
    fits,
    hold_answers,
    kept_busy,
    let_go,
    upload,
)
from serving import running_server


def grave_findings(visit) -> list[str]:
    """What axe-core calls serious or critical: the rule and where."""
    results = Axe().run(visit.page).response
    return [
        f"{finding['id']}: {node['target']} {node.get('failureSummary', '')}"
        for finding in results["violations"]
        if finding["impact"] in ("serious", "critical")
        for node in finding["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_state_of_the_page(visit, photos, scheme, width):
    # the scan is a script of its own: only here is the policy set aside
    visit = visit(
        complaints=("415", "ERR_INTERNET_DISCONNECTED"),
        bypass_csp=True,
        reduced_motion="reduce",  # colours are measured where nothing fades
        **fits(width, scheme),
    )
    page, expect = visit.page, visit.expect
    found = {"empty": grave_findings(visit)}

    held = hold_answers(visit)
    visit.take(photos["china"])
    expect(page.locator("#working")).to_be_visible()
    found["working"] = grave_findings(visit)
    let_go(visit, held)
    visit.wait_for_charts()
    page.locator("#chips input").nth(1).focus()
    found["one photo, a tag marked"] = grave_findings(visit)
    page.click("#saving summary")
    found["menu"] = grave_findings(visit)
    page.keyboard.press("Escape")
    page.fill("#threshold-number", "100")
    expect(page.locator("#unsure")).to_be_visible()
    page.click("#tab-photos")
    expect(page.locator("#dots .scatterlayer .trace")).to_have_count(4)
    found["not sure, training photos"] = grave_findings(visit)

    visit.take(photos["broken"], photos["flower"])
    visit.wait_for_photos(3)
    expect(page.locator("#error")).to_be_visible()
    found["an error among many"] = grave_findings(visit)
    page.context.set_offline(True)
    expect(page.locator("#hold")).to_be_visible()
    found["offline"] = grave_findings(visit)
    page.context.set_offline(False)
    assert {state: finding for state, finding in found.items() if finding} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_token_full_screen_and_about(visit, guarded_server, photos, scheme):
    visit = visit(
        url=guarded_server.url,
        bypass_csp=True,
        reduced_motion="reduce",
        script="delete Element.prototype.requestFullscreen;",
        complaints=("401",),
        **fits(1280, scheme),
    )
    page, expect = visit.page, visit.expect
    visit.take(photos["china"])
    expect(page.locator("#hold-token")).to_be_visible()
    found = {"token": grave_findings(visit)}
    page.fill("#token", TOKEN)
    page.keyboard.press("Enter")
    visit.wait_for_charts()
    page.click("#map-full")
    found["full screen"] = grave_findings(visit)
    page.goto(guarded_server.url + "/about")
    found["about"] = grave_findings(visit)
    assert {state: finding for state, finding in found.items() if finding} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_busy_server(visit, photos, tmp_path, scheme):
    with running_server(tmp_path, **ONE_AT_A_TIME) as server:
        visit = visit(
            url=server.url,
            bypass_csp=True,
            reduced_motion="reduce",
            complaints=("503",),
            **fits(390, scheme),
        )
        with kept_busy(server, photos["china"].read_bytes()):
            visit.take(*[upload(photos["flower"], f"{i}.jpg") for i in range(6)])
            visit.expect(visit.page.locator("#hold-clock")).to_be_visible()
            found = grave_findings(visit)
            visit.page.close()  # it would go on asking when the server has gone
        assert found == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_without_charts(visit, photos, scheme):
    visit = visit(
        bypass_csp=True,
        reduced_motion="reduce",
        complaints=("ERR_FAILED",),
        **fits(1280, scheme),
    )
    visit.page.route("**/assets/plotly*", lambda route: route.abort())
    visit.page.reload()
    visit.take(photos["china"])
    visit.expect(visit.page.locator("#result .charts-missing")).to_be_visible()
    assert grave_findings(visit) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["china", "broken"])
def test_without_javascript(visit, photos, scheme, name):
    """The page's scripts do not come; axe-core, a script too, does."""
    visit = visit(
        bypass_csp=True,
        complaints=("415", "ERR_FAILED"),
        **fits(390, scheme),
    )
    visit.page.route("**/static/js/**", lambda route: route.abort())
    visit.page.reload()
    visit.take(photos[name])
    visit.page.click("button[type=submit]")
    shown = "#rows tr" if name == "china" else "#error-message"
    visit.expect(visit.page.locator(shown).first).to_be_visible()
    assert grave_findings(visit) == []
