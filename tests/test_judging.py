"""Judgements in a database: what is stored, served next, and refused."""

from __future__ import annotations

import math
import stat
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from database_makers import (
    MODEL,
    Clock,
    clock,
    database,
    database_url,
    drawn_photos,
    make_database,
    postgresql,
)
from sqlalchemy import text

from lablr.errors import AlreadyJudged, DatabaseError, JudgementError, MissingExtra
from lablr.judging import open_database
from lablr.judging.database import Database
from lablr.judging.migrations import HEAD, VERSIONS
from lablr.judging.predictions import BATCH, entropy
from lablr.judging.ratings import all_decisions
from lablr.judging.records import Model, PredictedTag, StoredPhoto
from lablr.judging.tables import Table
from lablr.tagger import TagScore

__all__ = ["clock", "database", "database_url", "postgresql"]

ROOT = Path(__file__).parent.parent


def rows_of(database: Database, table: str) -> int:
    with database.reading() as session:
        return session.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: S608


@pytest.fixture
def stocked(database: Database) -> Database:
    """Five photos with predictions, and the rater ann."""
    database.store_predictions(MODEL, drawn_photos(5))
    database.add_rater("ann")
    return database


# --- opened


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


OPENER = """
import sys
from lablr.judging import open_database
print("ready", flush=True)
sys.stdin.readline()
with open_database(sys.argv[1]) as database:
    database.add_rater(sys.argv[2])
    print("opened")
"""


def test_processes_that_open_at_once_make_the_tables_once(database_url):
    openers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", OPENER, database_url, f"rater-{n}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for n in range(4)
    ]
    for opener in openers:
        assert opener.stdout.readline() == "ready\n"
    for opener in openers:
        opener.stdin.write("go\n")
        opener.stdin.flush()
    for opener in openers:
        out, problems = opener.communicate(timeout=60)
        assert (out, problems) == ("opened\n", "")
    with open_database(database_url, create=False) as database:
        assert rows_of(database, "raters") == 4


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


def test_foreign_tables_are_left_alone(database_url):
    with open_database(database_url) as database, database.writing() as session:
        session.execute(text("DROP TABLE alembic_version"))
    with pytest.raises(DatabaseError, match="not Lablr's: decisions, model_versions"):
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
        "from lablr.judging import open_database\n"
        "open_database('x.sqlite')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert f"{MissingExtra.__name__}: 'pip install lablr[judge]'" in done.stderr


# --- stored


def test_predictions_come_back_as_they_were_stored(stocked):
    found = stocked.next_photo("ann")
    assert found.photo == StoredPhoto("photo-0", "photos/0.jpg", "")
    assert found.tags == (PredictedTag(1, "beach", 0.9), PredictedTag(2, "dog", 0.4))
    assert found.model == MODEL.digest


def test_storing_again_changes_nothing_but_a_place(stocked):
    stocked.rate("ann", "photo-0", "top_right")
    stocked.store_predictions(MODEL, drawn_photos(5))
    moved = StoredPhoto("photo-1", "elsewhere/1.jpg", "b")
    stocked.store_predictions(MODEL, [(moved, [("beach", 0.9)])])
    assert rows_of(stocked, "photos") == 5
    assert rows_of(stocked, "predictions") == 10
    assert stocked.next_photo("ann").photo == moved


def test_tag_scores_are_stored_and_a_second_model_has_its_own(stocked):
    other = Model("ff" * 32, "other", MODEL.created)
    score = TagScore("cat", 0.5, 1.0, 2.0)
    stocked.store_predictions(other, [(StoredPhoto("photo-3", "3.jpg"), [score])])
    assert [model.name for model in stocked.models()] == ["other", "drawn"]
    newest = stocked.next_photo("ann")
    assert (newest.photo.name, newest.tags[0].tag) == ("photo-3", "cat")
    first = stocked.next_photo("ann", model=MODEL.digest[:8])
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


# --- rated


def test_a_rating_is_kept_with_what_follows_from_it(stocked):
    kept = stocked.rate("ann", "photo-0", "top_right", {"Sea Side!": "typed"})
    assert (kept.photo, kept.rater, kept.verdict) == ("photo-0", "ann", "top_right")
    assert kept.decisions == {"seaside": "typed"}
    with stocked.reading() as session:
        rows = session.execute(
            text("SELECT tag, decision, implied FROM decisions ORDER BY tag")
        ).all()
    assert [tuple(row) for row in rows] == [
        ("beach", "yes", True),
        ("seaside", "typed", False),
    ]


