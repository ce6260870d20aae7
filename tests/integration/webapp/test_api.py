"""The JSON API: every status, every bad photo, nothing kept."""

from __future__ import annotations

import io
import tempfile
import threading

import pytest
from bad_photos import a_few_bad_photos
from photo_makers import jpeg
from serving import MULTIPART, form_of
from small_app import small_app
from werkzeug.test import EnvironBuilder

from lablr.ranking.tagger import RANKINGS
from lablr.tags.translations import LANGUAGES
from webapp.state import state_of
from webapp.state.admission import Admission, Busy
from webapp.state.settings import SettingError, Settings

URL = "/api/v1/suggestions"
SECURITY_HEADERS = {
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "Referrer-Policy",
    "X-Request-Id",
}


def post(client, payload: bytes, name: str = "photo.jpg", **query):
    form = form_of(payload, name)
    return client.post(URL, query_string=query, data=form, content_type=MULTIPART)


def assert_error(response, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    assert set(response.json) == {"error"}
    assert set(response.json["error"]) == {"code", "message", "request_id"}
    assert response.json["error"]["code"] == code
    assert response.json["error"]["request_id"] == response.headers["X-Request-Id"]
    assert "/" not in response.json["error"]["message"].replace("multipart/", "")
    assert set(response.headers.keys()) >= SECURITY_HEADERS


# --- What it answers ------------------------------------------------------------------


@pytest.mark.parametrize("ranking", RANKINGS)
def test_a_photo_gets_what_the_library_gives(client, app, china_jpg, ranking):
    response = post(client, china_jpg.read_bytes(), k=7, ranking=ranking)
    assert response.status_code == 200
    tagger = state_of(app).model.tagger
    expected = tagger.suggest(china_jpg, k=7, ranking=ranking).to_dict()
    assert response.json["sure"] == expected["sure"]
    assert response.json["ranking"] == ranking
    for found, tag in zip(response.json["tags"], expected["tags"], strict=True):
        assert found == pytest.approx(tag)
    assert response.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in response.headers


def test_k_zero_is_every_tag(client, app, china_jpg):
    found = post(client, china_jpg.read_bytes(), k=0).json["tags"]
    assert sorted(tag["tag"] for tag in found) == sorted(
        state_of(app).model.tagger.tags
    )


def test_a_threshold_decides_what_is_sure(client, china_jpg):
    photo = china_jpg.read_bytes()
    assert post(client, photo, threshold=0).json["sure"] is True
    assert post(client, photo, threshold=1).json["sure"] is False


def test_the_map_comes_as_numbers(client, china_jpg):
    response = post(client, china_jpg.read_bytes(), k=1, map=1)
    plane = response.json["map"]
    assert len(response.json["tags"]) == 1
    assert len(plane["circles"]) == 20
    assert len(plane["position"]) == len(plane["explained_variance_ratio"]) == 2
    assert all(circle["radius"] > 0 for circle in plane["circles"])
    assert "figures" not in response.json


@pytest.mark.parametrize("width", ["wide", "narrow"])
def test_figures_come_for_plotly(client, china_jpg, width):
    response = post(client, china_jpg.read_bytes(), figures=width)
    assert set(response.json["figures"]) == {
        "ranked_tags",
        "latent_map",
        "training_photos",
    }


def test_tags_are_listed(client, app):
    response = client.get("/api/v1/tags")
    tagger = state_of(app).model.tagger
    assert response.json == {
        "tags": list(tagger.tags),
        "rankings": list(tagger.rankings),
        "languages": list(LANGUAGES),
        "bundle": tagger.bundle_digest,
        "listens": True,
        "reach": {
            "basis": tagger.reach.basis,
            "by_tag": dict(zip(tagger.tags, tagger.reach.values.tolist(), strict=True)),
        },
    }


def test_health(client, app):
    assert client.get("/livez").json == {"status": "alive"}
    assert client.get("/readyz").json == {
        "status": "ready",
        "bundle": state_of(app).model.tagger.bundle_digest,
    }


# --- What it refuses ------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        {"k": "-1"},
        {"k": "many"},
        {"k": ""},
        {"k": "9" * 5000},
        {"k": "１"},
        {"ranking": "loudest"},
        {"ranking": ""},
        {"threshold": "nan"},
        {"threshold": "1.01"},
        {"threshold": "high"},
        {"threshold": " 0.5"},
        {"threshold": "0_1"},
        {"threshold": "１"},
        {"threshold": "1e" + "9" * 50},
        {"latent": "2"},
        {"map": "yes"},
        {"figures": "1"},
        {"figures": ""},
    ],
)
def test_a_bad_parameter_is_named(client, china_jpg, query):
    response = post(client, china_jpg.read_bytes(), **query)
    assert_error(response, 400, "bad_parameter")
    assert response.json["error"]["message"].startswith(next(iter(query)))


def test_no_photo(client):
    some = (io.BytesIO(jpeg()), "photo.jpg")
    for data in (
        {},
        {"picture": some},
        {"photo": "text"},
        {"photo": (io.BytesIO(), "")},
    ):
        assert_error(client.post(URL, data=data), 400, "no_photo")
    raw = client.post(URL, data=jpeg(), content_type="image/jpeg")
    assert_error(raw, 400, "no_photo")


def test_two_photos(client):
    photos = [(io.BytesIO(jpeg()), "1.jpg"), (io.BytesIO(jpeg()), "2.jpg")]
    assert_error(client.post(URL, data={"photo": photos}), 400, "too_many_photos")


