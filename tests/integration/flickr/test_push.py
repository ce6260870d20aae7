"""Accepted tags onto photos on Flickr: what is added, refused and tried again."""

from __future__ import annotations

from collections import Counter, deque
from random import Random

import pytest
from flickr_client import Clock, clock, flickr, most_in_an_hour  # noqa: F401
from push_makers import (
    calls,
    errors,
    more_photos,
    own_photo,
    pusher,  # noqa: F401
    raws,
    statuses,
)

from lablr.errors import DownloadError, PushError
from lablr.flickr.pace import MAX_CALLS, Pace
from lablr.flickr.push.photo import form_of, quoted
from lablr.flickr.push.run import push
from lablr.metadata import Keyword

# --- what is added


def test_only_what_is_not_there_in_flickrs_normal_form(pusher, flickr):
    own_photo(flickr).tags["7-5001-m"] = "geo:lat=52.5"
    tags = ("the sea", "TheSea", "New York", "new-york", "café", "geo:lat=525", "新宿")
    (outcome,) = pusher.push(["5001"], *tags)
    assert outcome.status == "ok"
    assert [tag for tag, _ in outcome.changed] == ["New York", "café", "新宿"]
    assert outcome.found == ("The Sea", "geo:lat=52.5")
    assert outcome.title == "By the sea"
    assert raws(flickr) == ["The Sea", "geo:lat=52.5", "New York", "café", "新宿"]
    (call,) = calls(flickr, "addTags")
    assert call["tags"] == '"New York" café 新宿'
    (again,) = pusher.push(["5001"], *tags)
    assert (again.status, again.changed) == ("unchanged", ())
    assert len(calls(flickr, "addTags")) == 1


def test_forms_and_quotes():
    assert form_of("Geo:Lat=5 2.5") == "geo:lat=525"
    assert form_of("a: b=c") == "abc"
    assert quoted(["a", "a  b", 'say "a b"', "a,b", "x:y=a b"]) == (
        'a "a b" "say a b" "a,b" "x:y=a b"'
    )


def test_of_a_hierarchy_the_narrowest_word(pusher, flickr):
    pusher.push(["5001"], "places|europe|New York")
    assert raws(flickr) == ["The Sea", "New York"]


def test_what_nobody_accepted_is_not_pushed(pusher, flickr):
    wanted = {"5001": [Keyword("sunset", "suggested")]}
    with pytest.raises(PushError, match="accepts"):
        next(push(wanted, pusher.session(), pusher.account, state=pusher.state))
    assert statuses(pusher.push(["5001"])) == {"5001": "unchanged"}
    assert flickr.calls == []


def test_75_tags_at_most_and_said_before_the_call(pusher, flickr):
    photo = own_photo(flickr)
    photo.tags |= {f"7-5001-t{n}": f"t{n}" for n in range(73)}
    outcomes = pusher.push(["5001", "5002"], "sunset", "t7", "beach")
    assert errors(outcomes) == {
        "5001": "It has 74 tags of at most 75: 2 more (sunset, beach) do not fit."
    }
    assert statuses(outcomes)["5002"] == "ok"
    assert [call["photo_id"] for call in calls(flickr, "addTags")] == ["5002"]
    assert statuses(pusher.push(["5001"], "sunset", "t7")) == {"5001": "ok"}
    assert len(photo.tags) == 75


def test_photos_of_others_private_and_removed_ones_are_named(pusher, flickr):
    li = flickr.members.all["8@N01"]
    li.photos[0].may_add.add("7@N01")  # Li lets Zoë add tags: still not hers
    outcomes = pusher.push(["6001", "404", "5002", "5001"], "sunset")
    assert statuses(outcomes) == {
        "6001": "failed",
        "404": "failed",
        "5002": "ok",
        "5001": "ok",
    }
    assert errors(outcomes)["6001"] == "It is a photo of li's, not of yours."
    assert "removed, or private" in errors(outcomes)["404"]
    li.photos[0].is_public = False
    assert "removed, or private" in errors(pusher.push(["6001"], "sunset"))["6001"]
    assert raws(flickr, "6001") == []


def test_a_dry_run_changes_nothing_and_says_the_difference(pusher, flickr, tmp_path):
    (outcome, _) = pusher.push(["5001", "404"], "sunset", "the sea", dry_run=True)
    assert outcome.status == "would be pushed"
    assert (outcome.found, outcome.changed) == (("The Sea",), (("sunset", "accepted"),))
    assert not calls(flickr, "addTags")
    assert not (tmp_path / "state/push.jsonl").exists()


def test_never_more_than_3600_calls_in_any_hour(pusher, flickr, clock):
    ids, before = more_photos(flickr, 12), []
    pace = Pace(pusher.state / "calls", clock, clock.sleep)
    clock.now += 7200
    for _ in range(MAX_CALLS - 10):  # a download
        before.append(clock.now)
        pace.wait()
        clock.now += 0.5
    flickr.clock, flickr.called_at = clock, []
    assert {*statuses(pusher.push(ids, "sunset")).values()} == {"ok"}
    assert len(flickr.called_at) == pusher.n_calls == 3 * len(ids)
    assert most_in_an_hour(before + flickr.called_at) == MAX_CALLS


