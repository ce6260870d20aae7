"""Ratings: one verdict of one rater on one photo, what follows from it, and undo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import Delete, delete, exists, func, select
from sqlalchemy.orm import Session

from lablr.annotation.database.predictions import count_photos, top_tags
from lablr.annotation.database.records import JudgedPhoto, RaterProgress, check_text
from lablr.annotation.database.tables import (
    VERDICTS,
    Decision,
    ModelVersion,
    PhotoRow,
    Prediction,
    Rater,
    Rating,
    Skip,
    Undone,
)
from lablr.errors import AlreadyJudged, CorpusError, JudgementError
from lablr.tags import normalize

__all__ = ["all_decisions", "rate", "rater_progress", "skip", "undo"]

# The pace is that of the last ratings, none of them further apart than a sitting.
PACE_RATINGS = 20
SITTING = timedelta(minutes=5)


def rate(
    session: Session,
    rater_id: int,
    model: ModelVersion,
    photo: str,
    verdict: str,
    decisions: Mapping[str, str],
    k: int,
    token: str,
    at: datetime,
) -> JudgedPhoto:
    """Keep a rating; the same token again returns the one that is kept.

    Raises `AlreadyJudged` and `JudgementError` as `Database.rate` says. The rater's
    row must be locked.
    """
    check_text(token, "the token")
    photo_id = find_photo(session, photo)
    kept = _kept(session, rater_id, photo_id, token)
    if kept is not None:
        return _record(session, kept)
    shown = [row.tag for row in top_tags(session, model.id, photo_id, k)]
    stated = _stated(decisions, shown)
    every = all_decisions(verdict, stated, shown)
    rating = Rating(photo_id=photo_id, rater_id=rater_id, model_id=model.id, k=k)
    rating.verdict, rating.at, rating.token = verdict, at, token
    session.add(rating)
    session.flush()
    session.add_all(
        Decision(rating_id=rating.id, tag=tag, decision=word, implied=tag not in stated)
        for tag, word in every.items()
    )
    session.execute(_skip_of(photo_id, rater_id))
    session.flush()
    return _record(session, rating)


def _kept(session: Session, rater_id: int, photo_id: int, token: str) -> Rating | None:
    """The rating that this one repeats; None when it is new; else `AlreadyJudged`."""
    mine = select(Rating).where(Rating.rater_id == rater_id)
    same = session.scalars(mine.where(Rating.token == token)).first()
    if same is not None and same.photo_id != photo_id:
        raise JudgementError("the token belongs to a rating of another photo")
    if same is not None:
        return same
    if session.get(Undone, (rater_id, token)) is not None:
        raise AlreadyJudged("this rating was taken back")
    if session.scalars(mine.where(Rating.photo_id == photo_id)).first() is not None:
        raise AlreadyJudged("this photo is judged already; undo that to judge it again")
    return None


def _stated(decisions: Mapping[str, str], shown: Sequence[str]) -> dict[str, str]:
    """Check decisions given one by one; a typed tag that was shown is a yes."""
    stated: dict[str, str] = {}
    for tag, word in decisions.items():
        if word == "typed":
            try:
                name = normalize(tag)
            except CorpusError as error:
                raise JudgementError(str(error)) from error
            check_text(name, "a typed tag")
            stated[name] = "yes" if name in shown else "typed"
        elif word not in ("yes", "no"):
            raise JudgementError(f"{tag[:60]!r}: expected yes, no or typed: {word!r}")
        elif tag not in shown:
            raise JudgementError(f"the tag {tag[:60]!r} was not shown with this photo")
        else:
            stated[tag] = word
    return stated


def all_decisions(
    verdict: str, stated: Mapping[str, str], shown: Sequence[str]
) -> dict[str, str]:
    """The decisions that were stated, and those that follow from the verdict.

    With ``top_right`` the first tag is right; with ``one_of_k_right`` it is not, but
    another is: when only one is left, it is that one; with ``none_right`` no tag is.
    Raises `JudgementError` for a verdict that contradicts what was stated.
    """
    if verdict not in VERDICTS:
        raise JudgementError(f"expected one of {', '.join(VERDICTS)}: {verdict!r}")
    if not shown:
        raise JudgementError("this model predicted no tag of this photo")
    first, *others = shown
    if verdict == "top_right":
        implied = {first: "yes"}
    elif verdict == "none_right":
        implied = dict.fromkeys(shown, "no")
    else:
        implied = {first: "no"}
        open_tags = [tag for tag in others if stated.get(tag) != "no"]
        if not open_tags:
            raise JudgementError("one of the tags is said to be right, but none is")
        if len(open_tags) == 1:
            implied[open_tags[0]] = "yes"
    for tag, word in implied.items():
        if stated.get(tag, word) != word:
            raise JudgementError(
                f"the verdict {verdict} contradicts {stated[tag]!r} for {tag!r}"
            )
    return {**stated, **implied}


def skip(session: Session, rater_id: int, photo: str, at: datetime) -> None:
    """Note that a rater does not want a photo; twice is once.

    Raises `AlreadyJudged` for a photo that the rater has judged.
    """
    photo_id = find_photo(session, photo)
    rated = select(Rating.id).where(
        Rating.photo_id == photo_id, Rating.rater_id == rater_id
    )
    if session.scalars(rated).first() is not None:
        raise AlreadyJudged("this photo is judged already; undo that to skip it")
    if session.get(Skip, (photo_id, rater_id)) is None:
        session.add(Skip(photo_id=photo_id, rater_id=rater_id, at=at))


def undo(
    session: Session, rater_id: int, at: datetime
) -> tuple[int, int | None] | None:
    """Take back a rater's last rating or skip.

    Returns the ids of the photo and of the rating's model (None of a skip); None
    when there is nothing to take back.
    """
    rating = session.scalars(
        select(Rating)
        .where(Rating.rater_id == rater_id)
        .order_by(Rating.at.desc(), Rating.id.desc())
        .limit(1)
    ).first()
    skipped = session.scalars(
        select(Skip).where(Skip.rater_id == rater_id).order_by(Skip.at.desc()).limit(1)
    ).first()
    if rating is not None and (skipped is None or rating.at >= skipped.at):
        session.add(Undone(rater_id=rater_id, token=rating.token, at=at))
        session.execute(delete(Rating).where(Rating.id == rating.id))
        return rating.photo_id, rating.model_id
    if skipped is None:
        return None
    session.execute(_skip_of(skipped.photo_id, rater_id))
    return skipped.photo_id, None


def rater_progress(session: Session, rater_id: int, model_id: int) -> RaterProgress:
    """Count a rater's photos of a model, and how quickly the last ones went."""
    n_judged, n_skipped = (
        session.scalar(
            select(func.count())
            .select_from(table)
            .where(
                table.rater_id == rater_id,
                exists().where(
                    Prediction.model_id == model_id,
                    Prediction.photo_id == table.photo_id,
                    Prediction.rank == 1,
                ),
            )
        )
        or 0
        for table in (Rating, Skip)
    )
    n_photos = session.scalar(select(count_photos(model_id))) or 0
    latest = session.scalars(
        select(Rating.at)
        .where(Rating.rater_id == rater_id)
        .order_by(Rating.at.desc())
        .limit(PACE_RATINGS)
    ).all()
    n_left = n_photos - n_judged - n_skipped
    return RaterProgress(n_judged, n_skipped, n_left, pace_per_minute(latest))


