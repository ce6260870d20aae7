"""Accepted and rejected tags and the reach, over HTTP."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from model_makers import N_LATENT, draw_photos, make_bundle

from lablr import Feedback
from lablr.bundle import Bundle
from lablr.ranking.reach import Reach
from webapp import create_app
from webapp.state import state_of

URL = "/api/v1/rankings"
LATENT = np.random.default_rng(0).normal(3, 2, N_LATENT).astype(np.float32)


def bundle_that_listens() -> Bundle:
    made = make_bundle(draw_photos(n_tags=9))
    values = np.linspace(0.1, 1, 9)
    reach = Reach(made.tags, "views", values).to_arrays()
    return replace(made, gaussians={**made.gaussians, **reach})


def client_of(folder, bundle: Bundle):
    bundle.save(folder)
    return create_app({"BUNDLE": str(folder)}).test_client()


@pytest.fixture(scope="module")
def listener(tmp_path_factory):
    return client_of(tmp_path_factory.mktemp("new") / "bundle", bundle_that_listens())


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A server of a bundle that an older Lablr made."""
    made = make_bundle(draw_photos(n_tags=9))
    new = ("coupling", "pair_", "reach")
    kept = {k: v for k, v in made.gaussians.items() if not k.startswith(new)}
    folder = tmp_path_factory.mktemp("old") / "bundle"
    return client_of(folder, replace(made, gaussians=kept))


def rank(client, **query):
    return client.post(
        URL, query_string=query, data=json.dumps({"latent": LATENT.tolist()})
    )


def tagger_of(client):
    return state_of(client.application).model.tagger


@pytest.mark.parametrize("ranking", ["calibrated", "mahalanobis"])
def test_the_answer_is_the_librarys(listener, ranking):
    tagger = tagger_of(listener)
    one, two, three = tagger.tags[:3]
    feedback = Feedback((one, three), (two,), 0.25)
    (expected,) = tagger.rank(LATENT[np.newaxis], 4, ranking, feedback)
    answer = rank(
        listener,
        k=4,
        ranking=ranking,
        accepted=f"{one.upper()}, {three}!",
        rejected=two,
        reach=0.25,
    )
    assert answer.status_code == 200
    assert answer.json == expected.to_dict()
    assert answer.json["accepted"] == [one, three]
    assert answer.json["rejected"] == [two]
    assert answer.json["reach"] == 0.25


def test_nothing_said_is_nothing_changed(listener):
    plain = rank(listener).json
    assert rank(listener, accepted="", rejected=",,", reach=0).json == plain
    assert rank(listener, accepted="nonesuch,!").json == plain
    assert not {"accepted", "rejected", "reach"} & plain.keys()


def test_every_tag_may_be_decided(listener):
    tags = ",".join(tagger_of(listener).tags)
    answer = rank(listener, accepted=tags, map=1, figures="wide")
    assert answer.status_code == 200
    assert answer.json["tags"] == []
    assert not answer.json["sure"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"reach": "1.5"}, "reach must be a number from 0 to 1"),
        ({"reach": "lots"}, "reach must be"),
        ({"accepted": "x" * 2001}, "accepted must be tags"),
        ({"rejected": "a," * 1001}, "rejected must be tags"),
        ({"accepted": "tag00001", "rejected": "Tag00001"}, "both accepted and"),
    ],
)
def test_what_cannot_be_used_is_refused(listener, query, named):
    refused = rank(listener, **query)
    assert refused.status_code == 400
    assert refused.json["error"]["code"] == "bad_parameter"
    assert named in refused.json["error"]["message"]


@pytest.mark.parametrize("query", [{"accepted": "tag00001"}, {"reach": "0.5"}])
def test_an_old_model_says_why_it_does_not(old, query):
    refused = rank(old, **query)
    assert refused.status_code == 400
    assert refused.json["error"]["code"] == "bad_parameter"
    assert "fit it again" in refused.json["error"]["message"]
    assert rank(old, reach=0).status_code == 200


def test_the_server_says_what_its_model_can(listener, old):
    def said(client) -> tuple[object, object, set[str]]:
        tags = client.get("/api/v1/tags").json
        paths = client.get("/api/v1/openapi.json").json["paths"]
        names = {found["name"] for found in paths[URL]["post"]["parameters"]}
        return tags["listens"], tags["reach"], names & {"accepted", "rejected", "reach"}

    assert said(old) == (False, None, set())
    listens, reach, names = said(listener)
    assert listens
    assert names == {"accepted", "rejected", "reach"}
    assert reach["basis"] == "views"
    assert list(reach["by_tag"].values()) == pytest.approx(np.linspace(0.1, 1, 9))
