"""Ratings: one rater's verdict on one photo, the decisions it implies, and undo."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import Delete, delete, exists, func, select
from sqlalchemy.orm import Session

from lablr.annotation.database.predictions import (
    DEFAULT_K,
    existing_model,
    find_model,
    photo_to_rate,
    top_tags,
)
from lablr.annotation.database.raters import find_rater
from lablr.annotation.database.records import (
    PhotoToRate,
    RaterProgress,
    RatingRecord,
    check_text,
)
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
from lablr.annotation.database.transactions import Transactions
from lablr.errors import AlreadyJudged, CorpusError, JudgementError
from lablr.tags import normalize

# The pace is that of the last ratings, none of them further apart than a sitting.
PACE_RATINGS = 20
SITTING = timedelta(minutes=5)


class Ratings(Transactions):
    """The verdicts of a database, and how far each rater is."""

    def rate(
        self,
        rater: str,
        photo: str,
        verdict: str,
        decisions: Mapping[str, str] | None = None,
        token: str | None = None,
        k: int = DEFAULT_K,
        model: str | None = None,
    ) -> RatingRecord:
        """Store a verdict on the first ``k`` tags of a photo, by the photo's name.

        verdict : ``top_right``, ``one_of_k_right`` (and the first is not) or
            ``none_right``.
        decisions : tag -> ``yes`` or ``no``, for tags that were shown, or ``typed``
            for one that the rater added.
        model : the digest of the `PhotoToRate` that was shown; None is the model
            stored last, which may have become another since.
        token : the client's own name for this act; sent again, it is stored once
            and the stored rating is returned. None: every call is a new act.

        Raises `AlreadyJudged` when the rater rated the photo under another token,
        or took this very rating back; `JudgementError` for a contradiction, or a
        rater, photo, tag or model that does not exist.
        """
        act = token or uuid.uuid4().hex
        check_text(act, "the token")
        with self.writing() as session:
            rater_id = find_rater(session, rater, lock=True)
            found = existing_model(session, model)
            photo_id = _find_photo(session, photo)
            rating = _stored_rating(session, rater_id, photo_id, act)
            if rating is None:
                rating = Rating(photo_id=photo_id, rater_id=rater_id, token=act, k=k)
                rating.model_id, rating.verdict = found.id, verdict
                rating.at = self._clock()
                shown = [row.tag for row in top_tags(session, found.id, photo_id, k)]
                _store_rating(session, rating, decisions or {}, shown)
            return _record(session, rating)

    def skip(self, rater: str, photo: str) -> None:
        """Serve a photo to this rater no more, unless undone; twice is once.

        Raises `AlreadyJudged` for a photo that the rater has rated, `JudgementError`
        for an unknown rater or photo.
        """
        with self.writing() as session:
            rater_id = find_rater(session, rater, lock=True)
            photo_id = _find_photo(session, photo)
            rated = select(Rating.id).where(
                Rating.photo_id == photo_id, Rating.rater_id == rater_id
            )
            if session.scalars(rated).first() is not None:
                raise AlreadyJudged(
                    "this photo is judged already; undo that to skip it"
                )
            if session.get(Skip, (photo_id, rater_id)) is None:
                at = self._clock()
                session.add(Skip(photo_id=photo_id, rater_id=rater_id, at=at))

    def undo(self, rater: str, k: int = DEFAULT_K) -> PhotoToRate | None:
        """Take back a rater's last rating or skip; returns its photo to rate again.

        None when there is nothing to take back.
        """
        with self.writing() as session:
            rater_id = find_rater(session, rater, lock=True)
            undone = _undo_last(session, rater_id, self._clock())
            if undone is None:
                return None
            photo_id, model_id = undone
            model = (
                existing_model(session, None)
                if model_id is None
                else session.get_one(ModelVersion, model_id)
            )
            return photo_to_rate(session, model, photo_id, k)

    def progress(self, rater: str, model: str | None = None) -> RaterProgress:
        """Count the photos of a model that a rater has rated, skipped and left."""
        with self.reading() as session:
            rater_id = find_rater(session, rater)
            found = find_model(session, model)
            if found is None:
                return RaterProgress(0, 0, 0, None)
            n_rated, n_skipped = (
                _count_of_rater(session, table, rater_id, found.id)
                for table in (Rating, Skip)
            )
            photos = select(func.count()).select_from(Prediction)
            photos = photos.where(Prediction.rank == 1)
            of_model = Prediction.model_id == found.id
            n_photos = session.scalar(photos.where(of_model)) or 0
            latest = session.scalars(
                select(Rating.at)
                .where(Rating.rater_id == rater_id)
                .order_by(Rating.at.desc())
                .limit(PACE_RATINGS)
            ).all()
            n_left = n_photos - n_rated - n_skipped
            return RaterProgress(n_rated, n_skipped, n_left, _pace_per_minute(latest))


def _stored_rating(
    session: Session, rater_id: int, photo_id: int, token: str
) -> Rating | None:
    """Return the rating that this act repeats; None when it is new.

    Raises `AlreadyJudged` for another rating of the photo, or one that was undone.
    """
    own = select(Rating).where(Rating.rater_id == rater_id)
    same = session.scalars(own.where(Rating.token == token)).first()
    if same is not None and same.photo_id != photo_id:
        raise JudgementError("the token belongs to a rating of another photo")
    if same is not None:
        return same
    if session.get(Undone, (rater_id, token)) is not None:
        raise AlreadyJudged("this rating was taken back")
    if session.scalars(own.where(Rating.photo_id == photo_id)).first() is not None:
        raise AlreadyJudged("this photo is judged already; undo that to judge it again")
    return None


def _store_rating(
    session: Session, rating: Rating, decisions: Mapping[str, str], shown: list[str]
) -> None:
    """Store a rating with its decisions; a skip of the same photo goes."""
    stated = _stated_decisions(decisions, shown)
    every = all_decisions(rating.verdict, stated, shown)
    session.add(rating)
    session.flush()
    session.add_all(
        Decision(rating_id=rating.id, tag=tag, decision=word, implied=tag not in stated)
        for tag, word in every.items()
    )
    session.execute(_delete_skip(rating.photo_id, rating.rater_id))
    session.flush()


def _stated_decisions(
    decisions: Mapping[str, str], shown: Sequence[str]
) -> dict[str, str]:
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
    """Return the stated decisions and those that follow from the verdict.

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