def test_too_many_parts(client):
    data = {f"field{number}": "text" for number in range(100)}
    response = client.post(URL, data=data, content_type="multipart/form-data")
    assert_error(response, 413, "photo_too_large")


@pytest.mark.parametrize("chunked", [False, True])
def test_an_oversized_body(app, china_jpg, chunked):
    builder = EnvironBuilder(
        path=URL,
        method="POST",
        data=form_of(bytes(11 << 20)),
        content_type=MULTIPART,
    )
    environ = builder.get_environ()
    if chunked:
        del environ["CONTENT_LENGTH"]
        environ["wsgi.input_terminated"] = True
    response = app.test_client().open(environ)
    assert_error(response, 413, "photo_too_large")
    assert "10 MiB" in response.json["error"]["message"]
    assert post(app.test_client(), china_jpg.read_bytes()).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x",
        b"--x\r\nContent-Disposition: form-data; name=photo; filename=a\r\n\r\n",
        b"--x\r\n\r\n\r\n--x--",
        b"--x\r\nContent-Disposition: form-data; name*=utf-8''%FF\r\n\r\na\r\n--x--",
        b"\0" * 300_000,
    ],
)
def test_a_torn_form(client, body):
    response = client.post(
        URL, data=body, content_type="multipart/form-data; boundary=x"
    )
    assert 400 <= response.status_code < 500
    assert set(response.json) == {"error"}


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "a\0b.jpg",
        "写真.jpg",
        "\u202egpj.exe",
        "x" * 5000,
        "<b>.jpg",
    ],
)
def test_file_names_are_never_read(client, name):
    assert post(client, jpeg(), name).status_code == 200
    refused = post(client, b"text", name)
    assert_error(refused, 415, "unsupported_photo")
    assert name not in refused.text


def test_wrong_addresses_and_methods(client):
    assert_error(client.get("/api/v1/nothing"), 404, "not_found")
    refused = client.get(URL)
    assert_error(refused, 405, "method_not_allowed")
    assert "POST" in refused.headers["Allow"]


def test_an_unexpected_error_tells_nothing(caplog):
    app = small_app()

    @app.get("/api/v1/broken")
    def broken():
        raise RuntimeError("/secret/path")

    response = app.test_client().get("/api/v1/broken")
    assert_error(response, 500, "internal_error")
    assert "secret" not in response.text
    assert response.json["error"]["request_id"] in caplog.text


def test_every_kind_of_bad_photo_gets_its_answer_and_leaves_nothing(
    client, china_jpg, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    wrong = []
    for case in a_few_bad_photos():
        response = post(client, case.payload)
        expected = case.expected.code if case.expected else None
        code = response.json.get("error", {}).get("code")
        if (response.status_code, code) != (case.status or 200, expected):
            wrong.append((case.name, response.status_code, code))
    assert wrong == []
    assert list(tmp_path.iterdir()) == []
    assert post(client, china_jpg.read_bytes()).status_code == 200


def test_a_large_photo_stays_out_of_temporary_files(
    client, china_jpg, tmp_path, monkeypatch
):
    # with no place for temporary files, a spooled upload could not be received
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    photo = china_jpg.read_bytes() + bytes(5 << 20)  # trailing bytes are let in
    assert post(client, photo).status_code == 200


# --- Admission ------------------------------------------------------------------------


def test_beyond_its_places_the_model_is_busy_and_health_is_not():
    app = small_app(MAX_RUNNING=1, MAX_WAITING=0)
    client = app.test_client()
    with state_of(app).admission.admit():
        refused = post(client, jpeg())
        assert_error(refused, 503, "busy")
        assert int(refused.headers["Retry-After"]) > 0
        assert client.get("/livez").status_code == 200
        assert client.get("/readyz").status_code == 200
        page = client.post("/", data={"photo": (io.BytesIO(jpeg()), "a.jpg")})
        assert page.status_code == 503
        assert "busy" in page.text
    assert post(client, jpeg()).status_code == 200


def test_a_place_to_wait_is_given_up_in_time():
    admission = Admission(max_running=1, max_waiting=1, max_wait_s=0.05)
    with admission.admit():
        with pytest.raises(Busy), admission.admit():
            pass
        assert admission.inside == 1
    with admission.admit():
        assert admission.inside == 1


def test_never_more_run_than_may():
    admission = Admission(max_running=2, max_waiting=50, max_wait_s=30)
    lock, running, most = threading.Lock(), 0, 0
    together = threading.Barrier(2)

    def work():
        nonlocal running, most
        with admission.admit():
            with lock:
                running += 1
                most = max(most, running)
            together.wait(timeout=30)  # two do run at the same time
            with lock:
                running -= 1

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2
    assert admission.inside == 0


# --- Settings -------------------------------------------------------------------------


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("LABLR_MAX_RUNNING", "3")
    monkeypatch.setenv("LABLR_MAX_WAIT_S", "1.5")
    assert Settings.read({}) == Settings(max_running=3, max_wait_s=1.5)
    assert Settings.read({"MAX_RUNNING": 4}).max_running == 4


@pytest.mark.parametrize(
    ("name", "value"),
    [("MAX_RUNNING", "0"), ("MAX_WAITING", "few"), ("MAX_WAIT_S", "nan")],
)
def test_a_bad_setting_is_named(monkeypatch, name, value):
    monkeypatch.setenv(f"LABLR_{name}", value)
    with pytest.raises(SettingError, match=f"LABLR_{name} must be"):
        Settings.read({})
