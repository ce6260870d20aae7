"""Re-ranking by the latent of an earlier answer: the photo is sent once."""

from __future__ import annotations

import json

import numpy as np
import pytest
from model_makers import N_LATENT
from serving import MULTIPART, form_of
from small_app import small_app

from lablr.ranking.tagger import RANKINGS
from webapp.state import state_of

URL = "/api/v1/rankings"


@pytest.fixture(scope="module")
def latent(app, china_jpg) -> list[float]:
    """The latent of a photo, as the API gives it."""
    response = app.test_client().post(
        "/api/v1/suggestions?latent=1",
        data=form_of(china_jpg.read_bytes()),
        content_type=MULTIPART,
    )
    return response.json["latent"]


def rank(client, body: object, **query):
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(
        URL, query_string=query, data=payload, content_type="application/json"
    )


def assert_bad_latent(response, status: int = 400) -> None:
    assert response.status_code == status, response.text
    assert response.json["error"]["code"] == "bad_latent"
    assert response.json["error"]["message"].startswith("latent must be ")


def test_the_latent_is_the_librarys(app, latent, china_jpg):
    tagger = state_of(app).model.tagger
    assert latent == tagger.suggest(china_jpg).latent.tolist()


def test_no_latent_comes_unless_asked_for(client, china_jpg):
    form = form_of(china_jpg.read_bytes())
    for query in ("", "?latent=0"):
        url = f"/api/v1/suggestions{query}"
        answer = client.post(url, data=form, content_type=MULTIPART).json
        assert "latent" not in answer


@pytest.mark.parametrize("ranking", RANKINGS)
def test_a_latent_gets_what_its_photo_gets(client, latent, china_jpg, ranking):
    query = {"k": 5, "ranking": ranking, "threshold": 0.5, "map": 1, "figures": "wide"}
    with_photo = client.post(
        "/api/v1/suggestions",
        query_string=query,
        data=form_of(china_jpg.read_bytes()),
        content_type=MULTIPART,
    )
    with_latent = rank(client, {"latent": latent}, **query)
    assert with_latent.status_code == 200
    assert with_latent.json == with_photo.json
    assert set(with_latent.json) >= {"tags", "sure", "map", "figures"}


def test_a_whole_answer_may_be_sent_back(client, latent):
    answer = rank(client, {"latent": latent}, latent=1).json
    assert rank(client, answer, latent=1).json == answer


@pytest.mark.parametrize("number", [1e6, -1e6, 5e-324, 0])
def test_extreme_numbers_give_finite_answers(client, latent, number):
    extreme = [number] * len(latent)
    response = rank(client, {"latent": extreme}, k=0, map=1, figures="narrow")
    assert response.status_code == 200

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    answer = json.loads(response.data, parse_constant=refuse)
    for tag in answer["tags"]:
        assert 0 <= tag["probability"] <= 1
        assert np.isfinite(tag["squared_mahalanobis"])


@pytest.mark.parametrize(
    "number",
    ["1", None, True, [1], "NaN", 1.000001e6, -1e300, float("nan"), float("inf")],
)
def test_a_coordinate_that_is_no_number_is_refused(client, latent, number):
    assert_bad_latent(rank(client, {"latent": [*latent[:-1], number]}))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe\xff",
        b"[" * 60_000,
        b'{"latent": ' + b"9" * 6000 + b"}",
        b'{"latent": [' + b"9" * 6000 + b"]}",
        [],
        {},
        None,
        {"latent": None},
        {"latent": {}},
        {"latent": "0" * 128},
        {"latent": []},
        {"latent": [0.0]},
        {"latent": [0.0] * 1000},
        {"latents": [[0.0] * 128]},
    ],
    ids=lambda body: str(body)[:24],
)
def test_a_body_that_is_no_latent_is_refused(client, body):
    assert_bad_latent(rank(client, body))


def test_a_huge_whole_number_is_refused(client, latent):
    body = json.dumps({"latent": latent}).replace(str(latent[0]), "1" + "0" * 400, 1)
    assert_bad_latent(rank(client, body.encode()))


def test_a_body_over_its_limit_is_refused(client, latent):
    padded = json.dumps({"latent": latent, "more": "x" * (64 << 10)}).encode()
    assert_bad_latent(rank(client, padded), status=413)
    fits = json.dumps({"latent": latent, "more": "x" * (32 << 10)}).encode()
    assert rank(client, fits).status_code == 200


def test_the_parameters_are_held_here_too(client, latent):
    refused = rank(client, {"latent": latent}, ranking="loudest")
    assert refused.status_code == 400
    assert refused.json["error"]["code"] == "bad_parameter"


def test_ranking_does_not_wait_for_photos():
    app, latent = small_app(MAX_RUNNING=1, MAX_WAITING=0), [0.0] * N_LATENT
    with state_of(app).admission.admit():
        assert rank(app.test_client(), {"latent": latent}).status_code == 200
