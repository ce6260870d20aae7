"""The API and the page without JavaScript in the languages that come with Lablr."""

from __future__ import annotations

import html
import re

import pytest
from serving import MULTIPART, form_of

from lablr.figures.map_layout import percent
from lablr.tags.translations import LANGUAGES, translations

SUGGESTIONS = "/api/v1/suggestions"
RANKINGS = "/api/v1/rankings"
OTHERS = [code for code in LANGUAGES if code != "en"]


def ask(client, path: str, photo: bytes, **query):
    done = client.post(
        path, query_string=query, data=form_of(photo), content_type=MULTIPART
    )
    assert done.status_code == 200
    return done.json


@pytest.fixture(scope="module")
def photo(china_jpg) -> bytes:
    return china_jpg.read_bytes()


def without_labels(answer: dict) -> dict:
    tags = [{k: v for k, v in tag.items() if k != "label"} for tag in answer["tags"]]
    return {k: v for k, v in answer.items() if k != "language"} | {"tags": tags}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_adds_labels_and_changes_nothing_else(client, photo, language):
    plain = ask(client, SUGGESTIONS, photo, k=5, latent=1)
    assert "language" not in plain
    assert all("label" not in tag for tag in plain["tags"])
    answer = ask(client, SUGGESTIONS, photo, k=5, latent=1, language=language)
    assert without_labels(answer) == plain
    assert answer["language"] == language
    labels = translations(language)
    for tag in answer["tags"]:
        assert tag["label"] == labels.get(tag["tag"], tag["tag"])
    ranked = client.post(
        RANKINGS, query_string={"k": 5, "language": language}, json=plain
    ).json
    assert ranked["tags"] == answer["tags"]
    (batched,) = ask(client, f"{SUGGESTIONS}/batch", photo, k=5, language=language)[
        "results"
    ]
    assert batched["tags"] == answer["tags"]


@pytest.mark.parametrize("language", OTHERS)
def test_the_figures_are_named_in_the_language_and_keyed_by_the_tag(
    client, photo, language
):
    asked = {"k": 0, "figures": "wide"}
    plain = ask(client, SUGGESTIONS, photo, **asked)["figures"]
    answer = ask(client, SUGGESTIONS, photo, **asked, language=language)
    figures = answer["figures"]
    tags = [tag["tag"] for tag in answer["tags"]]
    labels = [tag["label"] for tag in answer["tags"]]
    bars = figures["ranked_tags"]
    assert bars["data"][0]["y"] == tags == bars["layout"]["yaxis"]["tickvals"]
    assert bars["layout"]["yaxis"]["ticktext"] == labels
    assert bars["data"][0]["customdata"] == labels
    drawn = figures["latent_map"]["layout"]
    names = [shape["name"] for shape in reversed(drawn["shapes"])]
    assert names == tags[:20]
    texts = [re.sub("</?b>", "", note["text"]) for note in drawn["annotations"]]
    assert texts == [html.escape(label) for label in labels[: len(texts)]]
    assert drawn["shapes"] == plain["latent_map"]["layout"]["shapes"]
    dots = figures["training_photos"]["data"][:-1]
    assert [trace["meta"] for trace in dots] == tags[:3]
    assert [trace["name"] for trace in dots] == labels[:3]


def test_the_tags_are_listed_in_a_language(client):
    plain = client.get("/api/v1/tags").json
    assert plain["languages"] == list(LANGUAGES)
    assert "labels" not in plain
    answer = client.get("/api/v1/tags?language=fa").json
    assert answer["tags"] == plain["tags"]
    labels = translations("fa")
    assert answer["labels"] == [labels[tag] for tag in plain["tags"]]


@pytest.mark.parametrize("language", ["", "DE", "xx", "../de"])
def test_a_language_that_is_not_there_is_refused(client, photo, language):
    query = {"language": language}
    for done in (
        client.get("/api/v1/tags", query_string=query),
        client.post(
            SUGGESTIONS,
            query_string=query,
            data=form_of(photo),
            content_type=MULTIPART,
        ),
    ):
        assert done.status_code == 400
        message = "language must be one of en, de, es, fa, fr."
        assert done.json["error"]["message"] == message


def form_in(language: str, photo: bytes) -> bytes:
    """The page's form with a photo and the chosen language."""
    boundary, field = form_of(photo).split(b"\r\n", 1)[0], "language"
    head = f'\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{language}\r\n'
    return boundary + head.encode() + form_of(photo)


@pytest.mark.parametrize("language", OTHERS)
def test_the_page_without_javascript_speaks_it_too(client, photo, language):
    answer = ask(client, SUGGESTIONS, photo, language=language)
    page = client.post("/", data=form_in(language, photo), content_type=MULTIPART)
    assert page.status_code == 200
    text = html.unescape(page.text)
    assert f'<option value="{language}" lang="{language}" selected>' in text
    for tag in answer["tags"]:
        label, share = tag["label"], percent(tag["probability"])
        chip = f'<span class="name" dir="auto">{label}</span>'
        assert f'{chip} <span class="share">{share}</span>' in text
        assert f'<th scope="row"><bdi>{label}</bdi></th>' in text
    (copied,) = re.findall(r'id="tags-text"[^>]* value="([^"]*)"', text)
    good = [t for t in answer["tags"] if t["probability"] >= answer["threshold"]]
    assert copied == ", ".join(tag["label"] for tag in good)


def test_the_form_refuses_a_language_that_is_not_there(client, photo):
    page = client.post("/", data=form_in("xx", photo), content_type=MULTIPART)
    assert page.status_code == 400
    assert "language must be one of" in page.text
