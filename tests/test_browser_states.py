"""Every state of the page: samples, offline, unreachable, busy, token, no charts."""

from __future__ import annotations

import re

import pytest
from browsing import ONE_AT_A_TIME, TOKEN, fits, kept_busy, upload
from serving import MULTIPART, SUGGESTIONS, form_of, running_server


@pytest.mark.parametrize("name", ["china", "flower"])
def test_a_sample_is_tried_with_one_click(visit, name):
    visit = visit()
    page, expect = visit.page, visit.expect
    authors = visit.texts("#samples li a:first-child")
    assert authors == ["danielbuechele", "vultilion"]
    page.click(f"[data-sample$='{name}.jpg']")
    visit.wait_for_charts()
    expect(page.locator("#preview-name")).to_have_text(f"{name}.jpg")
    expect(page.locator("#credit")).to_contain_text(authors[name == "flower"])
    expect(page.locator("#credit")).to_contain_text("CC BY 2.0")
    expect(page.locator("#samples")).to_be_hidden()


@pytest.mark.parametrize("width", [390, 1280])
def test_offline_photos_wait_and_go_on_by_themselves(visit, china_jpg, width):
    # Plotly, still on its way, is fetched again later
    visit = visit(complaints=("ERR_INTERNET_DISCONNECTED",), **fits(width, "light"))
    page, expect = visit.page, visit.expect
    page.context.set_offline(True)
    expect(page.locator("#hold-message")).to_contain_text("You are offline")
    visit.take(china_jpg)
    expect(page.locator("#working-text")).to_have_text("Waiting…")
    visit.screenshot(f"offline-{width}-light")
    page.context.set_offline(False)
    visit.wait_for_charts()
    expect(page.locator("#hold")).to_be_hidden()


def test_a_server_that_cannot_be_reached_is_tried_again(visit, china_jpg):
    visit = visit(complaints=("ERR_CONNECTION_REFUSED",))
    page, expect = visit.page, visit.expect
    page.route("**/api/**", lambda route: route.abort("connectionrefused"))
    visit.take(china_jpg)
    expect(page.locator("#hold-message")).to_have_text("The server cannot be reached.")
    expect(page.locator("#hold-clock")).to_contain_text("Trying again in")
    page.click("#hold-stop")
    expect(page.locator("#hold-clock")).to_have_text("")
    expect(page.locator("#hold-go")).to_be_focused()
    expect(page.locator("#hold-go")).to_have_text("Try again")
    page.unroute_all()
    page.keyboard.press("Enter")
    visit.wait_for_charts()
    expect(page.locator("#hold")).to_be_hidden()


def test_a_busy_server_is_tried_again_by_itself(visit, photos, tmp_path):
    with running_server(tmp_path, **ONE_AT_A_TIME) as server:
        visit = visit(url=server.url, complaints=("503",))
        page, expect = visit.page, visit.expect
        with kept_busy(server, photos["china"].read_bytes()):
            # a photo may slip in between two of theirs, all of them cannot
            visit.take(*[upload(photos["flower"], f"{i}.jpg") for i in range(6)])
            expect(page.locator("#hold-message")).to_have_text("The server is busy.")
            expect(page.locator("#hold-clock")).to_contain_text("Trying again in")
            visit.screenshot("busy-1280-light")
        for _ in range(6):  # two at a time are one too many for this server
            if page.locator("#hold-go").is_visible():
                page.locator("#hold-go").click(timeout=2000, no_wait_after=True)
            page.wait_for_timeout(500)
        visit.wait_for_photos(6)
        expect(page.locator("#hold")).to_be_hidden()


def answer_busy(visit, retry_after_s: int) -> list[str]:
    """Have every photo refused as a busy server does it; returns who asked so far."""
    asked = []
    body = '{"error": {"code": "busy", "message": "The server is busy."}}'

    def refuse(route):
        asked.append(route.request.url)
        headers = {
            "Content-Type": "application/json",
            "Retry-After": str(retry_after_s),
        }
        route.fulfill(status=503, headers=headers, body=body)

    visit.page.route("**/api/v1/suggestions*", refuse)
    return asked