def pace_per_minute(latest: Sequence[datetime]) -> float | None:
    """Ratings a minute, of times from the latest back; a long pause ends a sitting."""
    n = 0
    for later, earlier in pairwise(latest):
        if later - earlier > SITTING:
            break
        n += 1
    passed = (latest[0] - latest[n]).total_seconds() if n else 0.0
    return 60 * n / passed if passed > 0 else None


def find_photo(session: Session, name: str) -> int:
    """The id of a photo; raises `JudgementError` when there is none of that name."""
    check_text(name, "the photo's name")
    found = session.scalars(select(PhotoRow.id).where(PhotoRow.name == name)).first()
    if found is None:
        raise JudgementError(f"there is no photo {name[:80]!r} in the database")
    return found


def _skip_of(photo_id: int, rater_id: int) -> Delete:
    return delete(Skip).where(Skip.photo_id == photo_id, Skip.rater_id == rater_id)


def _record(session: Session, rating: Rating) -> JudgedPhoto:
    """The rating with the decisions that were given one by one."""
    stated = session.execute(
        select(Decision.tag, Decision.decision)
        .where(Decision.rating_id == rating.id, ~Decision.implied)
        .order_by(Decision.tag)
    )
    return JudgedPhoto(
        photo=session.get_one(PhotoRow, rating.photo_id).name,
        rater=session.get_one(Rater, rating.rater_id).name,
        model=session.get_one(ModelVersion, rating.model_id).digest,
        verdict=rating.verdict,
        k=rating.k,
        at=rating.at,
        token=rating.token,
        decisions=dict(stated.all()),
    )
