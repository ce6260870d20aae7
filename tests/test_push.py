"""Accepted tags onto photos on Flickr: what is added, refused, tried again, undone."""

from __future__ import annotations

import json
import stat
from collections import Counter, deque
from pathlib import Path
from random import Random

import pytest
from flickr_client import Clock, clock, flickr, most_in_an_hour  # noqa: F401
from flickr_server import FlickrServer
from push_makers import Pusher, code_of, more_photos, own_photo, raws

from lablr.errors import DownloadError, PushError
from lablr.flickr.account import (
    Account,
    account_file,
    forget_account,
    keep_account,
    read_account,
)
from lablr.flickr.pace import MAX_CALLS, Pace
from lablr.flickr.sign_in import SignIn
from lablr.pushing import push, read_photo_id, read_wanted
from lablr.pushing.journal import PushJournal
from lablr.pushing.photo import form_of, quoted
from lablr.writing import Keyword


@pytest.fixture
def pusher(flickr: FlickrServer, clock: Clock, tmp_path: Path) -> Pusher:
    """Zoë, signed in."""
    made = Pusher(tmp_path, clock)
    made.sign_in()
    return made


def statuses(outcomes) -> dict[str, str]:
    return {outcome.photo: outcome.status for outcome in outcomes}


def errors(outcomes) -> dict[str, str]:
    return {o.photo: str(o.error) for o in outcomes if o.error}


def calls(flickr: FlickrServer, method: str) -> list[dict[str, str]]:
    return [
        call for call in flickr.calls if call["method"] == f"flickr.photos.{method}"
    ]


# --- signing in


def test_whoever_consents_is_signed_in_and_kept_in_a_private_file(pusher, tmp_path):
    account, state = pusher.account, tmp_path / "state"
    assert (account.nsid, account.username) == ("7@N01", "zoe")
    assert account.secret not in repr(account)
    assert account.token not in repr(account)
    state.mkdir(exist_ok=True)
    left = state / "flickr-account.partial"  # by a process that was killed
    left.write_text("")
    left.chmod(0o644)
    keep_account(account, state)
    assert stat.S_IMODE(account_file(state).stat().st_mode) == 0o600
    assert read_account(state) == account
    account_file(state).chmod(0o644)
    with pytest.raises(PushError, match="chmod 600"):
        read_account(state)
    assert forget_account(state)
    assert not forget_account(state)
    with pytest.raises(PushError, match="--sign-in"):
        read_account(state)


@pytest.mark.parametrize("text", ["", "{}", '{"nsid": 7}', "[" * 2000, '{"token": 1'])
def test_a_damaged_file_of_the_account_is_said_without_what_it_holds(tmp_path, text):
    account_file(tmp_path).write_text(text)
    account_file(tmp_path).chmod(0o600)
    with pytest.raises(PushError, match=r"damaged; sign in with"):
        read_account(tmp_path)


def test_a_wrong_code_is_refused_and_a_code_is_good_for_once(flickr, clock, tmp_path):
    pusher = Pusher(tmp_path, clock)
    attempt = SignIn(pusher.session())
    assert attempt.page.startswith(f"{flickr.url}/services/oauth/authorize?")
    code = code_of(attempt.page)
    with pytest.raises(PushError, match="does not accept this code"):
        attempt.finish("wrong")
    assert isinstance(attempt.finish(f" {code}\n"), Account)
    with pytest.raises(PushError, match="does not accept this code"):
        SignIn(pusher.session()).finish(code)


def test_a_code_is_not_tried_again(flickr, clock, tmp_path):
    """It is used up once it was exchanged, whatever became of the answer."""
    attempt = SignIn(Pusher(tmp_path, clock).session())
    code = code_of(attempt.page)
    flickr.oauth_fault = "short"
    with pytest.raises(DownloadError, match="sign in again later"):
        attempt.finish(code)
    assert len(flickr.oauth.granted) == 1
    flickr.oauth_fault = None


def test_a_wrong_key_is_said(flickr, clock, tmp_path):
    flickr.oauth.key = "another"
    with pytest.raises(PushError, match="does not accept the API key"):
        SignIn(Pusher(tmp_path, clock).session())


def test_a_revoked_sign_in_ends_the_run(pusher, flickr):
    flickr.oauth.granted.clear()
    with pytest.raises(PushError, match="any more; sign in again"):
        pusher.push(["5001", "5002"], "sunset")
    assert len(flickr.calls) == 1
    pusher.sign_in()
    assert statuses(pusher.push(["5001"], "sunset")) == {"5001": "ok"}


