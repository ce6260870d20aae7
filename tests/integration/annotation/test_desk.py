"""The desk over HTTP: photos, suggestions, steps, and what is refused."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

import pytest
from desk_makers import Client, desk_app
from photo_makers import jpeg, photo, save
from PIL import Image

from lablr.errors import UnsupportedPhoto
from lablr.photos import photo_kind
from webapp import create_app
from webapp.desk import photos
from webapp.state import state_of
from webapp.state.settings import SettingError

A, B, C = "tag00000", "tag00001", "tag00002"


@pytest.fixture
def app(folder: Path, small_model: str, state: Path):
    return desk_app(folder, small_model)


@pytest.fixture
def desk(app) -> Client:
    return Client(app.test_client())


def drop(desk: Client, *files: tuple[bytes, str], status: int = 200):
    sent = [(io.BytesIO(content), name) for content, name in files]
    answer = desk.client.post("/desk/photos", data={"photo": sent})
    assert answer.status_code == status, answer.text
    return answer.json


# --- on and off


def test_the_desk_is_off_unless_a_folder_is_named(small_model, state):
    client = create_app({"TESTING": True, "BUNDLE": small_model}).test_client()
    assert "lablr desk PHOTOS" in client.get("/desk").text
    assert ">Desk</a>" not in client.get("/").text
    assert client.get("/desk/photos").status_code == 404
    assert client.post("/desk/steps", json={}).status_code == 404
    assert not state.exists()


def test_a_folder_that_is_none_is_named_at_the_start(folder, small_model, state):
    for place in (folder / "nowhere", folder / "china.jpg"):
        with pytest.raises(SettingError, match="LABLR_DESK: there is no folder"):
            desk_app(place, small_model)


def test_the_page_is_in_the_menu(desk):
    assert ">Desk</a>" in desk.client.get("/").text
    assert desk.client.get("/desk").status_code == 200


# --- photos


def test_photos_are_listed_by_name(desk, folder):
    (folder / ".hidden").mkdir()
    shutil.copy(folder / "china.jpg", folder / ".hidden")
    (folder / "notes.txt").write_text("no photo")
    answer = desk.client.get("/desk/photos").json
    assert answer["folder"] == str(folder)
    assert answer["n_steps"] == 0
    names = [photo["name"] for photo in answer["photos"]]
    assert names == ["china.jpg", "small.png", "sub/flower.jpg"]
    nothing = {key: [] for key in ("accepted", "typed", "rejected", "written")}
    for one in answer["photos"]:
        known = {"id": one["id"], "name": one["name"]}
        assert one == {**known, "state": "new", **nothing, "error": None}


def test_links_are_not_followed(desk, folder, tmp_path, china_jpg):
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.copy(china_jpg, outside / "secret.jpg")
    (folder / "link.jpg").symlink_to(outside / "secret.jpg")
    (folder / "linked").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    assert [*desk.photos()] == ["china.jpg", "small.png", "sub/flower.jpg"]
    # a folder that becomes a link afterwards
    (number,) = desk.ids("sub/flower.jpg")
    shutil.move(folder / "sub", outside / "sub")
    (folder / "sub").symlink_to(outside / "sub")
    before = (outside / "sub/flower.jpg").read_bytes()
    for what in ("image", "file", "suggestions"):
        answer = desk.client.get(f"/desk/photos/{number}/{what}")
        assert (answer.status_code, answer.json["error"]["code"]) == (404, "no_photo")
    desk.refused("write", {"photos": [number]})
    assert (outside / "sub/flower.jpg").read_bytes() == before


def test_a_name_that_is_not_text_can_be_shown(desk, folder):
    (folder / "china.jpg").rename(folder / os.fsdecode(b"\xff.jpg"))
    (number,) = desk.ids("\\xff.jpg")
    assert desk.ask(number)["photo"]["state"] == "suggested"
    assert desk.client.get(f"/desk/photos/{number}/file").status_code == 200


def test_the_picture_goes_out_without_what_the_file_carries(desk, folder):
    picture = photo(96, 64)
    exif = Image.Exif()
    exif[0x010E] = "where it was taken"
    (folder / "china.jpg").write_bytes(jpeg(picture, exif=exif))
    (number,) = desk.ids("china.jpg")
    answer = desk.client.get(f"/desk/photos/{number}/image?side=48")
    assert answer.mimetype == "image/jpeg"
    assert Image.open(io.BytesIO(answer.data)).size == (48, 32)
    assert b"taken" not in answer.data
    etag = {"If-None-Match": answer.headers["ETag"]}
    address = f"/desk/photos/{number}/image?side=48"
    assert desk.client.get(address, headers=etag).status_code == 304
    for side in ("0", "9999999", "big", "-1"):
        answer = desk.client.get(f"/desk/photos/{number}/image?side={side}")
        assert answer.status_code == 400
    answer = desk.client.get(f"/desk/photos/{number}/file")
    assert answer.data == (folder / "china.jpg").read_bytes()
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.mimetype == "application/octet-stream"


def test_a_folder_that_is_gone_is_said(desk, folder, tmp_path):
    desk.post("steps", {"photos": desk.ids("china.jpg"), "accept": [A]})
    folder.rename(tmp_path / "unplugged")
    answer = desk.client.get("/desk/photos")
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "no_folder")
    assert str(folder) not in answer.text
    (tmp_path / "unplugged").rename(folder)
    assert desk.photos()["china.jpg"]["accepted"] == [A]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_the_door_tells_the_kind_of_a_photo(kind):
    assert photo_kind(save(photo(), kind)) == kind
    with pytest.raises(UnsupportedPhoto):
        photo_kind(b"no photo")


# --- dropped photos


def test_a_dropped_photo_is_copied_whole_and_once(desk, folder, state, china_jpg):
    content = china_jpg.read_bytes()
    (dropped,) = drop(desk, (content, "../../etc/My é photo!.JPG"))["photos"]
    assert dropped["name"] == "dropped/My é photo.jpg"
    assert dropped["state"] == "suggested"
    (again,) = drop(desk, (content, "My é photo.jpg"))["photos"]
    assert again["id"] == dropped["id"]
    (other,) = drop(desk, (jpeg(photo(96, 64)), "My é photo.jpg"))["photos"]
    assert other["name"] == "dropped/My é photo-2.jpg"
    kept = sorted(path for path in state.rglob("*.jpg"))
    assert [path.name for path in kept] == ["My é photo-2.jpg", "My é photo.jpg"]
    assert kept[1].read_bytes() == content
    assert len(desk.photos()) == 5
    answer = desk.client.get(f"/desk/photos/{dropped['id']}/file")
    assert answer.data == content


def test_what_is_no_photo_is_not_kept(desk, state, china_jpg):
    cut = china_jpg.read_bytes()[:20_000]
    assert drop(desk, (b"no photo", "a.jpg"), status=415)["error"]["code"] == (
        "unsupported_photo"
    )
    assert drop(desk, (cut, "b.jpg"), status=422)["error"]["code"] == "broken_photo"
    assert drop(desk, status=400)["error"]["code"] == "no_photo"
    first, second = drop(desk, (cut, "b.jpg"), (jpeg(photo(96, 64)), "c.jpg"))["photos"]
    assert (first["id"], first["error"]["code"]) == (None, "broken_photo")
    assert second["name"] == "dropped/c.jpg"
    assert [path.name for path in state.rglob("*.jpg")] == ["c.jpg"]


def test_a_desk_of_dropped_photos_only(small_model, state, china_jpg):
    desk = Client(desk_app("-", small_model).test_client())
    assert desk.photos() == {}
    (dropped,) = drop(desk, (china_jpg.read_bytes(), "china.jpg"))["photos"]
    assert desk.photos() == {"china.jpg": dropped}


# --- suggestions


def test_suggestions_listen_and_leave_out_what_was_decided(desk):
    number, small = desk.ids("china.jpg", "small.png")
    before = desk.ask(number, k=0)
    assert before["threshold"] > 0
    for one in before["suggestions"]:
        assert one["sure"] == (one["probability"] >= before["threshold"])
    assert len(before["suggestions"]) == 7
    desk.post("steps", {"photos": [number], "accept": [A], "reject": [B]})
    after = desk.ask(number, k=0)
    chances = {one["tag"]: one["probability"] for one in after["suggestions"]}
    old = {one["tag"]: one["probability"] for one in before["suggestions"]}
    assert {*old} - {*chances} == {A, B}
    assert any(chances[tag] != pytest.approx(old[tag]) for tag in chances)
    assert len(desk.ask(number, k=2)["suggestions"]) == 2
    # the same photo, smaller: nobody has looked at it before
    assert after["similar"] == []
    (like,) = desk.ask(small)["similar"]
    assert like["id"] == number
    assert like["similarity"] > 0.8


def test_at_most_so_many_photos_are_called_similar(desk, folder, monkeypatch):
    for number in range(3):
        shutil.copy(folder / "china.jpg", folder / f"again-{number}.jpg")
    monkeypatch.setattr(photos, "MAX_SIMILAR", 2)
    for number in desk.ids("again-0.jpg", "again-1.jpg", "again-2.jpg"):
        desk.ask(number)
    small, china = desk.ids("small.png", "china.jpg")
    desk.ask(small)
    found = desk.ask(china)["similar"]
    assert len(found) == 2
    assert small not in [one["id"] for one in found]  # the least like it of four


def test_a_photo_is_encoded_once_until_it_changes(desk, folder, app, china_jpg):
    (number,) = desk.ids("china.jpg")
    looked = state_of(app).metrics.stages["encode"]
    desk.ask(number)
    n_looks = looked_at(looked)
    desk.ask(number)
    restarted = desk_app(folder, str(app.config["BUNDLE"]))
    again = Client(restarted.test_client())
    assert again.photos()["china.jpg"]["state"] == "suggested"
    again.ask(number)
    assert looked_at(state_of(restarted).metrics.stages["encode"]) == 0
    assert looked_at(looked) == n_looks == 1
    Image.open(china_jpg).rotate(90).save(folder / "china.jpg")
    assert desk.photos()["china.jpg"]["state"] == "new"
    desk.ask(number)
    assert looked_at(looked) == 2


def looked_at(histogram) -> int:
    """How often a stage was timed."""
    (family,) = histogram.collect() if hasattr(histogram, "collect") else ()
    (count,) = (one for one in family.samples if one.name.endswith("_count"))
    return int(count.value)


def test_a_photo_that_cannot_be_read_says_why_until_it_can(desk, folder, china_jpg):
    (folder / "bad.jpg").write_bytes(china_jpg.read_bytes()[:9000])
    (number,) = desk.ids("bad.jpg")
    assert desk.ask(number, status=422)["error"]["code"] == "broken_photo"
    failed = desk.photos()["bad.jpg"]
    assert (failed["state"], failed["error"]["code"]) == ("failed", "broken_photo")
    shutil.copy(china_jpg, folder / "bad.jpg")
    assert desk.photos()["bad.jpg"]["state"] == "new"
    assert desk.ask(number)["photo"]["state"] == "suggested"


def test_files_that_go_and_come_back_keep_what_was_said(desk, folder, tmp_path):
    (number,) = desk.ids("china.jpg")
    desk.post("steps", {"photos": [number], "accept": [A]})
    shutil.move(folder / "china.jpg", tmp_path / "china.jpg")
    assert "china.jpg" not in desk.photos()
    assert desk.ask(number, status=404)["error"]["code"] == "unknown_photo"
    assert desk.refused("steps", {"photos": [number], "accept": [B]}) == "unknown_photo"
    shutil.move(tmp_path / "china.jpg", folder / "china.jpg")
    assert desk.photos()["china.jpg"]["accepted"] == [A]
    (folder / "china.jpg").unlink()
    assert desk.post("undo", {})["photos"] == []
    assert desk.refused("undo", {}, 409) == "nothing_to_undo"


# --- steps


def test_a_step_is_one_whatever_its_size(desk):
    ids = desk.ids()
    step = {"photos": ids, "accept": [A, B], "type": ["New York"], "reject": [C]}
    answer = desk.post("steps", step)
    assert answer["n_steps"] == 1
    assert [one["id"] for one in answer["photos"]] == ids
    for one in desk.photos().values():
        assert (one["accepted"], one["typed"]) == ([A, B], ["New York"])
        assert one["rejected"] == [C]
    answer = desk.post("steps", {"photos": ids[:1], "clear": [C, "new york"]})
    assert answer["photos"][0]["typed"] == []
    answer = desk.post("undo", {})
    assert answer["said"] == f"cleared {C}, New York on 1 photo"
    answer = desk.post("undo", {})
    said = f"accepted {A}, {B}; typed New York; rejected {C} on 3 photos"
    assert (answer["said"], answer["n_steps"]) == (said, 0)
    assert all(one["accepted"] == [] for one in desk.photos().values())


def test_the_same_step_sent_again_is_none(desk):
    (number,) = desk.ids("china.jpg")
    step = {"photos": [number, number], "accept": [A, A], "type": ["Sea", " sea "]}
    first = desk.post("steps", step)
    assert first["photos"][0]["typed"] == [" sea ".strip()]
    again = desk.post("steps", step)
    assert (again["step"], again["n_steps"], again["photos"]) == (None, 1, [])
    # a tag that it has keeps where it is from
    desk.post("steps", {"photos": [number], "type": [A, B]})
    desk.post("steps", {"photos": [number], "accept": [B]})
    kept = desk.photos()["china.jpg"]
    assert (kept["accepted"], kept["typed"]) == ([A], ["sea", B])


BAD_STEPS = [
    ({"photos": [99], "accept": [A]}, "unknown_photo"),
    ({"photos": [], "accept": [A]}, "unknown_photo"),
    ({"photos": ["1"], "accept": [A]}, "unknown_photo"),
    ({"photos": [True], "accept": [A]}, "unknown_photo"),
    ({"photos": [2**63], "accept": [A]}, "unknown_photo"),
    ({"accept": [A]}, "unknown_photo"),
    ({"photos": [1]}, "no_tag"),
    ({"photos": [1], "accept": [A], "reject": [A]}, "contradiction"),
    ({"photos": [1], "type": ["Sea"], "clear": ["sea"]}, "contradiction"),
    ({"photos": [1], "accept": ["no tag of the model"]}, "unknown_tag"),
    ({"photos": [1], "type": [" "]}, "bad_tag"),
    ({"photos": [1], "type": ["a\0b"]}, "bad_tag"),
    ({"photos": [1], "type": ["\ud800"]}, "bad_tag"),
    ({"photos": [1], "type": ["x" * 1001]}, "bad_tag"),
    ({"photos": [1], "type": [1]}, "bad_tag"),
    ({"photos": [1], "type": "sea"}, "bad_tag"),
    ({"photos": [1], "type": [f"t{n}" for n in range(201)]}, "bad_tag"),
]


def test_bad_steps_are_refused_and_not_kept(desk):
    desk.photos()
    for step, code in BAD_STEPS:
        assert (desk.refused("steps", step), step) == (code, step)
    assert desk.client.get("/desk/photos").json["n_steps"] == 0


def test_a_step_with_one_unknown_photo_changes_none(desk):
    ids = desk.ids()
    assert desk.refused("steps", {"photos": [*ids, 99], "accept": [A]})
    assert all(one["accepted"] == [] for one in desk.photos().values())


def test_two_browsers_at_once(app, desk):
    other = Client(app.test_client())
    number, second = desk.ids("china.jpg", "small.png")
    desk.post("steps", {"photos": [number], "accept": [A]})
    assert other.post("steps", {"photos": [second], "accept": [B]})["n_steps"] == 2
    # the first has not seen the other's step, and does not take it back unawares
    assert desk.refused("undo", {"n_steps": 1}, 409) == "not_up_to_date"
    assert desk.post("undo", {"n_steps": 2})["said"] == f"accepted {B} on 1 photo"
    assert other.post("undo", {})["said"] == f"accepted {A} on 1 photo"


def test_undo_after_a_restart(desk, folder, small_model):
    ids = desk.ids()
    for tag in (A, B):
        desk.post("steps", {"photos": ids, "accept": [tag]})
    again = Client(desk_app(folder, small_model).test_client())
    assert all(one["accepted"] == [A, B] for one in again.photos().values())
    assert again.post("undo", {})["said"] == f"accepted {B} on 3 photos"
    assert again.post("undo", {})["said"] == f"accepted {A} on 3 photos"


def test_every_folder_has_its_own_steps(desk, folder, small_model):
    desk.post("steps", {"photos": desk.ids(), "accept": [A]})
    below = Client(desk_app(folder / "sub", small_model).test_client())
    assert below.photos()["flower.jpg"]["accepted"] == []
    assert below.refused("undo", {}, 409) == "nothing_to_undo"
