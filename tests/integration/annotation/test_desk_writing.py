"""From the desk into files, and out of them again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from desk_makers import Client, desk_app
from exif_reader import read_lists

from lablr.metadata import Keyword, undo, write_tags
from lablr.metadata.journal import WriteJournal
from lablr.photos import read_image

A, B = "tag00000", "tag00001"
LONG_AGO_NS = 1_000_000_000_123_456_789


@pytest.fixture
def desk(folder: Path, small_model: str, state: Path) -> Client:
    return Client(desk_app(folder, small_model).test_client())


@pytest.fixture
def decided(desk: Client) -> Client:
    """A is accepted and New York typed on two photos."""
    ids = desk.ids("china.jpg", "small.png")
    desk.post("steps", {"photos": ids, "accept": [A], "type": ["New York"]})
    return desk


def mtime_ns(path: Path) -> int:
    return path.stat().st_mtime_ns


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), mtime_ns(path))
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_dry_run_shows_the_difference_and_changes_nothing(decided, folder, state):
    before = contents(folder)
    *lines, total = decided.post("write", {"photos": None, "dry_run": True})
    assert [line["name"] for line in lines] == ["china.jpg", "small.png"]
    for line in lines:
        assert line["status"] == "would be written"
        assert (line["added"], line["error"]) == ([A, "New York"], None)
    assert total == {"run": None, "n_written": 0, "n_failed": 0}
    assert contents(folder) == before
    assert not (state / "write.jsonl").exists()
    assert all(one["written"] == [] for one in decided.photos().values())


def test_tags_go_into_photos_with_where_they_are_from(decided, folder):
    pixels = read_image(folder / "china.jpg")
    *lines, total = decided.post("write", {"photos": None})
    assert [line["status"] for line in lines] == ["written", "written"]
    assert (total["n_written"], total["n_failed"]) == (2, 0)
    for name in ("china.jpg", "small.png"):
        lists = read_lists(folder / name)
        assert lists["dc:subject"] == [A, "New York"]
        assert lists["lablr:accepted"] == [A]
        assert lists["lablr:typed"] == ["New York"]
    assert (read_image(folder / "china.jpg") == pixels).all()
    photos = decided.photos()
    assert photos["china.jpg"]["written"] == ["New York", A]
    assert photos["sub/flower.jpg"]["written"] == []
    # nothing is left to write, and what is asked for again is there already
    assert len(decided.post("write", {"photos": None})) == 1
    (number,) = decided.ids("china.jpg")
    line, total = decided.post("write", {"photos": [number]})
    assert (line["status"], line["added"], total["run"]) == ("unchanged", [], None)
    assert decided.ask(number)["in_file"] == [A, "New York"]


def test_undo_gives_every_byte_back(decided, folder):
    for name in ("china.jpg", "small.png"):
        os.utime(folder / name, ns=(LONG_AGO_NS, LONG_AGO_NS))
    before = contents(folder)
    *_, total = decided.post("write", {"photos": None})
    assert contents(folder) != before
    *lines, undone = decided.post("write/undo", {"run": total["run"]})
    assert {line["status"] for line in lines} == {"restored"}
    assert undone == {"run": total["run"], "n_written": 2, "n_failed": 0}
    assert contents(folder) == before
    assert decided.photos()["china.jpg"]["written"] == []
    assert decided.photos()["china.jpg"]["accepted"] == [A]
    assert decided.refused("write/undo", {"run": None}, 409) == "nothing_to_undo"
    assert decided.refused("write/undo", {"run": "of nobody"}, 404) == "no_run"
    assert decided.refused("write/undo", {"run": 1}) == "bad_parameter"
    assert len(decided.post("write", {"photos": None})) == 3


def test_undo_after_a_restart_is_of_the_desks_own_run(
    decided, folder, small_model, state, tmp_path, china_jpg
):
    before = contents(folder)
    decided.post("write", {"photos": None})
    elsewhere = tmp_path / "elsewhere.jpg"
    elsewhere.write_bytes(china_jpg.read_bytes())
    wanted = {elsewhere: [Keyword("beach")]}
    (other,) = write_tags(wanted, state=state)
    again = Client(desk_app(folder, small_model).test_client())
    again.photos()
    assert again.refused("write/undo", {"run": other.run}, 404) == "no_run"
    assert len(again.post("write/undo", {"run": None})) == 3
    assert contents(folder) == before
    assert elsewhere.read_bytes() != china_jpg.read_bytes()


def test_undo_by_the_command_is_seen(decided, folder, state):
    decided.post("write", {"photos": None})
    assert len(list(undo(state))) == 2
    photos = decided.photos()
    assert photos["china.jpg"]["written"] == []
    assert len(decided.post("write", {"photos": None})) == 3


def test_a_file_is_not_looked_at_again_because_it_was_written(decided, folder):
    (number,) = decided.ids("china.jpg")
    decided.ask(number)
    decided.post("write", {"photos": None})
    assert decided.photos()["china.jpg"]["state"] == "suggested"
    decided.post("write/undo", {"run": None})
    assert decided.photos()["china.jpg"]["state"] == "suggested"
    assert decided.photos()["small.png"]["state"] == "new"


def test_more_tags_join_those_that_were_written(decided, folder):
    (number,) = decided.ids("china.jpg")
    decided.post("write", {"photos": [number]})
    decided.post("steps", {"photos": [number], "accept": [B], "clear": [A]})
    line, _ = decided.post("write", {"photos": [number]})
    assert line["added"] == [B]
    # the person's choice came later than the file; what is in it is still shown
    assert decided.photos()["china.jpg"]["written"] == ["New York", A, B]
    assert read_lists(folder / "china.jpg")["dc:subject"] == [A, "New York", B]


def test_sidecars_leave_the_photos_alone(decided, folder):
    before = contents(folder)
    *_, total = decided.post("write", {"photos": None, "sidecar": True})
    assert total["n_written"] == 2
    after = contents(folder)
    assert {*after} - {*before} == {"china.jpg.xmp", "small.png.xmp"}
    assert {name: after[name] for name in before} == before
    assert decided.photos()["china.jpg"]["written"] == ["New York", A]
    (number,) = decided.ids("china.jpg")
    assert decided.ask(number)["in_file"] == [A, "New York"]
    decided.post("write/undo", {"run": total["run"]})
    assert contents(folder) == before
    assert decided.photos()["china.jpg"]["written"] == []


def test_what_cannot_be_written_is_named_and_the_others_go_on(decided, folder):
    (folder / "china.jpg").chmod(0o444)
    *lines, total = decided.post("write", {"photos": None})
    assert [line["status"] for line in lines] == ["failed", "written"]
    assert lines[0]["error"]["code"] == "writing_error"
    assert str(folder) not in lines[0]["error"]["message"]
    assert (total["n_written"], total["n_failed"]) == (1, 1)
    assert decided.photos()["china.jpg"]["written"] == []
    # the mode is put right: what failed is what is left
    (folder / "china.jpg").chmod(0o644)
    line, _ = decided.post("write", {"photos": None})
    assert line["name"] == "china.jpg"


def test_a_folder_that_is_read_only(decided, folder):
    before = contents(folder)
    folder.chmod(0o555)
    try:
        *lines, total = decided.post("write", {"photos": None})
        assert [line["status"] for line in lines] == ["failed", "failed"]
        assert (total["run"], total["n_failed"]) == (None, 2)
        assert contents(folder) == before
        assert decided.photos()["china.jpg"]["accepted"] == [A]
    finally:
        folder.chmod(0o755)


def test_a_file_that_was_changed_since_is_not_undone(decided, folder):
    decided.post("write", {"photos": None})
    mine = (folder / "small.png").read_bytes()
    (folder / "china.jpg").write_bytes(mine)
    lines = decided.post("write/undo", {"run": None})[:-1]
    status = {line["name"]: line["status"] for line in lines}
    assert status == {"china.jpg": "failed", "small.png": "restored"}
    assert (folder / "china.jpg").read_bytes() == mine


def test_while_another_process_writes_nothing_is_written(decided, folder, state):
    before = contents(folder)
    journal = WriteJournal(state)
    try:
        assert decided.refused("write", {"photos": None}, 409) == "writing_error"
        assert decided.refused("write/undo", {}, 409) == "writing_error"
        assert decided.photos()["china.jpg"]["accepted"] == [A]
    finally:
        journal.close()
    assert contents(folder) == before


def test_who_goes_away_leaves_the_rest_unwritten_and_the_journal(decided, folder):
    answer = decided.client.post("/desk/write", json={"photos": None}, buffered=False)
    first = json.loads(next(answer.iter_encoded()))
    answer.close()
    assert first["name"] == "china.jpg"
    photos = decided.photos()
    assert photos["china.jpg"]["written"] == ["New York", A]
    assert photos["small.png"]["written"] == []
    (line, _) = decided.post("write", {"photos": None})
    assert line["name"] == "small.png"


def test_what_makes_no_sense_is_refused(decided, folder):
    before = contents(folder)
    for given in (
        {"photos": [99]},
        {"photos": "all"},
        {"photos": []},
        {"photos": None, "sidecar": "yes"},
        {"photos": None, "dry_run": 1},
    ):
        decided.refused("write", given)
    assert contents(folder) == before
