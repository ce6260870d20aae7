"""Who may use the model, and how often."""

from __future__ import annotations

import io

import pytest
from model_makers import N_LATENT
from photo_makers import jpeg
from serving import MULTIPART, form_of
from small_app import small_app
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response

from lablr.system.rate_limit import RateLimit
from webapp.http.access import client_of
from webapp.state import state_of
from webapp.state.settings import SettingError, Settings

TOKEN = 'a fjord=27, "_a.~+/=='  # noqa: S105  # every kind of sign it may have
LATENT = {"latent": [0.0] * N_LATENT}


def photo_form() -> dict:
    return {"data": form_of(jpeg()), "content_type": MULTIPART}


def calls() -> list[tuple[str, str, dict]]:
    """Every use of the model: method, address, what goes with it."""
    return [
        ("POST", "/api/v1/suggestions", photo_form()),
        ("POST", "/api/v1/suggestions/batch", photo_form()),
        ("POST", "/api/v1/explanations?tag=tag00000", photo_form()),
        ("POST", "/api/v1/rankings", {"json": LATENT}),
        ("GET", "/api/v1/tags", {}),
        ("GET", "/metrics", {}),
        ("POST", "/", photo_form()),
    ]


class Unread:
    """A body that must not be read."""

    def read(self, *_):
        raise AssertionError("the body was read")

    readline = readinto = read


def send_unread(app, url: str, **headers: str):
    """Send a form whose body fails the test when it is read."""
    builder = EnvironBuilder(url, method="POST", headers=headers)
    environ = builder.get_environ()
    environ |= {"wsgi.input": Unread(), "CONTENT_TYPE": MULTIPART}
    environ["REMOTE_ADDR"] = "127.0.0.1"  # as the test client has it
    environ["CONTENT_LENGTH"] = str(5 << 20)
    return Response.from_app(app, environ)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# --- Token ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def closed():
    """The application that asks for a token."""
    return small_app(API_TOKEN=TOKEN).test_client()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer(""),
        bearer(TOKEN[:-1]),
        bearer(TOKEN + "x"),
        bearer("\xe9\xff"),
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer a=b, c"},
        {"X-Api-Key": TOKEN},
    ],
    ids=str,
)
def test_without_the_token_nothing_is_told(closed, headers):
    for method, url, sent in calls():
        response = closed.open(url, method=method, headers=headers, **sent)
        assert response.status_code == 401, url
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert response.headers["X-Request-Id"]
        if url != "/":
            assert response.json["error"]["code"] == "unauthorized"
        assert TOKEN not in response.text


def test_with_the_token_everything_is_answered(closed):
    for scheme in ("Bearer", "bearer"):
        headers = {"Authorization": f"{scheme} {TOKEN}"}
        for method, url, sent in calls():
            response = closed.open(url, method=method, headers=headers, **sent)
            assert response.status_code == 200, url


def test_without_the_token_no_body_is_read(closed):
    for method, url, _ in calls():
        if method == "POST" and url != "/":  # the page's form may hold it
            assert send_unread(closed.application, url).status_code == 401


def test_a_token_in_the_address_is_none(closed):
    response = closed.get("/api/v1/tags", query_string={"token": TOKEN})
    assert response.status_code == 401


def test_what_does_not_use_the_model_stays_open(closed):
    for url in ("/", "/about", "/livez", "/readyz", "/static/css/base.css"):
        assert closed.get(url, buffered=True).status_code == 200, url
    assert closed.get("/api/v1/nothing").status_code == 404


def test_the_form_brings_the_token_as_a_field(closed):
    def send(*tokens: str):
        photo = (io.BytesIO(jpeg()), "a.jpg")
        return closed.post("/", data={"photo": photo, "token": list(tokens)})

    assert send(TOKEN).status_code == 200
    for refused in (send(), send("wrong"), send("\u5199\u771f")):
        assert refused.status_code == 401
        assert "asks for a token" in refused.text
        assert 'id="photo"' in refused.text  # the form stays


def test_only_the_page_takes_the_field(closed):
    data = {"photo": (io.BytesIO(jpeg()), "a.jpg"), "token": TOKEN}
    assert closed.post("/api/v1/suggestions", data=data).status_code == 401


def test_templates_know_whether_a_token_is_needed(closed):
    for one, needed in ((small_app(), False), (closed.application, True)):
        with one.test_request_context("/"):
            template = one.jinja_env.from_string("{{ token_needed }}")
            context: dict = {}
            one.update_template_context(context)
            assert template.render(context) == str(needed)


def test_no_message_shows_the_token(monkeypatch):
    for value in (" fjord", "fjord ", "fjörd", "fj\nord"):
        with pytest.raises(SettingError, match="LABLR_API_TOKEN must be") as raised:
            Settings.read({"API_TOKEN": value})
        assert "rd" not in str(raised.value)
    assert TOKEN not in repr(Settings.read({"API_TOKEN": TOKEN}))
    monkeypatch.setenv("LABLR_API_TOKEN", TOKEN)
    assert Settings.read({}).api_token == TOKEN


