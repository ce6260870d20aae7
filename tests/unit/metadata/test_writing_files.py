"""Files are replaced whole, and come back byte for byte."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from exif_reader import read_lists
from photo_makers import jpeg, photo, save

from lablr.errors import MissingExtra, WritingError
from lablr.metadata import Keyword, undo, write_tags
from lablr.metadata import files as files_room
from lablr.metadata.journal import WriteJournal
from lablr.metadata.run import forget, list_runs
from lablr.metadata.sidecars import sidecar_of

BEACH = [Keyword("beach", "accepted")]
SEA = [Keyword("sea")]
LONG_AGO_NS = 1_000_000_000_123_456_789


@pytest.fixture
def state(tmp_path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def folder(tmp_path) -> Path:
    """Four photos, two of them the same bytes, last changed long ago."""
    folder = tmp_path / "photos"
    folder.mkdir()
    files = {"a.jpg": jpeg(), "b.jpg": jpeg(), "c.png": save(photo(), "PNG")}
    for name, content in {**files, "d.webp": save(photo(), "WEBP")}.items():
        (folder / name).write_bytes(content)
        os.utime(folder / name, ns=(LONG_AGO_NS, LONG_AGO_NS))
    return folder


def snapshot(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Name -> content, mode and time of change of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): (
            path.read_bytes(),
            path.stat().st_mode,
            path.stat().st_mtime_ns,
        )
        for path in folder.rglob("*")
        if path.is_file()
    }


def photos_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def write(photos: Iterable[Path], state: Path, keywords=BEACH, **options) -> list[str]:
    wanted = dict.fromkeys(photos, keywords)
    return [one.status for one in write_tags(wanted, state=state, **options)]


def statuses(outcomes) -> list[str]:
    return [outcome.status for outcome in outcomes]


def test_written_and_undone(folder, state):
    before = snapshot(folder)
    (folder / "a.jpg").chmod(0o640)
    photos = photos_in(folder)
    assert write(photos, state) == ["written"] * 4
    for path in photos:
        assert path.read_bytes() != before[path.name][0]
        assert path.stat().st_mtime_ns > LONG_AGO_NS
    assert stat.S_IMODE((folder / "a.jpg").stat().st_mode) == 0o640
    assert write(photos, state) == ["unchanged"] * 4
    assert statuses(undo(state)) == ["restored"] * 4
    (folder / "a.jpg").chmod(stat.S_IMODE(before["a.jpg"][1]))
    assert snapshot(folder) == before
    assert not (folder / ".lablr").exists()
    with pytest.raises(WritingError, match="nothing to undo"):
        statuses(undo(state))


def test_undo_goes_back_run_by_run(folder, state):
    photos = photos_in(folder)
    before = snapshot(folder)
    write(photos, state)
    between = {path: path.read_bytes() for path in photos}
    write(photos[:2], state, SEA)
    first, second = (run.name for run in list_runs(state))
    # The older run cannot be undone under the newer.
    outcomes = list(undo(state, first))
    assert statuses(outcomes) == ["restored", "restored", "failed", "failed"]
    assert "changed since" in str(outcomes[-1].error)
    assert statuses(undo(state)) == ["restored"] * 2
    assert {path: path.read_bytes() for path in photos[:2]} == {
        path: between[path] for path in photos[:2]
    }
    assert statuses(undo(state, first)) == ["restored"] * 2
    assert snapshot(folder) == before
    with pytest.raises(WritingError, match="nothing is left"):
        statuses(undo(state, second))
    with pytest.raises(WritingError, match="no run"):
        statuses(undo(state, "nonesuch"))


def test_what_somebody_changed_since_is_left_alone(folder, state):
    photos = photos_in(folder)
    before = {path: path.read_bytes() for path in photos}
    write(photos, state)
    photos[0].write_bytes(b"edited")
    photos[1].unlink()
    outcomes = {outcome.photo: outcome for outcome in undo(state)}
    assert "changed since" in str(outcomes[photos[0]].error)
    assert "not there" in str(outcomes[photos[1]].error)
    assert photos[0].read_bytes() == b"edited"
    assert not photos[1].exists()
    assert [path.read_bytes() for path in photos[2:]] == [*before.values()][2:]
    # Its bytes from before are still kept.
    (kept,) = (folder / ".lablr").glob("*/*")
    assert kept.read_bytes() == before[photos[0]]


def test_a_backup_that_is_damaged_is_not_put_back(folder, state):
    photo = folder / "a.jpg"
    write([photo], state)
    after = photo.read_bytes()
    (backup,) = (folder / ".lablr").glob("*/*")
    backup.write_bytes(backup.read_bytes()[:-1])
    (outcome,) = undo(state)
    assert "damaged" in str(outcome.error)
    assert photo.read_bytes() == after
    backup.unlink()
    (outcome,) = undo(state)
    assert "backup" in str(outcome.error)


def test_runs_can_be_forgotten(folder, state):
    write(photos_in(folder), state)
    after = snapshot(folder)
    (run,) = list_runs(state)
    assert forget(state, run.name) == 4
    assert not (folder / ".lablr").exists()
    assert {k: v for k, v in after.items() if "/" not in k} == snapshot(folder)
    with pytest.raises(WritingError, match="nothing to undo"):
        statuses(undo(state))


def test_a_dry_run_touches_nothing(folder, state):
    before = snapshot(folder)
    wanted = dict.fromkeys(photos_in(folder), BEACH)
    outcomes = list(write_tags(wanted, state=state, dry_run=True))
    assert statuses(outcomes) == ["would be written"] * 4
    assert outcomes[0].added["dc:subject"] == ("beach",)
    assert outcomes[0].run is None
    assert write(wanted, state, sidecar=True, dry_run=True) == ["would be written"] * 4
    assert snapshot(folder) == before
    assert not state.exists()


# --- what is refused


def refused(folder: Path, kind: str) -> Path:
    """Make something in the folder that must not be written."""
    path = folder / "x.jpg"
    if kind == "link":
        path.symlink_to(folder / "a.jpg")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("<html>")
    elif kind == "cut short":
        path.write_bytes(jpeg()[:-30])
    elif kind == "write-protected":
        path.write_bytes(jpeg())
        path.chmod(0o444)
    return path


@pytest.mark.parametrize(
    "kind",
    ["missing", "link", "pipe", "folder", "text", "cut short", "write-protected"],
)
def test_what_cannot_be_written_is_said_and_the_others_go_on(folder, state, kind):
    path = refused(folder, kind)
    outcomes = list(write_tags({path: BEACH, folder / "a.jpg": BEACH}, state=state))
    assert statuses(outcomes) == ["failed", "written"]
    assert str(folder) not in str(outcomes[0].error)
    undone = list(undo(state))
    assert statuses(undone) == ["restored"]
    assert not (folder / ".lablr").exists()


def test_a_write_protected_folder_is_left_alone(folder, state):
    before = snapshot(folder)
    folder.chmod(0o555)
    try:
        for sidecar in (False, True):
            wanted = {folder / "a.jpg": BEACH}
            (outcome,) = write_tags(wanted, state=state, sidecar=sidecar)
            assert "folder is write-protected" in str(outcome.error)
    finally:
        folder.chmod(0o755)
    assert snapshot(folder) == before


def test_a_planted_folder_for_backups_is_not_followed(folder, state, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / ".lablr").symlink_to(elsewhere)
    assert write([folder / "a.jpg"], state) == ["failed"]
    assert not any(elsewhere.iterdir())
    assert (folder / "a.jpg").read_bytes() == jpeg()


def test_a_hard_linked_photo_has_a_backup_of_its_own(folder, state, tmp_path):
    photo = folder / "a.jpg"
    os.link(photo, tmp_path / "other name.jpg")
    write([photo], state)
    (backup,) = (folder / ".lablr").glob("*/*")
    assert backup.stat().st_nlink == 1
    assert (tmp_path / "other name.jpg").read_bytes() == backup.read_bytes() == jpeg()
    assert statuses(undo(state)) == ["restored"]


def test_an_unlinked_photo_is_backed_up_without_a_copy(folder, state):
    photo = folder / "a.jpg"
    inode = photo.stat().st_ino
    write([photo], state)
    (backup,) = (folder / ".lablr").glob("*/*")
    assert backup.stat().st_ino == inode


def test_one_process_writes_at_a_time(folder, state):
    journal = WriteJournal(state)
    try:
        with pytest.raises(WritingError, match="another process"):
            write([folder / "a.jpg"], state)
    finally:
        journal.close()
    assert write([folder / "a.jpg"], state) == ["written"]


def test_names_of_any_bytes(folder, state):
    path = Path(os.fsdecode(os.fsencode(folder) + b"/\xff \n.jpg"))
    shutil.copy(folder / "a.jpg", path)
    assert write([path], state) == ["written"]
    assert statuses(undo(state)) == ["restored"]
    assert path.read_bytes() == jpeg()


# --- sidecars


def test_a_sidecar_is_made_beside_any_photo_and_undone(folder, state):
    raw = folder / "IMG_1.CR2"
    raw.write_bytes(b"no photo that Exiv2 reads")
    before = snapshot(folder)
    wanted = {raw: BEACH, folder / "a.jpg": BEACH}
    assert write(wanted, state, sidecar=True) == ["written"] * 2
    for sidecar in (folder / "IMG_1.CR2.xmp", folder / "a.jpg.xmp"):
        lists = read_lists(sidecar)
        assert lists["dc:subject"] == lists["lr:hierarchicalSubject"] == ["beach"]
        assert lists["digiKam:TagsList"] == lists["lablr:accepted"] == ["beach"]
    assert write(wanted, state, SEA, sidecar=True) == ["written"] * 2
    assert read_lists(folder / "a.jpg.xmp")["dc:subject"] == ["beach", "sea"]
    assert statuses(undo(state)) == ["restored"] * 2
    assert statuses(undo(state)) == ["restored"] * 2
    assert snapshot(folder) == before


def test_a_new_sidecar_starts_with_the_tags_inside_the_photo(folder, state):
    photo = folder / "a.jpg"
    write([photo], state)
    write([photo], state, SEA, sidecar=True)
    assert read_lists(folder / "a.jpg.xmp")["dc:subject"] == ["beach", "sea"]


def test_sidecars_need_no_extra(folder, state, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyexiv2", None)
    (outcome,) = write_tags({folder / "a.jpg": BEACH}, state=state, sidecar=True)
    assert outcome.status == "written"
    assert "lablr[meta]" in outcome.notes[0]
    with pytest.raises(MissingExtra):
        write([folder / "a.jpg"], state)


def test_whose_sidecar_it_is(tmp_path):
    (tmp_path / "a.xmp").touch()
    assert sidecar_of(tmp_path / "a.nef").name == "a.xmp"
    assert sidecar_of(tmp_path / "a.jpg").name == "a.jpg.xmp"
    (tmp_path / "a.nef.xmp").touch()
    assert sidecar_of(tmp_path / "a.nef").name == "a.nef.xmp"
    assert sidecar_of(tmp_path / "b.nef").name == "b.nef.xmp"


def test_a_sidecar_that_is_no_xmp_is_left_alone(folder, state):
    sidecar = folder / "a.jpg.xmp"
    sidecar.write_text("<!DOCTYPE x><x/>")
    (outcome,) = write_tags({folder / "a.jpg": BEACH}, state=state, sidecar=True)
    assert "DOCTYPE" in str(outcome.error)
    assert sidecar.read_text() == "<!DOCTYPE x><x/>"


# --- failures at every step


@pytest.mark.parametrize("step", ["back up", "replace"])
def test_a_step_that_fails_leaves_everything_as_it_was(folder, state, step):
    journal = WriteJournal(state)
    journal.close()
    photo = folder / "a.jpg"
    name = {
        "back up": files_room.digest_of(photo.read_bytes()),
        "replace": "unfinished",
    }[step]
    # A folder stands where the step has to write a file.
    in_the_way = files_room.vault_of(photo, journal.name) / name
    in_the_way.mkdir(parents=True)
    before = snapshot(folder)
    (outcome,) = write_tags({photo: BEACH}, state=state)
    assert "Is a directory" in str(outcome.error)
    assert snapshot(folder) == before
    with pytest.raises(WritingError, match="nothing to undo"):
        statuses(undo(state))
    in_the_way.rmdir()
    assert write([photo], state) == ["written"]


def test_a_run_that_is_stopped_can_be_undone(folder, state):
    before = snapshot(folder)
    run = write_tags(dict.fromkeys(photos_in(folder), BEACH), state=state)
    next(run)
    next(run)
    run.close()
    going_back = undo(state)
    next(going_back)
    going_back.close()
    assert statuses(undo(state)) == ["restored"]
    assert snapshot(folder) == before


def test_a_torn_line_of_the_journal_is_dropped(folder, state):
    write([folder / "a.jpg"], state)
    journal = state / "write.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"run":"2025')
    assert len(list_runs(state)) == 1
    assert journal.read_bytes() == whole
    journal.write_bytes(whole.replace(b'"end"', b'"what"'))
    with pytest.raises(WritingError, match="damaged"):
        list_runs(state)
    journal.write_bytes(b"{}\n")
    with pytest.raises(WritingError, match="no journal"):
        list_runs(state)
