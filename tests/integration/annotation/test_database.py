"""The database: opened by many, stored to in streams, its raters."""

from __future__ import annotations

import math
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from database_makers import MODEL, drawn_photos, on_both, rows_of
from sqlalchemy import text

from lablr.annotation import open_database
from lablr.annotation.database.migrations import HEAD, VERSIONS
from lablr.annotation.database.predictions import BATCH
from lablr.annotation.database.records import ModelRecord, PredictedTag, StoredPhoto
from lablr.annotation.database.tables import Table
from lablr.errors import DatabaseError, JudgementError, MissingExtra
from lablr.ranking.tagger import TagScore

# --- opened


@on_both
def test_the_migrations_make_the_tables(database):
    with database.reading() as session:
        context = MigrationContext.configure(session.connection())
        assert compare_metadata(context, Table.metadata) == []
        assert context.get_current_revision() == HEAD


def test_the_last_step_is_the_head():
    assert ScriptDirectory(VERSIONS.parent).get_current_head() == HEAD


def test_opening_again_finds_what_was_stored(database_url):
    with open_database(database_url) as database:
        database.store_predictions(MODEL, drawn_photos(3))
    with open_database(database_url) as database:
        assert database.models() == [MODEL]
        assert rows_of(database, "photos") == 3


@on_both
def test_threads_that_open_at_once(database_url):
    with ThreadPoolExecutor(4) as threads:
        opened = list(threads.map(open_database, [database_url] * 4))
    for each in opened:
        assert each.models() == []
        each.close()


def test_a_newer_database_is_refused(database_url):
    with open_database(database_url) as database, database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match=r"'9999'.*update Lablr"):
        open_database(database_url)


def test_tables_of_another_program_are_left_alone(database_url):
    with open_database(database_url) as database, database.writing() as session:
        session.execute(text("DROP TABLE alembic_version"))
    with pytest.raises(DatabaseError, match="not Lablr's: decisions, desk_changes"):
        open_database(database_url)


def test_the_file_is_for_its_owner_and_survives_a_power_cut(tmp_path):
    path = tmp_path / "judgements.sqlite"
    with open_database(str(path)) as database, database.reading() as session:
        found = {
            name: session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 30_000,
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_variable_names_the_database(tmp_path, monkeypatch):
    monkeypatch.setenv("LABLR_DATABASE", str(tmp_path / "named.sqlite"))
    open_database().close()
    assert (tmp_path / "named.sqlite").exists()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://someone:secret@host/x", "expected sqlite or postgresql"),
        ("://secret", "cannot be read"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
        ("nowhere/judgements.sqlite", "No such file"),
        ("postgresql://ann:secret@127.0.0.1:1/x", "Connection refused"),
    ],
)
def test_what_cannot_be_opened_is_said_without_the_password(
    tmp_path, monkeypatch, url, message
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatabaseError, match=message) as refusal:
        open_database(url)
    assert "secret" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_bytes(b"Dear Ann, " * 500)
    with pytest.raises(DatabaseError, match="not a database"):
        open_database(str(path))
    assert path.read_bytes() == b"Dear Ann, " * 500


def test_without_create_no_file_is_made(tmp_path):
    with pytest.raises(DatabaseError, match="there is no such file"):
        open_database(str(tmp_path / "new.sqlite"), create=False)
    assert list(tmp_path.iterdir()) == []


def test_without_sqlalchemy_the_extra_is_named():
    code = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "from lablr.annotation import open_database\n"
        "open_database('x.sqlite')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert f"{MissingExtra.__name__}: 'pip install lablr[judge]'" in done.stderr


# --- stored


@on_both
def test_predictions_come_back_as_they_were_stored(stocked):
    found, *_ = stocked.next_photos("ann")
    assert found.photo == StoredPhoto("photo-0", "photos/0.jpg", "")
    assert found.tags == (PredictedTag(1, "beach", 0.9), PredictedTag(2, "dog", 0.4))
    assert found.model == MODEL.digest


