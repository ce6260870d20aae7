"""Rating over HTTP, as without JavaScript: nothing lost, doubled or open."""

from __future__ import annotations

import io
import logging
import stat
from pathlib import Path

import numpy as np
import pytest
from judging_pages import SECRET, Form, field, stored
from PIL import Image
from small_app import small_app
from werkzeug.security import generate_password_hash

from lablr.annotation.database.database import Database
from lablr.annotation.export import write_export
from lablr.annotation.results import results_of
from lablr.photos import bounded_image
from webapp.http.secret_key import kept_secret
from webapp.state.settings import SettingError

JSON = {"Accept": "application/json"}


@pytest.fixture
def path(tmp_path: Path, china_jpg: Path, flower_jpg: Path) -> Path:
    path = tmp_path / "judgements.sqlite"
    with Database(str(path)) as database:
        stored(database, [china_jpg, flower_jpg], 4)
    return path


def app_on(path: Path, **settings: str):
    given = {"DATABASE": str(path), "SECRET_KEY": SECRET, **settings}
    return small_app(**given)


@pytest.fixture
def app(path: Path):
    return app_on(path)


@pytest.fixture
def ann(app) -> Form:
    form = Form(app.test_client())
    assert form.sign_in("ann").status_code == 303
    return form


def verdicts(path: Path) -> int:
    with Database(str(path)) as database:
        return results_of(database).n_ratings


def test_judging_is_off_without_a_database():
    client = small_app().test_client()
    for address in ("/rate", "/results"):
        page = client.get(address)
        assert "Judging is off" in page.text
        assert "lablr serve --judge" in page.text
    assert ">Judge</a>" not in client.get("/").text
    assert client.post("/rate/ratings").status_code == 404


def test_a_rating_is_stored_once_however_often_it_is_sent(ann, path):
    fields = ann.fields()
    for _ in range(3):
        assert ann.rate("top_right", fields).status_code == 303
    assert verdicts(path) == 1
    assert ann.fields()["photo"] != fields["photo"]
    another = {**fields, "token": "of another act"}
    page = ann.rate("none_right", another)
    assert page.status_code == 409
    assert "judged already" in page.text
    assert verdicts(path) == 1


def test_marks_and_typed_tags_are_kept(ann, path):
    marks = {"tag-1": "no", "tag-2": "yes", "typed": "Roof, , sky"}
    assert ann.rate("one_of_k_right", **marks).status_code == 303
    with Database(str(path)) as database:
        rows = {row.tag: row for row in results_of(database).tags}
    assert (rows["temple"].right.n_right, rows["temple"].right.n) == (0, 1)
    assert (rows["sky"].right.n_right, rows["sky"].right.n) == (1, 1)
    assert rows["roof"].n_typed == 1


def test_a_contradiction_keeps_the_marks(ann, path):
    page = ann.rate("top_right", **{"tag-1": "no", "typed": "roof"})
    assert page.status_code == 422
    assert "contradicts" in page.text
    assert 'name="tag-1" value="no" checked' in page.text
    assert 'value="roof"' in page.text
    assert verdicts(path) == 0


def test_undo_and_skip(ann, path):
    first = ann.fields()["photo"]
    ann.rate("top_right")
    second = ann.fields()
    assert ann.press("skips").status_code == 303
    assert "1 skipped" in ann.client.get("/rate").text
    again = ann.press("undo")
    assert again.headers["Location"].endswith(f"photo={second['photo']}")
    stale = {**second, "done": "2"}  # the undo of a skip, sent twice
    ann.client.post("/rate/undo", data=stale)
    assert verdicts(path) == 1
    assert ann.press("undo").headers["Location"].endswith(f"photo={first}")
    assert verdicts(path) == 0


