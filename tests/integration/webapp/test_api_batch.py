"""Many photos in one request: each its own answer, in order, in bounded room."""

from __future__ import annotations

import tempfile

from bad_photos import a_few_bad_photos
from photo_makers import jpeg
from serving import BOUNDARY, MULTIPART, form_of
from small_app import small_app

from webapp.api import suggestions
from webapp.api.routes import MAX_BATCH_BYTES, MAX_BATCH_PHOTOS
from webapp.state import state_of

URL = "/api/v1/suggestions/batch"
END = f"\r\n--{BOUNDARY}--\r\n".encode()


def form_of_all(*photos: bytes) -> bytes:
    """The body of a form with several photos, see `serving.form_of`."""
    return b"\r\n".join(form_of(photo).removesuffix(END) for photo in photos) + END


def post(client, *photos: bytes, **query):
    body = form_of_all(*photos)
    return client.post(URL, query_string=query, data=body, content_type=MULTIPART)


def assert_error(response, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    assert response.json["error"]["code"] == code


def test_each_photo_gets_what_it_gets_alone(client, china_jpg, flower_jpg):
    query = {"k": 3, "ranking": "likelihood", "threshold": 0.4, "map": 1, "latent": 1}
    photos = [china_jpg.read_bytes(), flower_jpg.read_bytes(), jpeg()]
    batch = post(client, *photos, **query)
    assert batch.status_code == 200
    alone = [
        client.post(
            "/api/v1/suggestions",
            query_string=query,
            data=form_of(photo),
            content_type=MULTIPART,
        ).json
        for photo in photos
    ]
    assert batch.json == {"results": alone}


def test_a_bad_photo_fails_alone(client, china_jpg):
    good = china_jpg.read_bytes()
    results = post(client, b"text", good, good[:2000], good).json["results"]
    assert [set(result) for result in results[::2]] == [{"error"}] * 2
    assert results[0]["error"]["code"] == "unsupported_photo"
    assert results[2]["error"]["code"] == "broken_photo"
    assert set(results[0]["error"]) == {"code", "message"}
    assert results[1] == results[3]
    assert results[1]["tags"]


def test_every_kind_of_bad_photo_is_named_in_its_place(client, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    cases = [case for case in a_few_bad_photos() if case.expected]
    results = post(client, *(case.payload for case in cases)).json["results"]
    codes = [result["error"]["code"] for result in results]
    assert codes == [case.expected.code for case in cases]
    assert list(tmp_path.iterdir()) == []


def test_a_photo_over_its_bytes_fails_alone(client):
    over = jpeg() + bytes(11 << 20)
    results = post(client, over, jpeg()).json["results"]
    assert results[0]["error"]["code"] == "photo_too_large"
    assert results[1]["tags"]


def test_a_batch_may_be_larger_than_a_photo(client):
    padded = jpeg() + bytes(6 << 20)  # trailing bytes are let in
    results = post(client, *[padded] * 3, k=1).json["results"]
    assert [len(result["tags"]) for result in results] == [1, 1, 1]


def test_bounds():
    client = small_app().test_client()
    full = post(client, *[jpeg()] * MAX_BATCH_PHOTOS, k=1)
    assert len(full.json["results"]) == MAX_BATCH_PHOTOS
    over = post(client, *[jpeg()] * (MAX_BATCH_PHOTOS + 1))
    assert_error(over, 400, "too_many_photos")
    assert "32" in over.json["error"]["message"]
    parts = post(client, *[b"x"] * 200)
    assert_error(parts, 413, "photo_too_large")
    large = client.post(
        URL,
        data=b"x",
        content_type=MULTIPART,
        environ_overrides={"CONTENT_LENGTH": str(MAX_BATCH_BYTES + 1)},
    )
    assert_error(large, 413, "photo_too_large")
    assert "64 MiB" in large.json["error"]["message"]


def test_no_photo(client):
    empty = client.post(URL, data=END, content_type=MULTIPART)
    assert_error(empty, 400, "no_photo")
    text = client.post(URL, data={"photo": "text"}, content_type="multipart/form-data")
    assert_error(text, 400, "no_photo")


def test_a_bad_parameter_is_the_requests(client):
    assert_error(post(client, jpeg(), k="many"), 400, "bad_parameter")


def test_photos_beyond_the_time_of_a_batch_are_sent_away(client, monkeypatch):
    monkeypatch.setattr(suggestions, "BATCH_S", -1.0)
    results = post(client, jpeg(), jpeg()).json["results"]
    assert [result["error"]["code"] for result in results] == ["busy"] * 2


def test_a_batch_holds_one_place():
    app = small_app(MAX_RUNNING=2, MAX_WAITING=0)
    client = app.test_client()
    admission = state_of(app).admission
    with admission.admit():
        assert post(client, jpeg(), jpeg(), jpeg()).status_code == 200
        with admission.admit():
            refused = post(client, jpeg())
            assert_error(refused, 503, "busy")
            assert int(refused.headers["Retry-After"]) > 0
    assert admission.inside == admission.running == 0
