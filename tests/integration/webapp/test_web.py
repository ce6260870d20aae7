"""The pages without a browser: markup, errors beside the form, headers."""

from __future__ import annotations

import base64
import io
import re
import sys
import tempfile

import pytest
from bad_photos import a_few_bad_photos
from photo_makers import jpeg
from serving import MULTIPART, form_of

from webapp.http.assets import plotly_file_name
from webapp.http.security import CONTENT_SECURITY_POLICY
from webapp.pages.photo import card_html
from webapp.pages.samples import SAMPLES, available_samples
from webapp.state import state_of


def post(client, payload: bytes, name: str = "photo.jpg"):
    return client.post("/", data=form_of(payload, name), content_type=MULTIPART)


def error_message(page: str) -> str:
    """What stands beside the form."""
    return re.search(r'<p id="error-message">([^<]*)</p>', page)[1]


def test_the_empty_page(client):
    page = client.get("/")
    assert page.status_code == 200
    assert 'enctype="multipart/form-data"' in page.text
    assert error_message(page.text) == ""


def test_a_posted_photo_gets_its_whole_result_without_javascript(
    client, app, china_jpg
):
    page = post(client, china_jpg.read_bytes())
    assert page.status_code == 200
    expected = state_of(app).model.tagger.suggest(china_jpg, k=10)
    listed = re.findall(r'<th scope="row"><bdi>(\w+)</bdi></th>', page.text)
    assert listed == [score.tag for score in expected.tags]
    assert f"{expected.tags[0].squared_mahalanobis:.1f}" in page.text
    good = [s.tag for s in expected.tags if s.probability >= expected.threshold]
    assert f'value="{", ".join(good)}"' in page.text
    for edition, n_names in (("wide", 20), ("narrow", 10)):
        picture = re.search(
            rf'<svg class="map-picture {edition}".*?</svg>', page.text, re.S
        )
        assert picture[0].count("<circle ") == 20
        assert picture[0].count("<text ") == n_names + 2  # and the axes
        assert f">{expected.tags[0].tag}</text>" in picture[0]
    assert page.headers["Cache-Control"] == "no-store"


def test_an_error_stands_beside_the_form(client):
    page = post(client, b"text")
    assert page.status_code == 415
    assert "JPEG" in error_message(page.text)
    assert 'id="photo"' in page.text


def test_nothing_chosen_is_said_kindly(client):
    page = client.post("/", data={"photo": (io.BytesIO(), "")})
    assert page.status_code == 400
    assert error_message(page.text) == "Choose a photo first."


def test_an_oversized_body_keeps_the_form(client):
    page = post(client, bytes(11 << 20))
    assert page.status_code == 413
    assert "10 MiB" in error_message(page.text)


def test_every_kind_of_bad_photo_is_answered_on_the_page(
    client, china_jpg, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    wrong = []
    for case in a_few_bad_photos():
        page = post(client, case.payload)
        said = error_message(page.text)
        if page.status_code != (case.status or 200) or bool(said) != bool(case.status):
            wrong.append((case.name, page.status_code, said))
    assert wrong == []
    assert list(tmp_path.iterdir()) == []
    assert post(client, china_jpg.read_bytes()).status_code == 200


def test_the_original_bytes_and_name_are_never_served_back(client):
    mark = b"<script>alert('mark')</script>"
    photo = jpeg() + mark
    page = post(client, photo, "<script>name</script>.jpg")
    assert page.status_code == 200
    assert b"mark" not in page.data
    assert b"<script>name" not in page.data
    assert base64.b64encode(photo[:60])[:70] not in page.data


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("beach & <b>sea</b>.jpg", "beach &amp; &lt;b&gt;sea&lt;/b&gt;.jpg"),
        ("<script>alert(1)</script>.jpg", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("a" * 5000, "a" * 77 + "..."),
    ],
)
def test_a_photo_is_named_and_its_name_does_nothing(client, china_jpg, name, shown):
    photo = io.BytesIO(china_jpg.read_bytes())
    page = client.post("/", data={"photo": (photo, name)}).text
    assert f"<bdi>{shown}" in page
    assert name not in page


