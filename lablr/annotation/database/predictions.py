"""Predictions: stored in batches, and picked for judging."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    and_,
    exists,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from lablr.annotation.database.engine import lock_for_storing
from lablr.annotation.database.records import (
    ModelRecord,
    PhotoToJudge,
    PredictedTag,
    StoredPhoto,
    TagLike,
    ranked,
)
from lablr.annotation.database.tables import (
    Decision,
    ModelVersion,
    PhotoRow,
    Prediction,
    Rating,
    Skip,
    Table,
)
from lablr.errors import JudgementError

__all__ = [
    "ORDERS",
    "Predictions",
    "batches",
    "find_model",
    "photo_to_judge",
    "photos_to_judge",
    "store_batch",
    "store_model",
    "unjudged",
]

ORDERS = ("queue", "uncertain")
# After this many judgements of a tag, the next one counts half.
HALF_LIFE = 10
BATCH = 500

Predictions = tuple[StoredPhoto, Iterable[TagLike | tuple[str, float]]]

Insert = sqlite.Insert | postgresql.Insert
INSERTS: dict[str, Callable[[type[Table]], Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def entropy(probability: float) -> float:
    """Entropy of a yes or no, in bits: -p log2 p - (1-p) log2 (1-p)."""
    parts = (probability, 1 - probability)
    return -sum(part * math.log2(part) for part in parts if part > 0)


def batches(items: Iterable[Predictions]) -> Iterator[list[Predictions]]:
    """Take items `BATCH` at a time, and no more than that into memory."""
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def store_model(session: Session, model: ModelRecord) -> int:
    """Enter a model version, unless it is there; returns its id."""
    _insert(session, ModelVersion, [vars(model)])
    found = select(ModelVersion.id).where(ModelVersion.digest == model.digest)
    return session.scalars(found).one()


def store_batch(session: Session, model_id: int, batch: Sequence[Predictions]) -> int:
    """Store what a model predicted of some photos; returns their number.

    What is there already stays: storing it again changes nothing, but for a photo
    that has moved, whose new place is kept.
    """
    lock_for_storing(session)
    photos = {photo.name: photo for photo, _ in batch}
    before = _ids(session, photos)
    _insert(session, PhotoRow, [vars(photos[n]) for n in photos if n not in before])
    moved = [vars(photos[n]) for n in sorted(before)]
    _insert(session, PhotoRow, moved, update=("place", "source"))
    ids = _ids(session, photos)
    rows = [
        {
            "model_id": model_id,
            "photo_id": ids[photo.name],
            **vars(row),
            "entropy": entropy(row.probability),
        }
        for photo, tags in batch
        for row in ranked(tags)
    ]
    _insert(session, Prediction, rows)
    return len(photos)


def _ids(session: Session, names: Iterable[str]) -> dict[str, int]:
    found = select(PhotoRow.name, PhotoRow.id).where(PhotoRow.name.in_(list(names)))
    return dict(session.execute(found).all())


def _insert(
    session: Session,
    table: type[Table],
    rows: Sequence[Mapping[str, Any]],
    update: Sequence[str] = (),
) -> None:
    """Insert rows; of those that are there already, ``update`` the given columns."""
    if not rows:
        return
    statement = INSERTS[session.get_bind().dialect.name](table)
    if update:
        new = {name: statement.excluded[name] for name in update}
        statement = statement.on_conflict_do_update(index_elements=["name"], set_=new)
    else:
        statement = statement.on_conflict_do_nothing()
    session.execute(statement, [dict(row) for row in rows])


# --- picked


def find_model(session: Session, digest: str | None) -> ModelVersion | None:
    """The model of a digest (or its beginning); None: the one stored last.

    Raises `JudgementError` when no model, or more than one, has the digest.
    """
    query = select(ModelVersion).order_by(ModelVersion.id.desc())
    if digest is None:
        return session.scalars(query.limit(1)).first()
    found = session.scalars(
        query.where(ModelVersion.digest.startswith(digest, autoescape=True)).limit(2)
    ).all()
    if len(found) != 1:
        amount = "no model" if not found else "more than one model"
        raise JudgementError(f"{amount} in the database has the digest {digest[:64]}")
    return found[0]


def unjudged(model_id: int, rater_id: int) -> ColumnElement[bool]:
    """Whether a prediction's photo awaits a rater: neither judged nor skipped."""
    rated = exists().where(
        Rating.photo_id == Prediction.photo_id, Rating.rater_id == rater_id
    )
    skipped = exists().where(
        Skip.photo_id == Prediction.photo_id, Skip.rater_id == rater_id
    )
    return and_(Prediction.model_id == model_id, ~rated, ~skipped)


