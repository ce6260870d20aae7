"""Remove the tags that a run added, by the numbers that Flickr gave them.

Source: https://www.flickr.com/services/api/flickr.photos.removeTag.html
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from lablr.errors import PushError, RefusedByFlickr
from lablr.flickr.account import Account
from lablr.flickr.push.journal import PushJournal, PushRun
from lablr.flickr.push.photo import fetch_photo
from lablr.flickr.push.run import OnePhotoError, PushOutcome, in_turn, opened
from lablr.flickr.session import FlickrSession

NO_TAG = "1"  # for removeTag: "belongs to someone else, or doesn't exist"


def undo(
    session: FlickrSession, account: Account, *, state: Path, run: str | None = None
) -> Iterator[PushOutcome]:
    """Remove the tags that a run added, by default the last; the latest photo first.

    Yields each photo as "ok", as "unchanged" where somebody took them off already, or
    as "failed". Called again, it goes back one more run. Raises PushError when there is
    no such run, or nothing to undo, and otherwise as `push` does.
    """
    with opened(state, session, account) as journal:
        own = journal.of(account.nsid)
        if run in journal.runs.keys() - own.keys():
            raise PushError(f"run {run} is of another account: sign in to that one")
        chosen = journal.choose(run, own)
        is_through = True
        for outcome in in_turn(
            (
                chosen.changes[number].photo,
                chosen.name,
                partial(_take_off, session, journal, chosen, number),
            )
            for number in chosen.to_undo
        ):
            is_through = is_through and not outcome.is_unanswered
            yield outcome
        if is_through:
            journal.add(undone=chosen.name)


def _take_off(
    session: FlickrSession, journal: PushJournal, run: PushRun, number: int
) -> PushOutcome:
    """Remove the tags that one change added to a photo, as far as they are there."""
    change = run.changes[number]
    photo = fetch_photo(session, change.photo)
    there = {tag.id for tag in photo.tags if tag.author == run.owner}
    gone = []
    for form, tag_id in [*change.left.items()]:
        if tag_id in there:
            journal.add(removing=run.name, number=number, form=form)
            _remove_once(session, change.photo, tag_id)
            gone.append(change.tags[form])
        journal.add(removed=run.name, number=number, form=form)
    return PushOutcome(
        photo=change.photo,
        status="ok" if gone else "unchanged",
        title=photo.title,
        found=tuple(tag.raw for tag in photo.tags),
        changed=tuple(gone),
    )


def _remove_once(session: FlickrSession, photo_id: str, tag_id: str) -> None:
    """Ask Flickr to remove a tag, and again only if it is still there."""
    n_calls = 0

    def is_gone() -> bool:
        return all(tag.id != tag_id for tag in fetch_photo(session, photo_id).tags)

    def attempt() -> None:
        nonlocal n_calls
        if n_calls and is_gone():
            return
        n_calls += 1
        try:
            session.call_once("flickr.photos.removeTag", tag_id=tag_id)
        except RefusedByFlickr as error:
            if error.number != NO_TAG:
                raise
            if not is_gone():
                raise OnePhotoError(str(error)) from error

    session.retrying(attempt)