def test_a_sign_in_that_may_only_read_ends_the_run(pusher, flickr):
    flickr.oauth.granted[pusher.account.token].permission = "read"
    with pytest.raises(PushError, match="does not allow changes"):
        pusher.push(["5001", "5002"], "sunset")
    assert len(calls(flickr, "addTags")) == 1
    flickr.oauth.granted[pusher.account.token].permission = "write"
    assert statuses(pusher.push(["5001"], "sunset")) == {"5001": "ok"}


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
    journal.about_to_add(journal.begin("7@N01"), "5001", tags, ["7-5001-a"])
    journal.close()
    own_photo(flickr).tags["7-5001-mine"] = "sunset"
    with pytest.raises(PushError, match="nothing to undo"):
        pusher.undo()
    assert "sunset: added by Lablr before it was stopped, or by you" in caplog.text
    assert raws(flickr) == ["The Sea", "sunset"]


def test_a_cut_off_change_of_a_photo_that_is_gone_is_forgotten(pusher, flickr):
    journal = PushJournal(pusher.state)
    tags = {"sunset": ("sunset", "accepted")}
    journal.about_to_add(journal.begin("7@N01"), "404", tags, [])
    journal.close()
    assert statuses(pusher.push(["5001"], "sunset")) == {"5001": "ok"}
    assert statuses(pusher.undo()) == {"5001": "ok"}


def test_one_process_at_a_time_and_no_foreign_or_damaged_journal(pusher, flickr):
    journal = PushJournal(pusher.state)
    with pytest.raises(DownloadError, match="another process"):
        pusher.push(["5001"], "sunset")
    journal.close()
    path = pusher.state / "push.jsonl"
    good = path.read_bytes()
    for line in (b"no JSON\n", b'{"added":"x","number":0,"ids":{}}\n', b"[]\n"):
        path.write_bytes(good + line)
        with pytest.raises((PushError, DownloadError), match=":2: damaged"):
            pusher.push(["5001"], "sunset")
    path.write_bytes(b'{"made_by": "lablr write"}\n')
    with pytest.raises(PushError, match="no journal of this"):
        pusher.push(["5001"], "sunset")
    path.write_bytes(good + b'{"begin":"2025')  # torn by a power cut
    assert statuses(pusher.push(["5001"], "sunset")) == {"5001": "ok"}


# --- what is asked for


def test_photos_by_number_or_page():
    page = "https://www.flickr.com/photos/zoe/5001"
    for text in ("5001", " 5001 ", page, f"{page}/", f"{page}/in/dateposted?x=1"):
        assert read_photo_id(text) == "5001"
    for text in ("", "beach.jpg", "-1", "٣", "1" * 21, "https://example.com/5001"):
        with pytest.raises(PushError, match="no photo of Flickr"):
            read_photo_id(text)


def test_lines_of_photos_and_their_tags():
    lines = [
        b'{"flickr_id": 5001, "tags": ["sea", "New York"], "other": 1}\n',
        b"\n",
        b'{"page": "https://www.flickr.com/photos/zoe/5002/", "rejected": ["cat"],'
        b' "accepted": ["sea"], "typed": ["dog"]}\n',
        b'{"link": "https://flickr.com/photos/zoe/5001", "tags": ["sky"]}',
        b'{"flickr_id": "5003", "tags": []}',
    ]
    assert read_wanted(lines, "accepted") == {
        "5001": [
            Keyword("sea", "accepted"),
            Keyword("New York", "accepted"),
            Keyword("sky", "accepted"),
        ],
        "5002": [Keyword("sea", "accepted"), Keyword("dog", "typed")],
        "5003": [],
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"sea", "is no JSON"),
        (b"\xff", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[1]", "is no object"),
        (b'{"tags": ["sea"]}', "names no photo"),
        (b'{"flickr_id": "a", "tags": ["sea"]}', "is no photo of Flickr"),
        (b'{"flickr_id": "1"}', "has no tags"),
        (b'{"flickr_id": "1", "tags": "sea"}', "tags is no list"),
        (b'{"flickr_id": "1", "tags": [7]}', "holds 7, which is no text"),
        (b'{"flickr_id": "1", "tags": ["!"]}', "no letter and no digit"),
        (b'{"flickr_id": "1", "tags": ["a\\u0000"]}', "no file can hold"),
        (b'{"flickr_id": "1", "tags": [{"tag": "a", "probability": 1}]}', "accepts"),
        (b" " + b"1" * (1 << 20), "longer"),
    ],
)
def test_a_line_that_is_not_as_it_should_be_is_named(line, said):
    with pytest.raises(PushError, match=f"^line 2: .*{said}"):
        read_wanted([b'{"flickr_id": "1", "tags": ["sea"]}', line], "accepted")