def test_lost_pages_lead_back(client):
    page = client.get("/nothing-here")
    assert page.status_code == 404
    assert 'href="/"' in page.text
    assert page.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY


def test_no_page_has_an_inline_script_or_a_foreign_address(client, china_jpg):
    for page in (client.get("/"), client.get("/about"), client.get("/lost")):
        assert re.findall(r"<script(?![^>]*\bsrc=)", page.text) == []
        assert re.findall(r"\son\w+=", page.text) == []
        sources = re.findall(r'(?:src|<link[^>]*href)="([^"]+)"', page.text)
        assert [s for s in sources if not s.startswith(("/", "data:"))] == []


def test_every_asset_of_the_page_exists(client):
    page = client.get("/").text
    assets = re.findall(r'(?:src|href)="(/(?:static|assets)/[^"]+)"', page)
    assets += re.findall(r'data-plotly="([^"]+)"', page)
    assert len(assets) >= 5
    for asset in assets:
        response = client.get(asset, buffered=True)
        assert response.status_code == 200, asset
        assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_plotly_is_served_for_good_and_compressed(client):
    url = f"/assets/{plotly_file_name()}"
    plain = client.get(url)
    packed = client.get(url, headers={"Accept-Encoding": "gzip"})
    assert "immutable" in plain.headers["Cache-Control"]
    assert b"plotly" in plain.data[:2000].lower()
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.data) < len(plain.data) / 2
    assert client.get("/assets/plotly-0.0.0.min.js").status_code == 404
    assert client.get("/assets/../webapp/pages/photo.py").status_code == 404


def test_security_headers_are_on_every_kind_of_answer(client):
    for url in (
        "/",
        "/about",
        "/lost",
        "/livez",
        "/static/css/base.css",
        "/api/v1/tags",
    ):
        headers = client.get(url, buffered=True).headers
        assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Set-Cookie" not in headers
    assert "unsafe-eval" not in CONTENT_SECURITY_POLICY
    assert "script-src 'self';" in CONTENT_SECURITY_POLICY


def test_about_shows_the_model_card(client, app):
    page = client.get("/about")
    title = re.search(r"^# (.+)$", state_of(app).model.tagger.model_card, re.MULTILINE)[
        1
    ]
    assert f"<h1>{title}</h1>" in page.text
    assert "/api/v1/suggestions" in page.text


def test_a_model_card_cannot_bring_a_script():
    html = card_html(
        "<script>alert(1)</script>\n\n[a](javascript:alert(1)) [b](https://example.org)"
        "\n\n| x | y |\n|---|---|\n| 1 | `<i>` |\n"
    )
    assert "<script" not in html
    assert 'href="javascript' not in html
    assert '<a href="https://example.org">b</a>' in html
    assert "<td>1</td>" in html
    assert "&lt;i&gt;" in html


# --- Samples --------------------------------------------------------------------------


@pytest.fixture
def no_scikit_learn(monkeypatch):
    """A Python that finds no scikit-learn."""
    monkeypatch.setitem(sys.modules, "sklearn", None)
    available_samples.cache_clear()
    yield
    available_samples.cache_clear()


def test_samples_are_photos_and_credited(client, china_jpg):
    page = client.get("/").text
    for sample in SAMPLES:
        photo = client.get(f"/samples/{sample.name}")
        assert photo.mimetype == "image/jpeg"
        assert photo.data == (china_jpg.parent / sample.name).read_bytes()
        assert f'data-sample="/samples/{sample.name}"' in page
        assert f'<a href="{sample.page}">{sample.author}</a>' in page
        credit = (china_jpg.parent / "README.txt").read_text()
        assert sample.page in credit
    assert page.count("creativecommons.org/licenses/by/2.0/") >= len(SAMPLES)
    assert client.get("/samples/README.txt").status_code == 404
    assert client.get("/samples/..%2Ffashion.jpg").status_code == 404


def test_where_the_samples_are_missing_none_is_shown(client, no_scikit_learn):
    assert 'id="samples"' not in client.get("/").text
    assert client.get("/samples/china.jpg").status_code == 404
