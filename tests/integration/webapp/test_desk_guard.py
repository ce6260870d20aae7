"""Who may use the desk, and what of others is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from desk_makers import Client, desk_app, folder, small_model, state

from webapp.state import state_of

__all__ = ["folder", "small_model", "state"]

A = "tag00000"


@pytest.fixture
def app(folder: Path, small_model: str, state: Path):
    return desk_app(folder, small_model)


@pytest.fixture
def desk(app) -> Client:
    return Client(app.test_client())


def test_other_sites_are_refused(desk):
    (number,) = desk.ids("china.jpg")
    step = {"photos": [number], "accept": [A]}
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Origin": "https://example.org"},
        {"Origin": "null"},
        {"Origin": "http://localhost:8001"},
    ):
        for path in ("steps", "undo", "write", "write/undo"):
            answer = desk.post(path, step, 403, **headers)
            assert answer["error"]["code"] == "other_site"
    answer = desk.client.get(
        f"/desk/photos/{number}/image", headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    assert desk.photos()["china.jpg"]["accepted"] == []
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}):
        desk.post("steps", step, 200, **headers)


def test_a_form_of_another_site_cannot_pass_for_json(desk):
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = desk.client.post("/desk/undo", data="{}", content_type=kind)
        assert (answer.status_code, answer.json["error"]["code"]) == (415, "not_json")
    for body in ("[]", "nothing", "[" * 10_000):
        answer = desk.client.post(
            "/desk/undo", data=body, content_type="application/json"
        )
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_json")


def test_a_name_that_was_made_to_point_here_is_refused(app, desk):
    for host in ("example.org", "127.0.0.1.example.org", "10.0.0.1", "[::2]"):
        answer = app.test_client().get("/desk/photos", headers={"Host": host})
        assert (answer.status_code, answer.json["error"]["code"]) == (403, "not_here")
    for host in ("127.0.0.1:8000", "localhost", "[::1]:80"):
        answer = app.test_client().get("/desk/photos", headers={"Host": host})
        assert answer.status_code == 200


def test_others_need_the_token(app, folder, small_model):
    elsewhere = {"REMOTE_ADDR": "192.0.2.1"}
    assert app.test_client().get("/desk", environ_base=elsewhere).status_code == 403
    # a server that others can reach is not open to who sits here, either
    replace(state_of(app), listens_on="0.0.0.0").store(app)  # noqa: S104
    assert app.test_client().get("/desk/photos").status_code == 403
    app = desk_app(folder, small_model, API_TOKEN="open sesame")
    client = app.test_client()
    assert client.get("/desk", environ_base=elsewhere).status_code == 200
    for environ in ({}, elsewhere):
        assert client.get("/desk/photos", environ_base=environ).status_code == 401
        answer = client.post("/desk/steps", json={}, environ_base=environ)
        assert answer.status_code == 401
        token = {"Authorization": "Bearer open sesame"}
        answer = client.get("/desk/photos", headers=token, environ_base=environ)
        assert answer.status_code == 200


def test_behind_a_proxy_only_the_token_opens(folder, small_model, state):
    app = desk_app(folder, small_model, TRUSTED_PROXY="127.0.0.1")
    assert app.test_client().get("/desk/photos").status_code == 403


def test_bodies_are_bounded(desk):
    for path, n_bytes in (("steps", 1 << 20), ("undo", 1 << 20), ("write", 1 << 20)):
        answer = desk.client.post(
            f"/desk/{path}",
            data=b" " * (n_bytes + 1),
            content_type="application/json",
        )
        assert answer.status_code == 413, path


def test_the_public_api_does_not_tell_of_the_desk(desk):
    assert "desk" not in desk.client.get("/api/v1/openapi.json").text
