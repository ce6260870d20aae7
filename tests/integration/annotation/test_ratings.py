"""Ratings: what is stored of a verdict, what is refused, and what comes next."""

from __future__ import annotations

import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from database_makers import MODEL, Clock, on_both, rows_of
from sqlalchemy import text

from lablr.annotation.database.predictions import entropy
from lablr.annotation.database.ratings import all_decisions
from lablr.annotation.database.records import StoredPhoto
from lablr.errors import AlreadyJudged, JudgementError

# --- rated


@on_both
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


@on_both
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
    assert stocked.next_photos("ben")[0].photo.name == "photo-1"


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


REFUSED = [
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
]


def test_a_rating_that_cannot_be_stored_is_refused_whole(stocked):
    for change, message in REFUSED:
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
    assert stocked.next_photos("ann")[0].photo.name == "photo-2"
    progress = stocked.progress("ann")
    assert (progress.n_rated, progress.n_skipped, progress.n_left) == (1, 1, 3)
    assert progress.n_photos == 5


@on_both
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
    assert stocked.next_photos("ann") == []
    assert stocked.next_photos("ann", order="uncertain") == []


def test_an_empty_database_has_nothing_to_judge(database):
    database.add_rater("ann")
    assert database.next_photos("ann") == []
    assert database.progress("ann").n_photos == 0
    with pytest.raises(JudgementError, match="no predictions"):
        database.rate("ann", "photo-0", "top_right")


@on_both
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
    """The formula of `RatingQueue.next_photos`, term by term."""

    def information(tags) -> float:
        total = 0.0
        for tag, p in tags[:k]:
            h = -sum(q * math.log2(q) for q in (p, 1 - p) if q > 0)
            total += 10 / (10 + n_judged[tag]) * h
        return total

    ordered = sorted(photos, key=lambda item: -information(item[1]))
    return [photo.name for photo, _ in ordered]


@on_both
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
        stocked.next_photos("ann", order="random")