@on_both
def test_storing_again_changes_nothing_but_a_place(stocked):
    stocked.rate("ann", "photo-0", "top_right")
    stocked.store_predictions(MODEL, drawn_photos(5))
    moved = StoredPhoto("photo-1", "elsewhere/1.jpg", "b")
    stocked.store_predictions(MODEL, [(moved, [("beach", 0.9)])])
    assert rows_of(stocked, "photos") == 5
    assert rows_of(stocked, "predictions") == 10
    assert stocked.next_photos("ann")[0].photo == moved


def test_tag_scores_are_stored_and_a_second_model_has_its_own(stocked):
    other = ModelRecord("ff" * 32, "other", MODEL.created)
    score = TagScore("cat", 0.5, 1.0, 2.0)
    stocked.store_predictions(other, [(StoredPhoto("photo-3", "3.jpg"), [score])])
    assert [model.name for model in stocked.models()] == ["other", "drawn"]
    newest, *_ = stocked.next_photos("ann")
    assert (newest.photo.name, newest.tags[0].tag) == ("photo-3", "cat")
    first, *_ = stocked.next_photos("ann", model=MODEL.digest[:8])
    assert (first.photo.name, first.tags[0].tag) == ("photo-0", "beach")


def test_a_stream_is_read_in_batches_and_what_came_before_an_error_is_kept(database):
    def photos():
        yield from drawn_photos(2 * BATCH)
        # Both batches are stored before the next photo is asked for.
        assert rows_of(database, "photos") == 2 * BATCH
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.store_predictions(MODEL, photos())
    assert rows_of(database, "predictions") == 4 * BATCH


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ([("dog", math.nan)], "no probability"),
        ([("dog", 1.5)], "no probability"),
        ([("dog", 0.5), ("dog", 0.4)], "twice"),
        ([("d\0g", 0.5)], "NUL"),
    ],
)
def test_predictions_that_are_none_are_refused(database, tags, message):
    with pytest.raises(JudgementError, match=message):
        database.store_predictions(MODEL, [(StoredPhoto("a", "a.jpg"), tags)])
    assert rows_of(database, "photos") == 0


@pytest.mark.parametrize("name", ["", "a\0b", "caf\udce9.jpg", "x" * 5000])
def test_a_photo_that_no_database_keeps_is_refused(name):
    with pytest.raises(JudgementError):
        StoredPhoto(name, "a.jpg")


@on_both
def test_two_that_store_the_same_photos_the_other_way_round(database):
    photos = drawn_photos(300)

    def store(items):
        return database.store_predictions(MODEL, items)

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(store, [photos, photos[::-1]])) == [300, 300]
    assert rows_of(database, "photos") == 300
    assert rows_of(database, "predictions") == 600


# --- raters


def test_a_rater_without_a_password_signs_in_by_name(database):
    assert database.add_rater("  Zoé ") == "Zoé"
    assert database.may_sign_in("Zoe\N{COMBINING ACUTE ACCENT}")
    assert not database.may_sign_in("somebody")


def test_a_password_is_asked_for_and_kept_as_a_hash(database):
    database.add_rater("ann", "correct horse")
    assert database.may_sign_in("ann", "correct horse")
    assert not database.may_sign_in("ann", "wrong horse")
    assert not database.may_sign_in("ann")
    with database.reading() as session:
        (kept,) = session.scalars(text("SELECT password_hash FROM raters"))
    assert kept.startswith("scrypt:")
    assert "horse" not in kept
    database.add_rater("ann")  # signing in again takes no password away
    assert not database.may_sign_in("ann")


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 61, "a\0"])
def test_a_name_that_cannot_be_one_is_refused(database, name):
    with pytest.raises(JudgementError, match="a rater's name"):
        database.add_rater(name)
    assert not database.may_sign_in(name)
