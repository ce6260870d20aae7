"""Search from the command line and in the browser's page."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from model_makers import GREY, encoder_onnx
from serving import MULTIPART, form_of
from training_makers import make_corpus

from lablr.bundle import Bundle
from lablr.cli import main
from lablr.corpus import Corpus
from lablr.fitting.fit import FitConfig, fit
from lablr.ranking.methods.calibrated import Calibrated
from lablr.ranking.methods.layers import Layers
from lablr.ranking.methods.semantic import Semantic
from webapp import create_app
from webapp.pages.search import query_of


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder of photos, a bundle and an index of them."""
    place = tmp_path_factory.mktemp("search")
    make_corpus(place / "photos", n_train=60, n_val=12, side=64)
    corpus = Corpus.open(place / "photos")
    bundle = fit(corpus, encoder_onnx(), GREY, FitConfig(shrinkage=30.0))
    bundle.save(place / "bundle")
    words = ["index", str(place / "photos"), "--out", str(place / "index")]
    done = CliRunner().invoke(main, [*words, "--bundle", str(place / "bundle")])
    assert done.exit_code == 0, done.output
    assert "attempted 72 = new 72 + kept 0 + moved 0 + failed 0" in done.stderr
    return place


@pytest.fixture(scope="module")
def tags(place) -> tuple[str, ...]:
    return Bundle.load(place / "bundle").tags


@pytest.fixture(scope="module")
def client(place):
    config = {
        "TESTING": True,
        "PROPAGATE_EXCEPTIONS": False,
        "BUNDLE": str(place / "bundle"),
        "INDEX": str(place / "index"),
    }
    return create_app(config).test_client()


def run(place: Path, *words: str):
    known = ["--index", str(place / "index"), "--bundle", str(place / "bundle")]
    return CliRunner().invoke(main, ["search", *known, *words])


def test_the_command_finds_a_photo_by_itself(place, tags):
    photo = sorted((place / "photos").glob("*.jpg"))[5]
    done = run(place, str(photo), "-k", "3", "--json")
    assert done.exit_code == 0, done.output
    first, *rest = map(json.loads, done.stdout.splitlines())
    assert len(rest) == 2
    assert Path(first["photo"]) == photo
    assert first["similarity"] == pytest.approx(1, abs=1e-4)
    assert set(first["tags"]) <= set(tags)


def test_the_command_finds_by_words(place, tags):
    done = run(place, tags[0], "--minus", tags[1])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert len(lines) == 10
    numbers = [float(line.split()[0]) for line in lines]
    assert numbers == sorted(numbers, reverse=True)
    # A phrase of tags is those tags.
    together = run(place, f"{tags[0]} {tags[1]}").stdout
    assert together == run(place, tags[0], tags[1]).stdout


def test_what_cannot_be_searched_is_said(place):
    assert run(place).exit_code == 2
    unknown = run(place, "a sleepy walrus")
    assert unknown.exit_code == 1
    assert "knows no words but its tags" in unknown.stderr
    for words in (("",), (" ", "--minus", ""), ("sky", "-k", "-1"), ("a.jpg", "b.png")):
        assert run(place, *words).exit_code == 2
    for words in (("no.jpg",), ("sky", "no.JPG")):  # not looked for as a word
        mistyped = run(place, *words)
        assert mistyped.exit_code == 1
        assert f"{words[-1]}: The file cannot be opened" in mistyped.stderr
        assert mistyped.stdout == ""
    missing = CliRunner().invoke(main, ["search", "-i", str(place), "sky"])
    assert missing.exit_code == 1
    assert "lablr index makes one" in missing.stderr


def test_the_page_finds_by_words(client, tags):
    empty = client.get("/search")
    assert empty.status_code == 200
    assert "arrow keys" not in empty.text
    page = client.get("/search", query_string={"q": f"{tags[0]}, -{tags[1]}"})
    assert page.status_code == 200
    assert "48 of 72 photos" in page.text
    numbers = re.findall(r'class="similarity">([−0-9.]+)<', page.text)
    values = [float(number.replace("−", "-")) for number in numbers]
    assert values == sorted(values, reverse=True)


