"""What /metrics counts, held against what was done."""

from __future__ import annotations

import io

import pytest
from model_makers import N_LATENT
from photo_makers import jpeg
from prometheus_client.parser import text_string_to_metric_families
from serving import MULTIPART, form_of
from small_app import small_app

import lablr
from webapp.state import state_of
from webapp.state.metrics import STAGES

URL = "/api/v1/suggestions"


@pytest.fixture
def own_app():
    """An application that nobody else has counted with."""
    return small_app(MAX_RUNNING=1, MAX_WAITING=0)


def samples(client) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample by its name and the values of its labels, in the labels' order."""
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.content_type.startswith("text/plain; version=")
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): (
            sample.value
        )
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def send(client, photo: bytes = b"", **query):
    form = form_of(photo or jpeg())
    return client.post(URL, query_string=query, data=form, content_type=MULTIPART)


def test_every_stage_is_there_before_the_first_photo(own_app):
    found = samples(own_app.test_client())
    for stage in STAGES:
        assert found["lablr_stage_seconds_count", (stage,)] == 0


def test_requests_and_stages_are_counted(own_app):
    client = own_app.test_client()
    assert send(client).status_code == 200
    assert send(client, figures="wide", latent=1).status_code == 200
    assert send(client, b"no photo").status_code == 415
    latent = [0.0] * N_LATENT
    assert client.post("/api/v1/rankings", json={"latent": latent}).status_code == 200
    photos = [(io.BytesIO(data), "a.jpg") for data in (jpeg(), b"no photo", jpeg())]
    batch = client.post(f"{URL}/batch", data={"photo": photos})
    assert batch.status_code == 200
    found = samples(client)
    requests = "lablr_requests_total"
    assert found[requests, ("api.create_suggestion", "POST", "200")] == 2
    assert found[requests, ("api.create_suggestion", "POST", "415")] == 1
    assert found[requests, ("api.create_batch", "POST", "200")] == 1
    assert found["lablr_request_seconds_count", ("api.create_suggestion",)] == 3
    stages = {s: found["lablr_stage_seconds_count", (s,)] for s in STAGES}
    assert stages == {
        "read": 6,
        "encode": 4,
        "rank": 5,
        "draw": 1,
        "search": 0,
        "explain": 0,
    }
    assert found["lablr_stage_seconds_sum", ("read",)] > 0
    assert found["lablr_refused_total", ("unsupported_photo",)] == 1


def test_the_queue_is_seen(own_app):
    client = own_app.test_client()
    with state_of(own_app).admission.admit():
        assert send(client).status_code == 503
        found = samples(client)
        assert found["lablr_photos_running", ()] == 1
        assert found["lablr_photos_waiting", ()] == 0
    found = samples(client)
    assert found["lablr_photos_running", ()] == 0
    assert found["lablr_refused_total", ("busy",)] == 1


def test_the_bundle_is_named(client, app):
    digest = state_of(app).model.tagger.bundle_digest
    found = samples(client)
    assert found["lablr_bundle_info", (digest, lablr.__version__)] == 1
    assert found["process_resident_memory_bytes", ()] > 1e6


def test_no_client_can_make_it_grow(client):
    def n_samples() -> int:
        return len(samples(client))

    def visit(number: int) -> None:
        client.get(f"/lost-{number}")
        client.open("/api/v1/tags", method=f"BREW{number}")
        client.get(f"/static/lost-{number}.css")
        client.get(f"/api/v1/tags?x={number}")

    visit(0)
    n_samples()
    before = n_samples()
    for number in range(1, 50):
        visit(number)
    assert n_samples() == before


def test_nothing_private_is_counted(client):
    client.get("/canary-name.jpg?canary-name=1", headers={"User-Agent": "canary-name"})
    assert "canary-name" not in client.get("/metrics").text


def test_applications_do_not_share_their_numbers(own_app, client):
    before = samples(client)["lablr_stage_seconds_count", ("rank",)]
    send(own_app.test_client())
    assert samples(client)["lablr_stage_seconds_count", ("rank",)] == before