def _undo_last(
    session: Session, rater_id: int, at: datetime
) -> tuple[int, int | None] | None:
    """Take back the last rating or skip; returns the ids of its photo and model.

    A skip has no model. None when there is nothing to take back.
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
    session.execute(_delete_skip(skipped.photo_id, rater_id))
    return skipped.photo_id, None


def _count_of_rater(
    session: Session, table: type[Rating] | type[Skip], rater_id: int, model_id: int
) -> int:
    of_model = exists().where(
        Prediction.model_id == model_id,
        Prediction.photo_id == table.photo_id,
        Prediction.rank == 1,
    )
    rows = select(func.count()).select_from(table)
    return session.scalar(rows.where(table.rater_id == rater_id, of_model)) or 0


def _pace_per_minute(latest: Sequence[datetime]) -> float | None:
    """Return ratings a minute, of times from the latest back; a long pause ends it."""
    n = 0
    for later, earlier in pairwise(latest):
        if later - earlier > SITTING:
            break
        n += 1
    passed = (latest[0] - latest[n]).total_seconds() if n else 0.0
    return 60 * n / passed if passed > 0 else None


def _find_photo(session: Session, name: str) -> int:
    """Return the id of a photo; raises `JudgementError` for an unknown name."""
    check_text(name, "the photo's name")
    found = session.scalars(select(PhotoRow.id).where(PhotoRow.name == name)).first()
    if found is None:
        raise JudgementError(f"there is no photo {name[:80]!r} in the database")
    return found


def _delete_skip(photo_id: int, rater_id: int) -> Delete:
    return delete(Skip).where(Skip.photo_id == photo_id, Skip.rater_id == rater_id)


def _record(session: Session, rating: Rating) -> RatingRecord:
    """Return the rating with the decisions that were given one by one."""
    stated = session.execute(
        select(Decision.tag, Decision.decision)
        .where(Decision.rating_id == rating.id, ~Decision.implied)
        .order_by(Decision.tag)
    )
    return RatingRecord(
        photo=session.get_one(PhotoRow, rating.photo_id).name,
        rater=session.get_one(Rater, rating.rater_id).name,
        model=session.get_one(ModelVersion, rating.model_id).digest,
        verdict=rating.verdict,
        k=rating.k,
        at=rating.at,
        token=rating.token,
        decisions=dict(stated.all()),
    )
