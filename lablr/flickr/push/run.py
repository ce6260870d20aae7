"""Put tags on photos, one after the other.

For each photo: fetch its tags; record in the journal what is about to happen; ask
Flickr to add tags, and fetch the numbers they got. After a fault the tags may or may
not have been added, so the photo is fetched before anything is tried again. What a
killed process left open, the next run settles the same way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from lablr.errors import DownloadError, LablrError, PushError, RefusedByFlickr
from lablr.flickr.account import Account
from lablr.flickr.push.journal import PhotoChange, PushJournal, PushRun
from lablr.flickr.push.photo import FlickrPhoto, fetch_photo, form_of, quoted, text_of
from lablr.flickr.session import FlickrSession
from lablr.metadata import Keyword

Status = Literal["ok", "would be pushed", "unchanged", "failed"]

log = logging.getLogger(__name__)

MAX_TAGS = 75  # of one photo
MAX_UNANSWERED = 3  # photos in a row; then the run ends
NO_PHOTO = "1"  # for getInfo and addTags
NOT_THERE = (
    "Flickr has no such photo, or does not show it to you: it may be removed, or "
    "private."
)
# Refusals that concern one photo or its tags; all others end the run.
OF_THE_PHOTO = {NO_PHOTO, "2", "116"}
SIGNED_OUT, NOT_ALLOWED = "98", "99"


@dataclass(frozen=True)
class PushOutcome:
    """The outcome of one photo.

    run : the name by which to undo it; None for a dry run.
    found : the tags that were there, as their authors wrote them.
    changed : those that were added, or taken off: (tag, its origin).
    """

    photo: str
    status: Status
    run: str | None = None
    title: str = ""
    found: tuple[str, ...] = ()
    changed: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    error: LablrError | None = None

    @property
    def is_unanswered(self) -> bool:
        """Return whether it failed for want of an answer, and may succeed later."""
        return type(self.error) is DownloadError


class OnePhotoError(PushError, code=PushError.code):
    """A failure of one photo only; the others go on."""


def push(
    wanted: Mapping[str, Sequence[Keyword]],
    session: FlickrSession,
    account: Account,
    *,
    state: Path,
    dry_run: bool = False,
) -> Iterator[PushOutcome]:
    """Put tags on photos of one's own on Flickr; yield what became of each.

    wanted : number of the photo -> tags that a person accepted or typed.
    session : one that calls as ``account``.
    state : the folder of the journal; a dry run changes nothing, not even that.

    A photo that cannot have the tags is yielded as "failed", and the others go on.
    Raises PushError when Flickr does not accept the sign-in, a tag was only suggested,
    or the journal cannot be had or written; DownloadError when Flickr does not answer
    for several photos in a row.
    """
    if any(key.origin == "suggested" for tags in wanted.values() for key in tags):
        raise PushError("a person accepts tags before they go to Flickr")
    with nullcontext() if dry_run else opened(state, session, account) as journal:
        name = add = None
        if journal is not None:
            run = journal.begin(owner=account.nsid)
            name, add = run.name, partial(_add, session, journal, run)
        yield from in_turn(
            (photo, name, partial(_one, session, account, photo, keywords, add))
            for photo, keywords in wanted.items()
        )


def list_runs(state: Path) -> Sequence[PushRun]:
    """Return the runs that changed photos, the oldest first."""
    with closing(PushJournal(state)) as journal:
        return journal.changed()


@contextmanager
def opened(
    state: Path, session: FlickrSession, account: Account
) -> Iterator[PushJournal]:
    """Hold the journal, after finding out what became of changes that were cut off."""
    with closing(PushJournal(state)) as journal:
        for run in journal.of(account.nsid).values():
            for number in run.unsettled:
                with _sign_in_explained():
                    _settle(session, journal, run, number)
        yield journal


def in_turn(
    photos: Iterable[tuple[str, str | None, Callable[[], PushOutcome]]],
) -> Iterator[PushOutcome]:
    """Carry out an action for each photo: (its number, name of the run, action).

    Raises what ends the run, see `push`.
    """
    n_unanswered = 0
    for photo, run, act in photos:
        try:
            with _sign_in_explained():
                outcome = replace(act(), run=run)
        except RefusedByFlickr as error:
            if error.number not in OF_THE_PHOTO:
                raise
            said = PushError(NOT_THERE) if error.number == NO_PHOTO else error
            outcome = PushOutcome(photo, "failed", run, error=said)
        except (DownloadError, OnePhotoError) as error:
            outcome = PushOutcome(photo, "failed", run, error=error)
        yield outcome
        n_unanswered = n_unanswered + 1 if outcome.is_unanswered else 0
        if outcome.error and n_unanswered >= MAX_UNANSWERED:
            raise outcome.error


@contextmanager
def _sign_in_explained() -> Iterator[None]:
    try:
        yield
    except RefusedByFlickr as error:
        if error.number not in (SIGNED_OUT, NOT_ALLOWED):
            raise
        what = {
            SIGNED_OUT: "Flickr does not accept the sign-in any more",
            NOT_ALLOWED: "the sign-in does not allow changes to photos",
        }
        raise PushError(
            f"{what[error.number]}; sign in again with: lablr push --sign-in"
        ) from error


def _one(
    session: FlickrSession,
    account: Account,
    photo_id: str,
    keywords: Sequence[Keyword],
    add: Callable[[FlickrPhoto, Sequence[Keyword]], tuple[str, ...]] | None,
) -> PushOutcome:
    """Put tags on one photo, or only say what would be put."""
    if not keywords:
        return PushOutcome(photo_id, "unchanged", notes=("No tag of it is accepted.",))
    photo = fetch_photo(session, photo_id)
    if photo.owner != account.nsid:
        raise OnePhotoError(f"It is a photo of {photo.owner_name}'s, not of yours.")
    new = photo.lacking(keywords)
    if len(photo.tags) + len(new) > MAX_TAGS:
        raise OnePhotoError(
            f"It has {len(photo.tags)} tags of at most {MAX_TAGS}: {len(new)} more "
            f"({', '.join(map(text_of, new))}) do not fit."
        )
    notes = add(photo, new) if new and add else ()
    done: Status = "ok" if add else "would be pushed"
    return PushOutcome(
        photo=photo_id,
        status=done if new else "unchanged",
        title=photo.title,
        found=tuple(tag.raw for tag in photo.tags),
        changed=tuple((text_of(keyword), keyword.origin) for keyword in new),
        notes=notes,
    )


def _add(
    session: FlickrSession,
    journal: PushJournal,
    run: PushRun,
    photo: FlickrPhoto,
    new: Sequence[Keyword],
) -> tuple[str, ...]:
    """Add tags, with the journal; return notes for people."""
    tags = {form_of(text_of(k)): (text_of(k), k.origin) for k in new}
    before = [tag.id for tag in photo.tags]
    number = len(run.changes)
    journal.add(run=run.name, photo=photo.id, tags=tags, before=before)
    change = run.changes[number]
    try:
        here = _add_once(session, change, run.owner)
    except RefusedByFlickr:
        with suppress(LablrError):  # the next run settles it
            _settle(session, journal, run, number)
        raise
    found = here.tags_since(change.before, change.tags, run.owner)
    ids = {form: tag.id for form, tag in found.items()}
    journal.add(added=run.name, number=number, ids=ids)
    unseen = [raw for form, (raw, _) in tags.items() if form not in found]
    return tuple(
        f"Flickr took {raw!r} and does not show it; --undo leaves it alone."
        for raw in unseen
    )


def _add_once(session: FlickrSession, change: PhotoChange, owner: str) -> FlickrPhoto:
    """Ask Flickr to add tags, and again only if it did not; return the photo."""
    n_calls = 0

    def attempt() -> FlickrPhoto:
        nonlocal n_calls
        if n_calls:  # it may have been carried out, whatever became of the answer
            here = fetch_photo(session, change.photo)
            if _is_whole(here, change, owner):
                return here
        n_calls += 1
        raws = [raw for raw, _ in change.tags.values()]
        session.call_once(
            "flickr.photos.addTags", photo_id=change.photo, tags=quoted(raws)
        )
        return fetch_photo(session, change.photo)

    return session.retrying(attempt)


def _is_whole(here: FlickrPhoto, change: PhotoChange, owner: str) -> bool:
    found = here.tags_since(change.before, change.tags, owner)
    return found.keys() == change.tags.keys()


def _settle(
    session: FlickrSession, journal: PushJournal, run: PushRun, number: int
) -> None:
    """Find out whether a change that was cut off happened, and record it.

    Flickr adds all tags of a call or none. Where only some are there, a person has had
    a hand in it, and --undo must not take off what may be theirs.
    """
    change = run.changes[number]
    ids: dict[str, str] = {}
    try:
        here = fetch_photo(session, change.photo)
        found = here.tags_since(change.before, change.tags, run.owner)
        if _is_whole(here, change, run.owner):
            ids = {form: tag.id for form, tag in found.items()}
        elif found:
            raws = ", ".join(tag.raw for tag in found.values())
            log.warning(
                "photo %s: %s: added by Lablr before it was stopped, or by you; "
                "--undo leaves it alone",
                change.photo,
                raws,
            )
    except RefusedByFlickr as error:
        if error.number != NO_PHOTO:
            raise
    journal.add(added=run.name, number=number, ids=ids)
