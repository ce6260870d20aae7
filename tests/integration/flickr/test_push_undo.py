"""Taking pushed tags back, and the journal that it is done from."""

from __future__ import annotations

import json
import stat

import pytest
from flickr_client import clock, flickr  # noqa: F401
from push_makers import (
    calls,
    own_photo,
    pusher,  # noqa: F401
    raws,
    statuses,
)

from lablr.errors import PushError
from lablr.flickr.push.journal import PushJournal
from lablr.flickr.push.run import push
from lablr.metadata import Keyword

# --- undo


def test_undo_takes_off_what_the_last_run_added_and_nothing_else(pusher, flickr):
    photo = own_photo(flickr)
    first = pusher.push(["5001", "5002"], "sunset", "the sea")[0].run
    pusher.push(["5001"], "beach", "sunset")
    photo.tags["7-5001-by-hand"] = "by hand"
    photo.tags["8-5001-li"], photo.authors["8-5001-li"] = "by Li", "8@N01"
    (outcome,) = pusher.undo()
    assert outcome.changed == (("beach", "accepted"),)
    assert raws(flickr) == ["The Sea", "sunset", "by hand", "by Li"]
    assert statuses(pusher.undo()) == {"5002": "ok", "5001": "ok"}
    assert raws(flickr) == ["The Sea", "by hand", "by Li"]
    with pytest.raises(PushError, match="nothing to undo"):
        pusher.undo()
    with pytest.raises(PushError, match="nothing is left"):
        pusher.undo(first)
    with pytest.raises(PushError, match="no run x"):
        pusher.undo("x")


def test_a_persons_own_tag_of_the_same_name_stays(pusher, flickr):
    """Lablr's was taken off by hand, and the same put on again by hand."""
    photo = own_photo(flickr)
    pusher.push(["5001"], "sunset")
    (ours,) = [tag_id for tag_id, raw in photo.tags.items() if raw == "sunset"]
    del photo.tags[ours]
    photo.tags["7-5001-mine"] = "sunset"
    assert statuses(pusher.undo()) == {"5001": "unchanged"}
    assert photo.tags["7-5001-mine"] == "sunset"
    assert not calls(flickr, "removeTag")


def test_a_photo_that_is_gone_does_not_stop_the_undoing(pusher, flickr):
    run = pusher.push(["5001", "5002"], "sunset")[0].run
    zoe = flickr.members.all["7@N01"]
    gone = zoe.photos.pop()
    assert statuses(pusher.undo()) == {"5002": "failed", "5001": "ok"}
    with pytest.raises(PushError, match="nothing to undo"):
        pusher.undo()
    zoe.photos.append(gone)
    assert statuses(pusher.undo(run)) == {"5002": "ok"}


def test_an_undoing_without_an_answer_is_gone_on_with(pusher, flickr):
    pusher.push(["5001", "5002"], "sunset")
    flickr.fault = lambda kind, what, n: "500" if what.endswith("5002") else None
    assert statuses(pusher.undo()) == {"5002": "failed", "5001": "ok"}
    flickr.fault = lambda *_: None
    assert statuses(pusher.undo()) == {"5002": "ok"}
    assert (raws(flickr), raws(flickr, "5002")) == (["The Sea"], [])


def test_a_run_is_of_whom_it_was(pusher, flickr):
    run = pusher.push(["5001"], "sunset")[0].run
    flickr.at_browser = "8@N01"
    pusher.sign_in()
    with pytest.raises(PushError, match="nothing to undo"):
        pusher.undo()
    with pytest.raises(PushError, match="another account"):
        pusher.undo(run)


# --- the journal


def test_the_journal_says_what_every_tag_was_before_and_after(pusher, tmp_path):
    wanted = {"5001": [Keyword("sunset", "accepted"), Keyword("New York", "typed")]}
    [*push(wanted, pusher.session(), pusher.account, state=pusher.state)]
    path = tmp_path / "state/push.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    _, begin, before, after = map(json.loads, path.read_text().splitlines())
    assert begin["owner"] == "7@N01"
    assert before["tags"] == {
        "sunset": ["sunset", "accepted"],
        "newyork": ["New York", "typed"],
    }
    assert before["before"] == ["7-5001-a"]
    assert after["ids"].keys() == {"sunset", "newyork"}


def test_some_tags_of_a_change_that_was_cut_off_may_be_a_persons(
    pusher, flickr, caplog
):
    """Flickr adds all or none: if some are there, a person had a hand in it."""
    journal = PushJournal(pusher.state)
    tags = {"sunset": ("sunset", "accepted"), "beach": ("beach", "accepted")}
    run = journal.begin(owner="7@N01").name
    journal.add(run=run, photo="5001", tags=tags, before=["7-5001-a"])
    journal.close()
    own_photo(flickr).tags["7-5001-mine"] = "sunset"
    with pytest.raises(PushError, match="nothing to undo"):
        pusher.undo()
    assert "sunset: added by Lablr before it was stopped, or by you" in caplog.text
    assert raws(flickr) == ["The Sea", "sunset"]


def test_a_cut_off_change_of_a_photo_that_is_gone_is_forgotten(pusher, flickr):
    journal = PushJournal(pusher.state)
    tags = {"sunset": ("sunset", "accepted")}
    run = journal.begin(owner="7@N01").name
    journal.add(run=run, photo="404", tags=tags, before=[])
    journal.close()
    assert statuses(pusher.push(["5001"], "sunset")) == {"5001": "ok"}
    assert statuses(pusher.undo()) == {"5001": "ok"}


def test_one_process_at_a_time_and_no_foreign_or_damaged_journal(pusher, flickr):
    journal = PushJournal(pusher.state)
    with pytest.raises(PushError, match="another process"):
        pusher.push(["5001"], "sunset")
    journal.close()
    path = pusher.state / "push.jsonl"
    good = path.read_bytes()
    for line in (b"no JSON\n", b'{"added":"x","number":0,"ids":{}}\n', b"[]\n"):
        path.write_bytes(good + line)
        with pytest.raises(PushError, match=":2: damaged"):
            pusher.push(["5001"], "sunset")
    path.write_bytes(b'{"made_by": "lablr write"}\n')
    with pytest.raises(PushError, match="no journal of this"):
        pusher.push(["5001"], "sunset")
    path.write_bytes(good + b'{"begin":"2025')  # torn by a power cut
    assert statuses(pusher.push(["5001"], "sunset")) == {"5001": "ok"}
