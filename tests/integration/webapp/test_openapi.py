"""The OpenAPI document tells the truth: schemathesis asks the API what it says.

Photos, parameters and bodies are made from the document, those it allows and those
it forbids; every answer is held against it.
"""

from __future__ import annotations

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from photo_makers import jpeg, save
from photo_makers import photo as draw
from schemathesis.generation import GenerationMode
from serving import MULTIPART, form_of
from small_app import small_app

from webapp.http.errors import CODES

URL = "/api/v1/openapi.json"
TOKEN = "fjord-27"  # noqa: S105
OPERATIONS = {
    ("POST", "/api/v1/suggestions"),
    ("POST", "/api/v1/suggestions/batch"),
    ("POST", "/api/v1/explanations"),
    ("POST", "/api/v1/rankings"),
    ("GET", "/api/v1/tags"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
}
FORBIDDEN = {(method, path) for method, path in OPERATIONS if method == "POST"} | {
    ("GET", "/api/v1/tags")
}

BY_SMALL = ("/api/v1/explanations", "/api/v1/rankings")

# What people send as a photo: some are none.
schemathesis.openapi.media_type(
    "image/jpeg",
    st.sampled_from([jpeg(), save(draw(), "PNG"), jpeg()[:300], b"text", b""]),
    aliases=["image/png", "image/webp", "image/gif"],
)

quickly = settings(
    max_examples=20,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def described(app):
    """An operation as schemathesis reads it from an application's document."""
    # the small model's latents and saliencies are made in a hundredth of the time
    found = {
        serves: schemathesis.openapi.from_wsgi(URL, serves)
        for serves in (app, small_app())
    }
    for one in found.values():
        # bytes that are no photo are for the door to refuse, not for the document
        one.config.checks.positive_data_acceptance.expected_statuses += ["415", "422"]
    real, small = found.values()
    return lambda path, method: (small if path in BY_SMALL else real)[path][method]


def ask(described, method: str, path: str, mode: GenerationMode) -> None:
    """Let schemathesis ask one operation and check every answer."""

    @quickly
    @given(case=described(path, method).as_strategy(generation_mode=mode))
    def run(case):
        if path.endswith("/batch") and mode.is_positive:
            # it draws one photo by its type where the document asks for a list
            drawn = case.body["photo"]
            case.body["photo"] = drawn if isinstance(drawn, list) else [drawn]
        if mode.is_negative and case.media_type == "multipart/form-data":
            # other values leave no part in the form, and what is sent is allowed
            values = case.body.values() if isinstance(case.body, dict) else ()
            assume(all(isinstance(value, (str, bytes)) and value for value in values))
        case.call_and_validate()

    run()


@pytest.mark.parametrize(("method", "path"), sorted(OPERATIONS))
def test_what_the_document_allows_is_answered(described, method, path):
    ask(described, method, path, GenerationMode.POSITIVE)


@pytest.mark.parametrize(("method", "path"), sorted(FORBIDDEN))
def test_what_the_document_forbids_is_refused(described, method, path):
    ask(described, method, path, GenerationMode.NEGATIVE)


# --- The document ---------------------------------------------------------------------


def operations_of(document: dict) -> dict[tuple[str, str], dict]:
    return {
        (method.upper(), path): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def test_every_route_for_programs_is_described(app, client):
    routes = {
        (method, rule.rule): rule.endpoint
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.endpoint.partition(".")[0] in ("api", "health", "metrics")
    }
    described = {
        key: operation["operationId"]
        for key, operation in operations_of(client.get(URL).json).items()
    }
    assert described == routes
    assert set(described) == OPERATIONS


def test_a_token_is_described_when_one_is_asked_for(client):
    assert "security" not in client.get(URL).text
    closed = small_app(API_TOKEN=TOKEN).test_client()
    document = closed.get(URL).json  # it is open, that one may learn of the token
    bearer = {"type": "http", "scheme": "bearer"}
    assert document["components"]["securitySchemes"] == {"bearer": bearer}
    for (method, path), operation in operations_of(document).items():
        guarded = closed.open(path, method=method).status_code == 401
        assert guarded == ("security" in operation), path
        assert guarded == ("401" in operation["responses"]), path


def test_every_status_of_the_document_has_its_codes(client):
    for operation in operations_of(client.get(URL).json).values():
        assert {int(status) for status in operation["responses"]} <= {200, *CODES}


# --- Real answers ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def matches(app):
    """Whether an answer is what the document says of it."""
    document = app.test_client().get(URL).json

    def check(response, answer=None) -> bool:
        path, method = response.request.path, response.request.method.lower()
        responses = document["paths"][path][method]["responses"]
        content = responses[str(response.status_code)]["content"]
        schema = content["application/json"]["schema"]
        whole = {**schema, "components": document["components"]}
        found = response.json if answer is None else answer
        return jsonschema_rs.validator_for(whole).is_valid(found)

    return check


def send(client, path: str, photo: bytes, **query):
    body = form_of(photo)
    return client.post(path, query_string=query, data=body, content_type=MULTIPART)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"k": 0, "map": 1, "figures": "wide", "latent": 1, "threshold": 0.5},
        {"k": 1, "ranking": "mahalanobis", "figures": "narrow"},
        {"k": 3, "language": "fa", "figures": "wide"},
        {"accepted": "dog,Snow!", "rejected": "cat,nonesuch", "reach": 0.4},
    ],
)
def test_real_answers_match(client, matches, china_jpg, query):
    real = china_jpg.read_bytes()
    for path in ("/api/v1/suggestions", "/api/v1/suggestions/batch"):
        response = send(client, path, real, **query)
        assert response.status_code == 200
        assert matches(response)
    answer = send(client, "/api/v1/suggestions", real, latent=1).json
    response = client.post("/api/v1/rankings", query_string=query, json=answer)
    assert response.status_code == 200
    assert matches(response)


def test_real_explanations_match(client, matches, china_jpg):
    for query in ({"tag": "building"}, {"tag": "sky,boat", "saliency": 1}, {}):
        path = "/api/v1/explanations"
        assert matches(send(client, path, china_jpg.read_bytes(), **query))


def test_real_tags_match(client, matches):
    for query in ("", "?language=de", "?language=", "?language=xx"):
        assert matches(client.get(f"/api/v1/tags{query}"))


def test_real_refusals_match(client, matches, china_jpg):
    real = china_jpg.read_bytes()
    refusals = {
        send(client, "/api/v1/suggestions", bad, **query).status_code: (bad, query)
        for bad, query in (
            (b"text", {}),
            (real[:4000], {}),
            (real, {"k": "many"}),
            (bytes(11 << 20), {}),
        )
    }
    assert set(refusals) == {400, 413, 415, 422}
    for bad, query in refusals.values():
        assert matches(send(client, "/api/v1/suggestions", bad, **query))
    assert matches(client.post("/api/v1/rankings", data=b"{"))
    assert matches(client.post("/api/v1/rankings", data=bytes(65 << 10)))


def test_the_check_of_answers_can_fail(client, matches, china_jpg):
    response = send(client, "/api/v1/suggestions", china_jpg.read_bytes())
    assert matches(response)
    answer = response.json
    for wrong in (
        {**answer, "sure": "yes"},
        {**answer, "more": 1},
        {**answer, "tags": [{**answer["tags"][0], "probability": 2}]},
        {name: answer[name] for name in answer if name != "ranking"},
    ):
        assert not matches(response, wrong)