STATES = ".thumbnail .state"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_waiting_photo_says_how_long(visit, photos, width, scheme):
    visit = visit(complaints=("503",), **fits(width, scheme))
    page, expect = visit.page, visit.expect
    visit.take(upload(photos["china"], "done.jpg"))
    visit.wait_for_charts()
    page.clock.install()  # it stands still until the test moves it
    page.clock.pause_at(page.evaluate("Date.now() / 1000 + 1"))
    asked = answer_busy(visit, retry_after_s=57)
    visit.take(*[upload(photos["flower"], f"{number}.jpg") for number in range(4)])
    expect(page.locator("#hold-clock")).to_have_text("Trying again in 57\u00a0s.")
    expect(page.locator(STATES)).to_have_text(
        [re.compile("tags$"), *["waiting, 57\u00a0s"] * 4]
    )
    visit.screenshot(f"waiting-{width}-{scheme}")
    visit.no_sideways_scroll()
    # what is read aloud does not change every second
    names = [
        item.get_attribute("aria-label") for item in page.locator(".thumbnail").all()
    ]
    assert names[1:] == [f"{number}.jpg, waiting" for number in range(4)]
    n_asked = len(asked)
    assert n_asked <= 2  # as many as are sent at a time; the others keep still
    page.clock.run_for(10_000)
    assert visit.texts(STATES)[1:] == ["waiting, 47\u00a0s"] * 4
    assert len(asked) == n_asked  # nobody asks before the time
    page.click("#hold-stop")
    assert visit.texts(STATES)[1:] == ["stopped"] * 4
    page.unroute_all()
    page.click("#hold-go")
    page.clock.resume()
    visit.wait_for_photos(5)
    assert all(
        text.endswith(("tag", "tags", "not sure")) for text in visit.texts(STATES)
    )


def test_a_photo_says_why_it_waits_without_a_clock(visit, photos):
    visit = visit(complaints=("ERR_INTERNET_DISCONNECTED",))
    page, expect = visit.page, visit.expect
    page.context.set_offline(True)
    expect(page.locator("#hold")).to_be_visible()
    visit.take(*[upload(photos["flower"], f"{number}.jpg") for number in range(2)])
    expect(page.locator(STATES)).to_have_text(["offline"] * 2)
    page.context.set_offline(False)
    visit.wait_for_photos(2)


def test_a_token_is_asked_for_and_kept(visit, guarded_server, china_jpg):
    visit = visit(url=guarded_server.url, complaints=("401",))
    page, expect = visit.page, visit.expect
    visit.take(china_jpg)
    expect(page.locator("#hold-message")).to_have_text("This server asks for a token.")
    visit.screenshot("token-1280-light")
    page.fill("#token", "wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#hold-message")).to_have_text(
        "The server did not take that token."
    )
    page.fill("#token", TOKEN)
    page.keyboard.press("Enter")
    visit.wait_for_charts()
    expect(page.locator("#hold")).to_be_hidden()
    assert TOKEN not in page.url


def test_the_token_without_javascript(visit, guarded_server, china_jpg):
    visit = visit(url=guarded_server.url, java_script_enabled=False)
    page, expect = visit.page, visit.expect
    visit.take(china_jpg)
    page.fill("#form-token", TOKEN)
    page.click("button[type=submit]")
    expect(page.locator("#rows tr")).to_have_count(10)


def test_too_many_photos_a_minute_wait_their_time(visit, guarded_server, photos):
    visit = visit(
        url=guarded_server.url,
        complaints=("429",),
        script=f"sessionStorage.setItem('lablr-token', '{TOKEN}');",
    )
    page, expect = visit.page, visit.expect
    key = {"Content-Type": MULTIPART, "Authorization": f"Bearer {TOKEN}"}
    photo = "POST", SUGGESTIONS, form_of(photos["flower"].read_bytes()), key
    while guarded_server.request(*photo)[0] != 429:
        pass  # somebody at this address sends all that it may
    names = ["1.jpg", "2.jpg"]  # ten seconds each, and not the whole minute
    visit.take(*[upload(photos["china"], name) for name in names])
    expect(page.locator("#hold-message")).to_contain_text("so many photos a minute")
    expect(page.locator("#hold-clock")).to_contain_text("Trying again in")
    visit.wait_for_photos(len(names))  # by itself
    expect(page.locator("#hold")).to_be_hidden()


def test_charts_that_cannot_load_leave_the_numbers(visit, china_jpg):
    visit = visit(complaints=("ERR_FAILED",), script="")
    page, expect = visit.page, visit.expect
    page.route("**/assets/plotly*", lambda route: route.abort())
    page.reload()
    visit.take(china_jpg)
    expect(page.locator("#result .charts-missing")).to_be_visible()
    expect(page.locator("#maps .charts-missing")).to_be_visible()
    expect(page.locator("#rows tr")).to_have_count(10)
    visit.screenshot("no-charts-1280-light")
    page.unroute_all()
    page.locator("#result .charts-again").click()
    visit.wait_for_charts()
    expect(page.locator(".charts-missing").first).to_be_hidden()