def test_the_page_finds_like_a_photo_and_shows_it(client, place):
    photo = sorted((place / "photos").glob("*.jpg"))[7]
    form = form_of(photo.read_bytes())
    page = client.post("/search", data=form, content_type=MULTIPART)
    assert page.status_code == 200
    assert 'class="hint given">For <bdi>' in page.text
    assert re.search(r'class="file">([^<]+)<', page.text)[1] == photo.name
    (first, *_) = re.findall(r'src="(/search/photos/\d+)"', page.text)
    shown = client.get(first)
    assert shown.mimetype == "image/jpeg"
    again = client.get(first, headers={"If-None-Match": shown.headers["ETag"]})
    assert again.status_code == 304


def test_the_page_says_what_cannot_be_found(client):
    page = client.get("/search", query_string={"q": "a sleepy walrus"})
    assert page.status_code == 400
    assert "knows no words but its tags" in page.text
    assert 'name="q"' in page.text
    assert client.get("/search", query_string={"q": "x" * 401}).status_code == 400
    assert client.get("/search/photos/72").status_code == 404
    bad = client.post("/search", data=form_of(b"?"), content_type=MULTIPART)
    assert bad.status_code == 415


def test_no_path_of_the_server_is_told(client, place, tags):
    page = client.get("/search", query_string={"q": tags[0]})
    assert str(place) not in page.text


def test_without_an_index_the_page_says_how(place):
    app = create_app({"BUNDLE": str(place / "bundle")})
    assert "lablr serve --index" in app.test_client().get("/search").text
    assert app.test_client().get("/search?q=sky").status_code == 503


def test_an_index_that_grew_is_read_again(place, tmp_path):
    shutil.copytree(place / "photos", tmp_path / "photos")
    bundle = ["--bundle", str(place / "bundle")]
    words = ["index", str(tmp_path / "photos"), "--out", str(tmp_path / "i"), *bundle]
    config = {"BUNDLE": str(place / "bundle"), "INDEX": str(tmp_path / "i")}
    client = create_app(config).test_client()
    assert client.get("/search?q=sky").status_code == 503
    assert CliRunner().invoke(main, words).exit_code == 0
    assert "of 72 photos" in client.get("/search?q=sky").text
    (tmp_path / "photos" / "photos.jsonl").unlink()
    shutil.copy(
        sorted((tmp_path / "photos").glob("*.jpg"))[0], tmp_path / "photos" / "z.jpg"
    )
    assert CliRunner().invoke(main, words).exit_code == 0
    assert "of 73 photos" in client.get("/search?q=sky").text


@pytest.mark.parametrize(
    ("words", "plus", "minus"),
    [
        ("beach", ("beach",), ()),
        (" beach , -people,, - ", ("beach",), ("people",)),
        ("-snow", (), ("snow",)),
        ("new york, café", ("new york", "café"), ()),
    ],
)
def test_words_become_terms(words, plus, minus):
    query = query_of(words)
    assert (query.plus, query.minus) == (plus, minus)


def test_any_words_find_photos_where_the_model_knows_their_space(place, tmp_path):
    """The text model is the real one; the photos' places are drawn."""
    from lablr.encoders.text import SentenceEncoder
    from lablr.ranking.tagger import Tagger
    from lablr.search.builder import build
    from lablr.search.features import FeatureExtractor
    from lablr.search.query import Query, Search

    plain = Bundle.load(place / "bundle")
    embeddings = SentenceEncoder.load().embed(list(plain.tags))
    weight = np.random.default_rng(0).normal(size=(6, 384))
    layers = Layers((weight,), (np.zeros(384),))
    centre = embeddings.mean(axis=0)
    semantic = Semantic(
        layers, embeddings, centre, np.zeros(384), np.eye(384), plain.tags
    )
    calibrated = Calibrated.fit(
        np.zeros((0, len(plain.tags))), np.zeros((0, len(plain.tags)), bool), 0.8
    )
    from dataclasses import replace

    arrays = semantic.to_arrays() | calibrated.to_arrays()
    bundle = replace(plain, methods={"semantic": arrays})
    extractor = FeatureExtractor(Tagger(bundle))
    index = build(str(place / "photos"), tmp_path / "index", extractor).index
    phrase = "a very sleepy walrus"
    found = Search(index, extractor).find(Query(plus=(phrase,)), k=0)
    (vector,) = semantic.vectors_of(SentenceEncoder.load().embed([phrase]))
    for one in found:
        image = extractor.tagger.read(index.path(one.row))[None]
        (seen,) = semantic.vectors(extractor.tagger.encode(image))
        assert one.similarity == pytest.approx(seen @ vector, abs=2e-3)
    assert [one.similarity for one in found] == sorted(
        (one.similarity for one in found), reverse=True
    )