def test_two_raters_each_resume_where_they_were(app, ann, path):
    bob = Form(app.test_client())
    bob.sign_in("bob")
    ann.rate("top_right")
    ann.rate("top_right")
    bob.rate("none_right")
    assert (ann.fields()["photo"], bob.fields()["photo"]) == ("3", "2")
    assert verdicts(path) == 3
    again = Form(app_on(path).test_client())
    again.sign_in("ann")
    assert again.fields()["photo"] == "3"
    again.rate("top_right")
    again.rate("top_right")
    assert "All photos are judged" in again.client.get("/rate").text


def test_json_for_the_script(ann, path):
    answer = ann.client.post(
        "/rate/ratings", data={**ann.fields(), "verdict": "top_right"}, headers=JSON
    )
    assert answer.json["n_judged"] == 1
    assert field(answer.json["html"], "photo") == str(answer.json["photo"])
    refused = ann.client.post(
        "/rate/ratings", data={**ann.fields(), "verdict": "maybe"}, headers=JSON
    )
    assert refused.status_code == 422
    assert refused.json["error"]["code"] == "judgement_error"
    for name, wrong in (("photo", "99"), ("photo", "x"), ("k", "10"), ("order", "?")):
        fields = {**ann.fields(), name: wrong}
        assert ann.rate("top_right", fields).status_code in (400, 422)
    assert verdicts(path) == 1


def test_only_the_signed_in_and_only_their_own_forms(app, ann, path):
    stranger = app.test_client()
    assert stranger.get("/rate").headers["Location"].startswith("/rate/sign-in")
    assert stranger.get("/rate/photos/1").status_code == 401
    assert stranger.post("/rate/ratings", headers=JSON).status_code == 401
    forged = {**ann.fields(), "csrf": "0" * 32}
    assert ann.rate("top_right", forged).status_code == 403
    assert ann.rate("top_right", {**forged, "csrf": ""}).status_code == 403
    assert verdicts(path) == 0
    cookie = ann.client.get_cookie("lablr_rater")
    assert (cookie.http_only, cookie.same_site, cookie.secure) == (True, "Lax", False)
    ann.client.set_cookie("lablr_rater", cookie.value[:-3] + "abc")
    assert ann.client.get("/rate").status_code == 303


def test_listed_raters_and_passwords(path):
    kept = generate_password_hash("secret", method="scrypt:1024:8:1")
    app = app_on(path, RATERS=f"ann:{kept}, bob")
    for name, password, status in (
        ("ann", "secret", 303),
        ("ann", "wrong", 403),
        ("ann", "", 403),
        ("bob", "", 303),
        ("eve", "", 403),
    ):
        assert Form(app.test_client()).sign_in(name, password).status_code == status
    with pytest.raises(SettingError, match="LABLR_RATERS must be") as caught:
        app_on(path, RATERS="ann:in the clear")
    assert "clear" not in str(caught.value)


def test_unlisted_names_only_from_this_machine(app):
    far = {"environ_overrides": {"REMOTE_ADDR": "192.0.2.1"}}
    assert Form(app.test_client()).sign_in("ann", **far).status_code == 403
    rebound = {"headers": {"Host": "evil.example"}}
    assert Form(app.test_client()).sign_in("ann", **rebound).status_code == 403


def test_attempts_to_sign_in_are_limited(app):
    eve = Form(app.test_client())
    found = [eve.sign_in("").status_code for _ in range(12)]
    assert found[:10] == [403] * 10
    assert 429 in found[10:]


def test_photos_go_out_encoded_anew_and_bounded(ann, path, tmp_path, china_jpg):
    large = tmp_path / "large.jpg"
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "where I live"
    Image.new("RGB", (4000, 2000), "red").save(large, exif=exif)
    with Database(str(path)) as database:
        stored(database, [large], 1)  # photo-0 has moved
    answer = ann.client.get("/rate/photos/1")
    image = Image.open(io.BytesIO(answer.data))
    assert image.size == (800, 1600)  # upright
    assert b"where I live" not in answer.data
    assert "private" in answer.headers["Cache-Control"]
    etag = {"If-None-Match": answer.headers["ETag"]}
    assert ann.client.get("/rate/photos/1", headers=etag).status_code == 304
    assert ann.client.get("/rate/photos/99").status_code == 404
    large.unlink()
    assert ann.client.get("/rate/photos/1").status_code == 404


