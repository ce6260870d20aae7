"""Every state of the page: samples, offline, unreachable, busy, token, no charts."""

from __future__ import annotations

import re

from browsing import TOKEN, upload

STATES = ".thumbnail .state"


def test_a_sample_is_tried_with_one_click(visit):
    visit = visit(charts=False)
    page, expect = visit.page, visit.expect
    names = page.locator("[data-sample]").evaluate_all(
        "all => all.map((button) => button.dataset.name)"
    )
    assert names == ["china.jpg", "flower.jpg"]
    authors = visit.texts("#samples li a:first-child")
    assert authors == ["danielbuechele", "vultilion"]
    page.click("[data-sample$='flower.jpg']")
    expect(page.locator("#preview-name")).to_have_text("flower.jpg")
    expect(page.locator("#rows tr")).to_have_count(10)
    expect(page.locator("#credit")).to_contain_text(authors[1])
    expect(page.locator("#credit")).to_contain_text("CC BY 2.0")
    expect(page.locator("#samples")).to_be_hidden()


def test_offline_photos_wait_and_go_on_by_themselves(visit, photos):
    # Plotly, still on its way, is fetched again later
    visit = visit(charts=False, complaints=("ERR_INTERNET_DISCONNECTED",))
    page, expect = visit.page, visit.expect
    page.context.set_offline(True)
    expect(page.locator("#hold-message")).to_contain_text("You are offline")
    visit.take(*[upload(photos["flower"], f"{number}.jpg") for number in range(2)])
    expect(page.locator("#working-text")).to_have_text("Waiting…")
    expect(page.locator(STATES)).to_have_text(["offline"] * 2)
    page.context.set_offline(False)
    visit.wait_for_photos(2)
    expect(page.locator("#hold")).to_be_hidden()


def test_a_server_that_cannot_be_reached_is_tried_again(visit, china_jpg):
    visit = visit(charts=False, complaints=("ERR_CONNECTION_REFUSED",))
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
    expect(page.locator("#rows tr")).to_have_count(10)
    expect(page.locator("#hold")).to_be_hidden()


def refuse_photos(visit, status: int, retry_after_s: int) -> list[str]:
    """Have every photo refused for a while; returns who asked so far."""
    asked = []
    headers = {"Content-Type": "application/json", "Retry-After": str(retry_after_s)}
    body = '{"error": {"code": "busy", "message": "The server is busy."}}'

    def refuse(route):
        asked.append(route.request.url)
        route.fulfill(status=status, headers=headers, body=body)

    visit.page.route("**/api/v1/suggestions*", refuse)
    return asked


def test_every_waiting_photo_says_how_long(visit, photos):
    visit = visit(charts=False, complaints=("503", "429"))
    page, expect = visit.page, visit.expect
    visit.take(upload(photos["china"], "done.jpg"))
    expect(page.locator("#rows tr")).to_have_count(10)
    page.clock.install()  # it stands still until the test moves it
    page.clock.pause_at(page.evaluate("Date.now() / 1000 + 1"))
    asked = refuse_photos(visit, 503, retry_after_s=57)
    visit.take(*[upload(photos["flower"], f"{number}.jpg") for number in range(4)])
    expect(page.locator("#hold-message")).to_have_text("The server is busy.")
    expect(page.locator("#hold-clock")).to_have_text("Trying again in 57\u00a0s.")
    expect(page.locator(STATES)).to_have_text(
        [re.compile("tags$"), *["waiting, 57\u00a0s"] * 4]
    )
    visit.no_sideways_scroll()
    # what is read aloud does not change every second
    names = page.locator(".thumbnail").evaluate_all("all => all.map(e => e.ariaLabel)")
    assert names[1:] == [f"{number}.jpg, waiting" for number in range(4)]
    n_asked = len(asked)
    assert n_asked <= 2  # as many as are sent at a time; the others keep still
    page.clock.run_for(10_000)
    assert visit.texts(STATES)[1:] == ["waiting, 47\u00a0s"] * 4
    assert len(asked) == n_asked  # nobody asks before the time
    page.unroute_all()
    refuse_photos(visit, 429, retry_after_s=5)
    page.clock.run_for(47_500)  # by itself
    message = page.locator("#hold-message")
    expect(message).to_contain_text("so many photos a minute")
    page.click("#hold-stop")
    assert visit.texts(STATES)[1:] == ["stopped"] * 4
    page.unroute_all()
    page.click("#hold-go")
    page.clock.resume()
    visit.wait_for_photos(5)
    assert all(
        text.endswith(("tag", "tags", "not sure")) for text in visit.texts(STATES)
    )


def test_a_token_is_asked_for_and_kept(visit, guarded, china_jpg):
    visit = visit(url=guarded.server.url, charts=False, complaints=("401",))
    page, expect = visit.page, visit.expect
    visit.take(china_jpg)
    message = page.locator("#hold-message")
    expect(message).to_have_text("This server asks for a token.")
    page.fill("#token", "wrong")
    page.keyboard.press("Enter")
    expect(message).to_have_text("The server did not take that token.")
    page.fill("#token", TOKEN)
    page.keyboard.press("Enter")
    expect(page.locator("#rows tr")).to_have_count(10)
    expect(page.locator("#hold")).to_be_hidden()
    page.reload()
    visit.take(china_jpg)
    expect(page.locator("#rows tr")).to_have_count(10)
    assert TOKEN not in page.url


def test_every_form_takes_a_token_without_javascript(visit, guarded, china_jpg):
    visit = visit(
        url=guarded.server.url, complaints=("401",), java_script_enabled=False
    )
    page, expect = visit.page, visit.expect
    shown = {"": "#rows tr", "compare": ".methods article", "search": "#found figure"}
    for path, answer in shown.items():
        page.goto(f"{guarded.server.url}/{path}")
        form = page.locator("form:has(#photo)")
        visit.take(china_jpg)
        form.locator("button:visible").click()
        expect(page.locator("#error")).to_be_visible()
        visit.take(china_jpg)
        page.fill("#form-token", TOKEN)
        form.locator("button:visible").click()
        expect(page.locator(answer).first).to_be_visible()
