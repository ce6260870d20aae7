"""Which of a photo's own tags could go: the API's `existing`, and the page's form."""

from __future__ import annotations

import json

import pytest
from serving import BOUNDARY, MULTIPART, SUGGESTIONS, form_of

from lablr.ranking.unlikely import unlikely_tags
from lablr.tags import Vocabulary
from webapp.state import state_of

OWN = ["building", "Surfing", "dogs", "Aunt Mary"]


@pytest.fixture(scope="module")
def suggestion(app, china_jpg):
    return state_of(app).model.tagger.suggest(china_jpg, k=0)


def ask(client, photo, **query):
    form = form_of(photo.read_bytes())
    return client.post(
        SUGGESTIONS, query_string=query, data=form, content_type=MULTIPART
    )


def test_the_answer_is_the_librarys(client, suggestion, china_jpg):
    answer = ask(client, china_jpg, k=2, existing=" , ".join(OWN), latent=1).json
    expected = [tag.to_dict() for tag in unlikely_tags(suggestion, OWN)]
    assert [one["written"] for one in expected]  # some of them are
    assert not {"building", "Aunt Mary"} & {one["written"] for one in expected}
    assert len(answer["tags"]) == 2
    for found, wanted in zip(answer["unlikely"], expected, strict=True):
        numbers = {"probability", "percentile"}
        assert found.keys() == wanted.keys()
        assert all(found[name] == pytest.approx(wanted[name]) for name in numbers)
        assert {n: v for n, v in found.items() if n not in numbers} == {
            n: v for n, v in wanted.items() if n not in numbers
        }
    # by the latent alone it is the same
    body = {name: answer[name] for name in ("latent", "features")}
    again = client.post(
        "/api/v1/rankings",
        query_string={"existing": ",".join(OWN)},
        data=json.dumps(body),
    )
    assert [one["written"] for one in again.json["unlikely"]] == [
        one["written"] for one in expected
    ]


def test_tags_may_be_in_the_language_of_the_labels(client, suggestion, china_jpg):
    german = Vocabulary.load(language="de")
    tag = next(
        one.score.tag
        for one in unlikely_tags(suggestion, [s.tag for s in suggestion.tags])
        if german.label(one.score.tag).casefold() != one.score.tag
    )
    word = german.label(tag)
    (expected,) = unlikely_tags(suggestion, [word], german)
    (found,) = ask(client, china_jpg, language="de", existing=word).json["unlikely"]
    assert (found["written"], found["tag"]) == (word, tag)
    assert found["reason"] == expected.reason


def test_not_asked_is_not_answered(client, china_jpg):
    assert "unlikely" not in ask(client, china_jpg).json
    assert ask(client, china_jpg, existing="").json["unlikely"] == []
    assert ask(client, china_jpg, existing=", ;").json["unlikely"] == []


@pytest.mark.parametrize(
    ("existing", "named"),
    [("x" * 2001, "2,000 characters"), ("a," * 76, "75 tags at most")],
)
def test_too_much_is_refused(client, china_jpg, existing, named):
    refused = ask(client, china_jpg, existing=existing)
    assert refused.status_code == 400
    assert refused.json["error"]["code"] == "bad_parameter"
    assert named in refused.json["error"]["message"]


def test_the_document_describes_it(client):
    described = client.get("/api/v1/openapi.json").json
    named = described["paths"][SUGGESTIONS]["post"]["parameters"]
    assert "existing" in {one["name"] for one in named}
    answer = described["components"]["schemas"]["Suggestion"]["properties"]
    assert answer["unlikely"]["items"] == {"$ref": "#/components/schemas/UnlikelyTag"}


# --- the page without JavaScript


def post(client, photo, existing):
    body = form_of(photo.read_bytes())
    end = body.rindex(b"\r\n--")
    name = b'Content-Disposition: form-data; name="existing"\r\n\r\n'
    field = b"\r\n--" + BOUNDARY.encode() + b"\r\n" + name + existing.encode()
    form = body[:end] + field + body[end:]
    return client.post("/", data=form, content_type=MULTIPART)


def test_the_form_explains_what_may_not_fit(client, suggestion, china_jpg):
    page = post(client, china_jpg, "building, surfing, <b>x</b>")
    assert page.status_code == 200
    for tag in unlikely_tags(suggestion, ["surfing"]):
        assert f'<li dir="auto">{tag.reason}</li>' in page.text
    assert "These may not fit." in page.text
    assert 'value="building, surfing, &lt;b&gt;x&lt;/b&gt;"' in page.text
    assert "<b>x" not in page.text
    sure = post(client, china_jpg, "building")
    assert "The model doubts none of them." in sure.text
    nothing = post(client, china_jpg, "")
    assert '<details id="own" class="own with-js">' in nothing.text


def test_the_form_refuses_too_much_beside_itself(client, china_jpg):
    page = post(client, china_jpg, "a," * 76)
    assert page.status_code == 400
    assert "75 tags at most" in page.text
    assert 'name="existing"' in page.text
