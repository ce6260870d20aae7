"""Every ranking side by side: the command, the page, and the API's rankings."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from model_makers import GREY, N_LATENT, encoder_with_features
from serving import MULTIPART, form_of
from training_makers import make_corpus

from lablr.bundle import Bundle
from lablr.cli import main
from lablr.fitting.compare import compare_bundle, compared_before, with_comparison
from lablr.fitting.evaluate import evaluate_bundle
from lablr.fitting.fit import FitConfig, fit
from lablr.fitting.methods import combine
from lablr.ranking.tagger import Tagger
from webapp import create_app

RANKINGS = ("calibrated", "likelihood", "mahalanobis", "blend", "neighbours")


@pytest.fixture(scope="module")
def corpus_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus") / "corpus"
    make_corpus(folder, n_train=60, n_val=24, side=64)
    return folder


@pytest.fixture(scope="module")
def corpus(corpus_folder):
    from lablr.corpus import Corpus

    return Corpus.open(corpus_folder)


@pytest.fixture(scope="module")
def bundle(corpus) -> Bundle:
    config = FitConfig(shrinkage=30.0)
    return combine(fit(corpus, encoder_with_features(), GREY, config), corpus, [])


@pytest.fixture(scope="module")
def client(bundle, corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "bundle"
    with_comparison(bundle, compare_bundle(bundle, corpus)).save(folder)
    config = {"TESTING": True, "PROPAGATE_EXCEPTIONS": False, "BUNDLE": str(folder)}
    return create_app(config).test_client()


def test_the_figures_are_those_of_evaluate(bundle, corpus) -> None:
    found = {one.ranking: one for one in compare_bundle(bundle, corpus)}
    assert tuple(found) == RANKINGS
    for ranking in RANKINGS:
        expected = evaluate_bundle(bundle, corpus, "val", ranking, cross_fit=True)
        for ours, theirs in zip(found[ranking].reports, expected, strict=True):
            assert repr(ours) == repr(theirs)  # NaN equals NaN here
        assert found[ranking].rank_ms > 0
    # What a method adds is what the bundle grows by.
    arrays = bundle.methods["neighbours"]
    n_bytes = sum(array.nbytes for array in arrays.values())
    assert found["neighbours"].n_bytes == n_bytes


def test_figures_travel_with_the_bundle(bundle, corpus, tmp_path) -> None:
    assert compared_before(bundle.provenance) == []
    with_comparison(bundle, compare_bundle(bundle, corpus)).save(tmp_path / "b")
    figures = compared_before(Bundle.load(tmp_path / "b").provenance)
    assert [one["ranking"] for one in figures] == list(RANKINGS)


def test_the_command_compares_a_corpus_and_keeps_it(
    bundle, corpus_folder, tmp_path
) -> None:
    bundle.save(tmp_path / "b")
    words = ["compare", str(corpus_folder), "--bundle", str(tmp_path / "b")]
    done = CliRunner().invoke(main, [*words, "--save", "--source", "all"])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["ranking", *RANKINGS]
    assert compared_before(Bundle.load(tmp_path / "b").provenance)
    wrong = CliRunner().invoke(main, [*words, "--source", "moon"])
    assert wrong.exit_code == 2
    assert "'moon' is none of" in wrong.output


def test_the_command_compares_a_photo(bundle, china_jpg, tmp_path) -> None:
    bundle.save(tmp_path / "b")
    words = ["compare", str(china_jpg), "--bundle", str(tmp_path / "b"), "-k", "2"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(RANKINGS)
    done = CliRunner().invoke(main, [*words, "--json"])
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    tagger = Tagger(bundle)
    for answer in answers:
        expected = tagger.suggest(china_jpg, 2, answer["ranking"]).to_dict()
        assert {key: answer[key] for key in expected} == expected


def test_a_ranking_the_model_lacks_is_said(bundle, china_jpg, tmp_path) -> None:
    bundle.save(tmp_path / "b")
    words = ["--bundle", str(tmp_path / "b"), "--ranking", "semantic"]
    done = CliRunner().invoke(main, ["suggest", str(china_jpg), *words])
    assert done.exit_code == 1
    assert "'semantic' is none of" in done.output


def test_the_page_shows_every_ranking(client, china_jpg) -> None:
    empty = client.get("/compare")
    assert empty.status_code == 200
    assert "Macro AP" in empty.text
    assert "method-blend" not in empty.text
    form = form_of(china_jpg.read_bytes())
    page = client.post("/compare", data=form, content_type=MULTIPART)
    assert page.status_code == 200
    for ranking in RANKINGS:
        assert f'id="method-{ranking}"' in page.text


def test_the_page_keeps_its_form_beside_an_error(client) -> None:
    form = form_of(b"no photo")
    page = client.post("/compare", data=form, content_type=MULTIPART)
    assert page.status_code == 415
    assert 'role="alert"' in page.text
    assert 'name="photo"' in page.text


def test_a_model_without_figures_says_how_to_get_them(bundle, tmp_path) -> None:
    bundle.save(tmp_path / "b")
    page = create_app({"BUNDLE": str(tmp_path / "b")}).test_client().get("/compare")
    assert "lablr compare corpus/ --save" in page.text


def test_the_api_ranks_by_every_method(client, china_jpg) -> None:
    assert client.get("/api/v1/tags").json["rankings"] == list(RANKINGS)
    form = form_of(china_jpg.read_bytes())
    first = client.post(
        "/api/v1/suggestions?latent=1", data=form, content_type=MULTIPART
    ).json
    raw = np.frombuffer(base64.b64decode(first["features"]), "<f2")
    assert raw.shape == (4,)
    for ranking in RANKINGS:
        form = form_of(china_jpg.read_bytes())
        url = f"/api/v1/suggestions?ranking={ranking}"
        with_photo = client.post(url, data=form, content_type=MULTIPART).json
        again = client.post(f"/api/v1/rankings?ranking={ranking}", json=first)
        assert again.json == with_photo
        assert with_photo["ranking"] == ranking


@pytest.mark.parametrize("features", ["", "AAAA", 7, "é" * 8, "A" * 11 + "!"])
def test_features_that_are_none_are_refused(client, features) -> None:
    body = {"latent": [0.0] * N_LATENT, "features": features}
    refused = client.post("/api/v1/rankings", json=body)
    assert refused.status_code == 400
    assert refused.json["error"]["code"] == "bad_latent"


def test_features_that_are_not_finite_are_bounded(client) -> None:
    text = base64.b64encode(np.full(4, np.inf, "<f2").tobytes()).decode()
    body = {"latent": [0.0] * N_LATENT, "features": text}
    assert client.post("/api/v1/rankings", json=body).status_code == 200


def test_the_nearest_training_photos_explain(client, china_jpg):
    form = form_of(china_jpg.read_bytes())
    url = "/api/v1/suggestions?because=3"
    answer = client.post(url, data=form, content_type=MULTIPART).json
    assert len(answer["because"]) == 3
    similarities = [one["similarity"] for one in answer["because"]]
    assert similarities == sorted(similarities, reverse=True)
    for one in answer["because"]:
        assert one["page"] is None  # the drawn corpus is nobody's on Flickr
    form = form_of(china_jpg.read_bytes())
    wrong = "/api/v1/suggestions?because=21"
    refused = client.post(wrong, data=form, content_type=MULTIPART)
    assert refused.status_code == 400
    assert "from 0 to 20" in refused.json["error"]["message"]