@pytest.mark.parametrize("place", ["../out.jpg", "{out}", "link.jpg", "http://x/y.jpg"])
def test_no_photo_outside_the_folder(path, tmp_path, china_jpg, place):
    inside, out = tmp_path / "photos", tmp_path / "out.jpg"
    inside.mkdir()
    out.write_bytes(china_jpg.read_bytes())
    (inside / "in.jpg").write_bytes(china_jpg.read_bytes())
    (inside / "link.jpg").symlink_to(out)
    with Database(str(path)) as database:
        stored(database, [Path("in.jpg")], 1)
    form = Form(app_on(path, PHOTOS=str(inside)).test_client())
    form.sign_in("ann")
    assert form.client.get("/rate/photos/1").status_code == 200
    with Database(str(path)) as database:
        stored(database, [place.format(out=out)], 1)
    assert form.client.get("/rate/photos/1").status_code in (404, 415)


def test_a_database_that_is_gone_is_said_and_met_again(ann, path, caplog):
    fields, elsewhere = ann.fields(), path.with_name("elsewhere")
    path.rename(elsewhere)
    with caplog.at_level(logging.CRITICAL):
        answer = ann.rate("top_right", fields)
    assert answer.status_code == 503
    assert "cannot be reached" in answer.text
    assert not path.exists()
    elsewhere.rename(path)
    assert ann.rate("top_right", fields).status_code == 303
    assert verdicts(path) == 1


def test_uncertain_first_is_explained(ann):
    page = ann.client.get("/rate?order=uncertain&k=3").text
    assert "entropy" in page
    assert field(page, "order") == "uncertain"
    assert 'name="tag-3"' in page
    assert 'name="tag-4"' not in page


def test_the_secret_is_made_once_and_kept_private(tmp_path):
    path = tmp_path / "state" / "secret-key"
    secret = kept_secret(path)
    assert kept_secret(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    path.chmod(0o644)
    with pytest.raises(SettingError, match="chmod 600"):
        kept_secret(path)
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(SettingError, match="holds no secret"):
        kept_secret(path)


def test_a_bounded_image_is_the_whole_photo_and_never_larger(china_jpg):
    whole = bounded_image(china_jpg, 2000)
    assert whole.shape == (427, 640, 3)
    small = bounded_image(china_jpg, 64)
    assert small.shape == (43, 64, 3)
    means = whole.mean((0, 1)), small.mean((0, 1))
    assert np.abs(means[0] - means[1]).max() < 3


def test_results_without_javascript(ann, path):
    assert "Nothing is judged yet" in ann.client.get("/results").text
    for verdict in ("top_right", "none_right", "one_of_k_right"):
        ann.rate(verdict)
    page = ann.client.get("/results?threshold=0.95").text
    assert "1 of 3 photos" in page
    assert "2 of 3 photos" in page
    assert '<dd id="accepted">0</dd>' in page
    assert ann.client.get("/results?threshold=2").status_code == 400
    figures = ann.client.get("/results/figures").json
    assert figures["effects"][900] == [1, 2]
    assert figures["effects"][901] == [0, 0]
    assert (figures["n_right"], figures["n_wrong"]) == (1, 2)


@pytest.mark.parametrize("kind", ["tsv", "csv", "json"])
def test_the_export_is_that_of_the_command(ann, path, kind):
    ann.rate("top_right", typed="roof")
    ann.press("skips")
    expected = io.StringIO()
    with Database(str(path)) as database:
        write_export(database, expected, kind)
    answer = ann.client.get(f"/results/judgements.{kind}")
    assert answer.text == expected.getvalue()
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert ann.client.get("/results/judgements.xls").status_code == 404


def test_results_are_for_the_signed_in(app):
    client = app.test_client()
    assert client.get("/results").headers["Location"].endswith("aim=results.show")
    assert client.get("/results/judgements.csv").status_code == 401
    assert client.get("/results/figures").status_code == 401