# --- Rate -----------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_share_is_used_up_and_comes_back():
    clock = Clock()
    limit = RateLimit(6, clock=clock)
    assert [limit.charge("a", 1) for _ in range(6)] == [0] * 6
    assert limit.charge("a", 1) == pytest.approx(10)  # one photo every ten seconds
    clock.now += 4
    assert limit.charge("a", 1) == pytest.approx(6)  # a refusal costs nothing
    clock.now += 6
    assert limit.charge("a", 1) == 0
    assert limit.charge("a", 1) > 0
    clock.now += 3600
    assert [limit.charge("a", 1) for _ in range(7)] == [0] * 6 + [pytest.approx(10)]


def test_clients_do_not_share():
    limit = RateLimit(1, clock=Clock())
    assert limit.charge("a", 1) == 0
    assert limit.charge("b", 1) == 0
    assert limit.charge("a", 1) > 0


def test_what_is_owed_is_waited_for():
    clock = Clock()
    limit = RateLimit(6, clock=clock)
    assert limit.charge("a", 1) == 0
    limit.owe("a", 31)
    assert limit.charge("a", 1) == pytest.approx(270)  # 27 photos, ten seconds each
    clock.now += 270
    assert limit.charge("a", 1) == 0


def test_a_cost_over_the_share_can_still_be_paid():
    limit = RateLimit(1, clock=Clock())
    assert limit.charge("a", 5) == 0
    assert limit.charge("a", 1) == pytest.approx(300)


def test_ten_rankings_cost_one_photo():
    limit = RateLimit(1, clock=Clock())
    assert [limit.charge("a", 0.1) for _ in range(10)] == [0] * 10
    assert limit.charge("a", 0.1) == pytest.approx(6)


def test_memory_is_bounded_and_the_recent_are_remembered():
    limit = RateLimit(1, max_clients=100, clock=Clock())
    for number in range(1000):
        limit.charge("busy", 1)
        limit.charge(str(number), 1)
    assert len(limit) == 100
    assert limit.charge("busy", 1) > 0
    assert limit.charge("999", 1) > 0
    assert limit.charge("0", 1) == 0  # forgotten


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "20010db800010002::/64"),
        ("2001:db8:1:2:ffff::", "20010db800010002::/64"),
        ("2001:db8:1:3::4", "20010db800010003::/64"),
        ("fe80::1%eth0", "fe80000000000000::/64"),
        ("", "unknown"),
        (None, "unknown"),
        ("localhost", "unknown"),
    ],
)
def test_a_client_is_an_address_or_a_site(address, client):
    assert client_of(address) == client


@pytest.fixture
def limited():
    """The application that takes three photos a minute."""
    return small_app(RATE_LIMIT=3).test_client()


def assert_limited(response) -> None:
    assert response.status_code == 429
    assert 0 < int(response.headers["Retry-After"]) <= 60 * 40
    assert "too many photos" in response.get_data(as_text=True)
    if response.is_json:
        assert response.json["error"]["code"] == "too_many_requests"


def test_beyond_its_share_a_client_is_refused_and_others_are_not(limited):
    for _ in range(2):
        assert limited.post("/", **photo_form()).status_code == 200
    assert limited.post("/api/v1/suggestions", **photo_form()).status_code == 200
    for method, url, sent in calls():
        response = limited.open(url, method=method, **sent)
        if method == "GET":
            assert response.status_code == 200
        else:
            assert_limited(response)
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    response = limited.post(
        "/api/v1/suggestions", environ_overrides=elsewhere, **photo_form()
    )
    assert response.status_code == 200


def test_a_batch_costs_its_photos_and_a_refusal_reads_nothing(limited):
    photos = [(io.BytesIO(jpeg()), f"{n}.jpg") for n in range(6)]
    batch = limited.post("/api/v1/suggestions/batch", data={"photo": photos})
    assert batch.status_code == 200

    refused = send_unread(limited.application, "/api/v1/suggestions/batch")
    assert_limited(refused)
    # six photos of three, and one more: four minutes' worth at three a minute
    assert int(refused.headers["Retry-After"]) in range(60, 81)


def test_no_limit_unless_set():
    assert state_of(small_app()).rate_limit is None
    with pytest.raises(SettingError, match="LABLR_RATE_LIMIT must be"):
        Settings.read({"RATE_LIMIT": "-1"})


# --- Room -----------------------------------------------------------------------------


def test_without_room_no_body_is_read():
    app = small_app(MAX_RUNNING=1, MAX_WAITING=0, API_TOKEN=TOKEN)
    with state_of(app).admission.admit():
        for url in ("/", "/api/v1/suggestions", "/api/v1/suggestions/batch"):
            refused = send_unread(app, url)
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) > 0
        assert send_unread(app, "/api/v1/rankings").status_code == 401
