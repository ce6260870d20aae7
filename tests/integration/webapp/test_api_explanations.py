"""The API says why: what it answers, what it refuses, and what it counts as."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from photo_makers import jpeg
from serving import MULTIPART, form_of
from small_app import small_app

from lablr.ranking.explanation import explain
from webapp.api import explanations
from webapp.api.explanations import MAX_TAGS, SALIENCY_COST
from webapp.state import state_of
from webapp.state.admission import Admission

URL = "/api/v1/explanations"


def post(client, photo: bytes, **query):
    body = form_of(photo)
    return client.post(URL, query_string=query, data=body, content_type=MULTIPART)


def test_it_says_what_the_library_says(china_jpg):
    raw, tags, app = china_jpg.read_bytes(), ["tag00003", "tag00001"], small_app()
    found = post(app.test_client(), raw, tag=",".join(tags), saliency=1)
    assert found.status_code == 200
    tagger = state_of(app).model.tagger
    expected = explain(tagger, tagger.read(raw), tags, saliency=True)
    for given, own in zip(found.json["explanations"], expected, strict=True):
        wanted = own.to_dict()
        drops, own_drops = (one.pop("saliency")["drops"] for one in (given, wanted))
        assert given == wanted
        np.testing.assert_allclose(drops, own_drops, atol=1e-3)


def test_the_numbers_are_those_of_the_suggestion(client, china_jpg):
    raw = china_jpg.read_bytes()
    (why,) = post(client, raw, tag="building").json["explanations"]
    assert "saliency" not in why
    suggested = client.post(
        "/api/v1/suggestions?k=0", data=form_of(raw), content_type=MULTIPART
    ).json["tags"]
    (score,) = [one for one in suggested if one["tag"] == "building"]
    for name in ("squared_mahalanobis", "log_likelihood_ratio"):
        assert why[name] == pytest.approx(score[name], rel=1e-3, abs=0.05)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"tag": ""},
        {"tag": "nonesuch"},
        {"tag": "sky,"},
        {"tag": "sky, boat"},
        {"tag": "sky", "saliency": "yes"},
        {"tag": ",".join(f"tag{n}" for n in range(MAX_TAGS + 1))},
    ],
)
def test_parameters_that_cannot_be_used_are_refused(client, query):
    found = post(client, jpeg(), **query)
    assert found.status_code == 400
    assert found.json["error"]["code"] == "bad_parameter"


@pytest.mark.parametrize(("asked", "unknown"), [("sky,zzz", "'zzz'"), ("sky,", "''")])
def test_a_tag_that_is_not_known_is_named(client, asked, unknown):
    found = post(client, jpeg(), tag=asked)
    assert found.status_code == 400
    message = found.json["error"]["message"]
    assert f"does not know {unknown}; GET /api/v1/tags" in message


def test_a_photo_that_is_none_is_refused(client):
    assert post(client, b"text", tag="sky").status_code == 415
    assert client.post(URL + "?tag=sky").json["error"]["code"] == "no_photo"


def test_where_it_was_seen_counts_as_several_photos():
    for query, cost in (({}, 1), ({"saliency": 1}, SALIENCY_COST)):
        client = small_app(RATE_LIMIT=1).test_client()
        assert post(client, jpeg(), tag="tag00000", **query).status_code == 200
        refused = post(client, jpeg(), tag="tag00000")
        assert refused.status_code == 429
        # at one a minute; what came back meanwhile makes it less
        wait_s = int(refused.headers["Retry-After"])
        assert 60 * cost - 120 < wait_s <= 60 * cost


def test_one_at_a_time_and_few_wait():
    """While one is under way, as many wait as may, and the next is sent away."""
    app = small_app(MAX_RUNNING=4)
    own = Admission(1, 2, max_wait_s=60)
    replace(state_of(app), saliency=own).store(app)
    answers = []

    def ask():
        answers.append(post(app.test_client(), jpeg(), tag="tag00000", saliency=1))

    with own.admit():
        waiting = [threading.Thread(target=ask) for _ in range(2)]
        for thread in waiting:
            thread.start()
        while own.waiting < 2:
            threading.Event().wait(0.01)
        refused = post(app.test_client(), jpeg(), tag="tag00000", saliency=1)
        # what does not look for places waits for none
        plain = post(app.test_client(), jpeg(), tag="tag00000")
    for thread in waiting:
        thread.join()
    assert refused.status_code == 503
    assert refused.json["error"]["code"] == "busy"
    assert plain.status_code == 200
    assert [answer.status_code for answer in answers] == [200, 200]


def test_it_is_given_up_in_the_end(monkeypatch):
    client = small_app().test_client()
    monkeypatch.setattr(explanations, "MAX_S", 0.0)
    found = post(client, jpeg(), tag="tag00000", saliency=1)
    assert found.status_code == 503
    assert found.json["error"]["code"] == "busy"
    assert found.headers["Retry-After"]