# --- faults

BOTH = ("500", "502", "503", "429", "429 later", "stall", "cut", "short", "html")


@pytest.mark.parametrize("when", ["", "early "])
@pytest.mark.parametrize("fault", [*BOTH, "drip"])
def test_after_a_fault_the_photo_is_looked_at_before_it_is_tried_again(
    pusher, flickr, fault, when
):
    flickr.fault = lambda kind, what, n: (
        f"{when}{fault}" if "addTags" in what and n == 0 else None
    )
    (outcome,) = pusher.push(["5001"], "sunset", "New York")
    assert outcome.status == "ok"
    assert raws(flickr) == ["The Sea", "sunset", "New York"]
    # carried out, it is not asked for again
    assert len(calls(flickr, "addTags")) == (2 if when else 1)
    pusher.undo()
    assert raws(flickr) == ["The Sea"]


@pytest.mark.parametrize("number", ["105", "106", "0"])
def test_what_flickr_calls_temporary_is_tried_again(pusher, flickr, number):
    flickr.fault = lambda kind, what, n: f"fail {number}" if n < 2 else None
    assert statuses(pusher.push(["5001"], "sunset")) == {"5001": "ok"}
    assert raws(flickr) == ["The Sea", "sunset"]


@pytest.mark.parametrize("when", ["", "early "])
@pytest.mark.parametrize("fault", ["500", "stall", "cut"])
def test_a_tag_is_taken_off_once(pusher, flickr, fault, when):
    pusher.push(["5001"], "sunset", "beach")
    flickr.fault = lambda kind, what, n: (
        f"{when}{fault}" if "removeTag" in what and n == 0 else None
    )
    assert statuses(pusher.undo()) == {"5001": "ok"}
    assert raws(flickr) == ["The Sea"]
    assert len(calls(flickr, "removeTag")) == (3 if when else 2)


def test_a_photo_that_gets_no_answer_is_settled_by_the_next_run(pusher, flickr):
    """Carried out, and no look at it was answered then."""
    flickr.fault = lambda kind, what, n: (
        "500" if what.endswith("5001") and ("addTags" in what or n) else None
    )
    outcomes = pusher.push(["5001", "5002"], "sunset")
    assert statuses(outcomes) == {"5001": "failed", "5002": "ok"}
    assert "does not answer" in errors(outcomes)["5001"]
    flickr.fault = lambda *_: None
    assert statuses(pusher.push(["5001", "5002"], "sunset")) == {
        "5001": "unchanged",
        "5002": "unchanged",
    }
    assert statuses(pusher.undo()) == {"5002": "ok", "5001": "ok"}
    assert (raws(flickr), raws(flickr, "5002")) == (["The Sea"], [])


def test_three_photos_without_an_answer_end_the_run(pusher, flickr):
    ids = more_photos(flickr, 6)
    flickr.fault = lambda kind, what, n: "503"
    with pytest.raises(DownloadError, match="does not answer"):
        pusher.push(ids, "sunset")
    assert {call["photo_id"] for call in flickr.calls} == {*ids[:3]}


def test_a_third_of_the_answers_faulty_and_every_tag_is_added_and_removed_once(
    pusher, flickr
):
    ids, carried_out = more_photos(flickr, 40), []
    first = {photo: raws(flickr, photo) for photo in ids}
    kinds = ("500", "early 503", "cut", "early cut", "short", "html", "fail 105")

    def fault(kind: str, what: str, n_before: int) -> str | None:
        chance = Random(f"{what} {n_before}")
        return chance.choice(kinds) if chance.random() < 1 / 3 else None

    flickr.fault, flickr.carried_out = fault, carried_out.append
    outcomes = pusher.push(ids, "sunset", "New York")
    counts = Counter(outcome.status for outcome in outcomes)
    assert counts["ok"] + counts["failed"] == len(ids)
    while {*statuses(pusher.push(ids, "sunset", "New York")).values()} != {"unchanged"}:
        pass
    assert {*flickr.faults} >= {f"rest {kind}" for kind in kinds}
    assert all(raws(flickr, i) == [*first[i], "sunset", "New York"] for i in ids)
    assert carried_out.count("flickr.photos.addTags") == len(ids)
    with pytest.raises(PushError, match="nothing to undo"):
        deque(iter(pusher.undo, None))
    assert {photo: raws(flickr, photo) for photo in ids} == first
    assert carried_out.count("flickr.photos.removeTag") == 2 * len(ids)


def test_tags_that_flickr_refuses_are_not_counted_as_added(pusher, flickr):
    flickr.fault = lambda kind, what, n: (
        "fail 116" if "addTags" in what and what.endswith("5001") else None
    )
    outcomes = pusher.push(["5001", "5002"], "sunset")
    assert statuses(outcomes) == {"5001": "failed", "5002": "ok"}
    assert "116" in errors(outcomes)["5001"]
    assert statuses(pusher.undo()) == {"5002": "ok"}