def test_a_double_submit_is_stored_once(stocked):
    first = stocked.rate("ann", "photo-0", "top_right", token="t")
    again = stocked.rate("ann", "photo-0", "none_right", token="t")
    assert again == first
    assert rows_of(stocked, "ratings") == 1


def test_submits_at_once_store_one(stocked):
    def rate(_):
        return stocked.rate("ann", "photo-0", "top_right", token="t")

    with ThreadPoolExecutor(8) as threads:
        kept = list(threads.map(rate, range(16)))
    assert all(rating == kept[0] for rating in kept)
    assert rows_of(stocked, "ratings") == 1


def test_a_photo_is_judged_once_by_a_rater_and_again_by_another(stocked):
    stocked.add_rater("ben")
    stocked.rate("ann", "photo-0", "top_right", token="t")
    with pytest.raises(AlreadyJudged):
        stocked.rate("ann", "photo-0", "none_right", token="u")
    stocked.rate("ben", "photo-0", "none_right", token="t")
    assert rows_of(stocked, "ratings") == 2
    assert stocked.next_photo("ben").photo.name == "photo-1"


def test_a_token_names_one_act(stocked):
    stocked.rate("ann", "photo-0", "top_right", token="t")
    with pytest.raises(JudgementError, match="another photo"):
        stocked.rate("ann", "photo-1", "top_right", token="t")


def test_a_late_copy_does_not_bring_back_what_was_undone(stocked):
    stocked.rate("ann", "photo-0", "top_right", token="t")
    stocked.undo("ann")
    with pytest.raises(AlreadyJudged, match="taken back"):
        stocked.rate("ann", "photo-0", "top_right", token="t")
    stocked.rate("ann", "photo-0", "none_right", token="u")
    assert rows_of(stocked, "ratings") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verdict": "perhaps"}, "expected one of"),
        ({"photo": "nothing"}, "no photo 'nothing'"),
        ({"rater": "nobody"}, "no rater 'nobody'"),
        ({"model": "abcd"}, "no model"),
        ({"k": 0}, "predicted no tag"),
        ({"decisions": {"beach": "no"}}, "contradicts"),
        ({"decisions": {"cat": "yes"}}, "was not shown"),
        ({"decisions": {"dog": "maybe"}}, "expected yes, no or typed"),
        ({"decisions": {"!!!": "typed"}}, "no letter"),
        ({"verdict": "none_right", "decisions": {"dog": "yes"}}, "contradicts"),
        ({"verdict": "one_of_k_right", "decisions": {"dog": "no"}}, "none is"),
        ({"verdict": "one_of_k_right", "k": 1}, "none is"),
        ({"token": "a\0"}, "NUL"),
    ],
)
def test_a_judgement_that_cannot_be_kept_is_refused_whole(stocked, change, message):
    act = {"rater": "ann", "photo": "photo-0", "verdict": "top_right", **change}
    with pytest.raises(JudgementError, match=message):
        stocked.rate(**act)
    assert rows_of(stocked, "ratings") == rows_of(stocked, "decisions") == 0


@pytest.mark.parametrize(
    ("verdict", "stated", "expected"),
    [
        ("top_right", {}, {"a": "yes"}),
        ("top_right", {"b": "no"}, {"a": "yes", "b": "no"}),
        ("none_right", {}, {"a": "no", "b": "no", "c": "no"}),
        ("none_right", {"new": "typed"}, dict.fromkeys("abc", "no") | {"new": "typed"}),
        ("one_of_k_right", {}, {"a": "no"}),
        ("one_of_k_right", {"b": "yes"}, {"a": "no", "b": "yes"}),
        ("one_of_k_right", {"b": "no"}, {"a": "no", "b": "no", "c": "yes"}),
    ],
)
def test_what_follows_from_a_verdict(verdict, stated, expected):
    assert all_decisions(verdict, stated, ["a", "b", "c"]) == expected


# --- the queue


def test_the_queue_goes_on_where_the_rater_left(stocked):
    ahead = stocked.next_photos("ann", n=2)
    assert [item.photo.name for item in ahead] == ["photo-0", "photo-1"]
    stocked.rate("ann", "photo-0", "top_right")
    stocked.skip("ann", "photo-1")
    stocked.skip("ann", "photo-1")
    assert stocked.next_photo("ann").photo.name == "photo-2"
    progress = stocked.progress("ann")
    assert (progress.n_judged, progress.n_skipped, progress.n_left) == (1, 1, 3)
    assert progress.n_photos == 5