def photos_to_judge(
    session: Session, model: ModelVersion, rater_id: int, order: str, k: int, n: int
) -> list[PhotoToJudge]:
    """The next ``n`` photos for a rater with a model's first ``k`` tags each.

    ``queue`` is the order in which the photos were stored. ``uncertain`` serves the
    photo with the largest expected information first, equal ones in queue order::

        U(photo) = Σ_{i ≤ k}  c / (c + n(t_i)) · h(p_i)
        h(p)     = −p log2 p − (1 − p) log2 (1 − p)

    with t_i and p_i the tag and the probability at rank i, n(t) the times that
    anybody has judged tag t so far, and c = 10. h is what the answer about one tag
    tells in bits, the most at p = 1/2 (uncertainty sampling: Lewis and Gale, "A
    sequential algorithm for training text classifiers", SIGIR 1994); the sum takes
    the k answers as independent. The discount is how fast they stop teaching: with c
    judgements' worth of prior belief in a tag, n more leave c / (c + n) of the
    variance of its estimated rate. Raises `JudgementError` for another order.
    """
    if order == "queue":
        query = _queue(model.id, rater_id)
    elif order == "uncertain":
        query = _by_information(model.id, rater_id, k)
    else:
        raise JudgementError(f"order: expected one of {ORDERS}, found {order!r}")
    ids = session.scalars(query.limit(n)).all()
    return [photo_to_judge(session, model, photo_id, k) for photo_id in ids]


def _queue(model_id: int, rater_id: int) -> Select[int]:
    return (
        select(Prediction.photo_id)
        .where(unjudged(model_id, rater_id), Prediction.rank == 1)
        .order_by(Prediction.photo_id)
    )


def _by_information(model_id: int, rater_id: int, k: int) -> Select[int]:
    judged = (
        select(Decision.tag, func.count().label("n"))
        .where(Decision.decision != "typed")
        .group_by(Decision.tag)
        .subquery()
    )
    discount = 1.0 * HALF_LIFE / (HALF_LIFE + func.coalesce(judged.c.n, 0))
    information = func.sum(discount * Prediction.entropy)
    return (
        select(Prediction.photo_id)
        .outerjoin(judged, judged.c.tag == Prediction.tag)
        .where(unjudged(model_id, rater_id), Prediction.rank <= k)
        .group_by(Prediction.photo_id)
        .order_by(information.desc(), Prediction.photo_id)
    )


def photo_to_judge(
    session: Session, model: ModelVersion, photo_id: int, k: int
) -> PhotoToJudge:
    photo = session.get_one(PhotoRow, photo_id)
    return PhotoToJudge(
        StoredPhoto(photo.name, photo.place, photo.source),
        model.digest,
        tuple(top_tags(session, model.id, photo_id, k)),
    )


def top_tags(
    session: Session, model_id: int, photo_id: int, k: int
) -> list[PredictedTag]:
    """The first k tags that a model gave a photo."""
    query = (
        select(Prediction.rank, Prediction.tag, Prediction.probability)
        .where(
            Prediction.model_id == model_id,
            Prediction.photo_id == photo_id,
            Prediction.rank <= k,
        )
        .order_by(Prediction.rank)
    )
    return [PredictedTag(*row) for row in session.execute(query)]


def count_photos(model_id: int) -> ScalarSelect[int]:
    """How many photos a model has predictions of."""
    return (
        select(func.count())
        .select_from(Prediction)
        .where(Prediction.model_id == model_id, Prediction.rank == 1)
        .scalar_subquery()
    )