def test_undo_takes_back_the_last_act_and_gives_its_photo(stocked):
    stocked.rate("ann", "photo-0", "top_right")
    stocked.skip("ann", "photo-1")
    stocked.rate("ann", "photo-2", "none_right")
    undone = [stocked.undo("ann") for _ in range(4)]
    assert [item and item.photo.name for item in undone] == [
        "photo-2",
        "photo-1",
        "photo-0",
        None,
    ]
    assert stocked.progress("ann").n_left == 5
    assert rows_of(stocked, "decisions") == 0


def test_a_skipped_photo_can_be_judged_and_a_judged_one_not_skipped(stocked):
    stocked.skip("ann", "photo-0")
    stocked.rate("ann", "photo-0", "top_right")
    assert stocked.progress("ann").n_skipped == 0
    with pytest.raises(AlreadyJudged):
        stocked.skip("ann", "photo-0")


def test_nothing_is_left_at_the_end(stocked):
    for number in range(5):
        stocked.rate("ann", f"photo-{number}", "none_right")
    assert stocked.next_photo("ann") is None
    assert stocked.next_photo("ann", order="uncertain") is None


def test_an_empty_database_has_nothing_to_judge(database):
    database.add_rater("ann")
    assert database.next_photo("ann") is None
    assert database.progress("ann").n_photos == 0
    with pytest.raises(JudgementError, match="no predictions"):
        database.rate("ann", "photo-0", "top_right")


def test_the_pace_is_that_of_one_sitting(stocked, clock: Clock):
    assert stocked.progress("ann").per_minute is None
    stocked.rate("ann", "photo-0", "top_right")
    assert stocked.progress("ann").per_minute is None
    clock.step_s = 3600
    stocked.rate("ann", "photo-1", "top_right")
    clock.step_s = 4
    stocked.rate("ann", "photo-2", "top_right")
    stocked.rate("ann", "photo-3", "top_right")
    assert stocked.progress("ann").per_minute == pytest.approx(15)


# --- the uncertain order


def naive_order(photos, n_judged: Counter, k: int) -> list[str]:
    """The formula of `photos_to_judge`, term by term."""

    def information(tags) -> float:
        total = 0.0
        for tag, p in tags[:k]:
            h = -sum(q * math.log2(q) for q in (p, 1 - p) if q > 0)
            total += 10 / (10 + n_judged[tag]) * h
        return total

    ordered = sorted(photos, key=lambda item: -information(item[1]))
    return [photo.name for photo, _ in ordered]


def test_the_uncertain_order_is_that_of_the_formula(database):
    rng = np.random.default_rng(0)
    names = [f"tag{number}" for number in range(8)]
    photos = [
        (
            StoredPhoto(f"photo-{number}", "x.jpg"),
            [
                (str(tag), float(p))
                for tag, p in zip(
                    rng.permutation(names)[:5], -np.sort(-rng.random(5)), strict=True
                )
            ],
        )
        for number in range(40)
    ]
    database.store_predictions(MODEL, photos)
    for rater in ("ann", "ben"):
        database.add_rater(rater)
    n_judged: Counter = Counter()
    waiting = list(photos)
    for _ in range(15):
        expected = naive_order(waiting, n_judged, k=3)
        found = database.next_photos("ann", n=4, order="uncertain", k=3)
        assert [item.photo.name for item in found] == expected[:4]
        first = found[0]
        database.rate("ann", first.photo.name, "none_right", k=3)
        n_judged.update(row.tag for row in first.tags)
        waiting = [item for item in waiting if item[0].name != first.photo.name]
    # Judgements of anybody count; photos are waiting for everybody by themselves.
    found = database.next_photos("ben", n=3, order="uncertain", k=3)
    assert [item.photo.name for item in found] == naive_order(photos, n_judged, 3)[:3]


def test_entropy_at_its_ends_and_in_the_middle():
    assert [entropy(p) for p in (0.0, 1.0, 0.5)] == [0.0, 0.0, 1.0]


def test_an_order_that_there_is_not(stocked):
    with pytest.raises(JudgementError, match="expected one of"):
        stocked.next_photo("ann", order="random")


def test_databases_on_one_server_are_apart(postgresql):
    urls = [make_database(postgresql) for _ in range(2)]
    with open_database(urls[0]) as one, open_database(urls[1]) as two:
        one.store_predictions(MODEL, drawn_photos(2))
        assert two.models() == []
