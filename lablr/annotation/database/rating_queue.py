"""Pick the photos that a rater rates next.

The order ``queue`` is that in which the photos were stored. ``uncertain`` serves the
photo with the largest expected information first, equal ones in queue order::

    U(photo) = Σ_{i ≤ k}  c / (c + n(t_i)) · h(p_i)
    h(p)     = −p log2 p − (1 − p) log2 (1 − p)

with t_i and p_i the tag and the probability at rank i, n(t) the times that anybody has
rated tag t so far, and c = 10. h is the information in the answer about one tag, in
bits, the most at p = 1/2 (uncertainty sampling: Lewis and Gale, "A sequential algorithm
for training text classifiers", SIGIR 1994); the sum takes the k answers as independent.
The discount is how fast they stop teaching: with c ratings' worth of prior belief in a
tag, n more leave c / (c + n) of the variance of its estimated rate.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, and_, exists, func, select

from lablr.annotation.database.predictions import DEFAULT_K, find_model, photo_to_rate
from lablr.annotation.database.raters import find_rater
from lablr.annotation.database.records import PhotoToRate
from lablr.annotation.database.tables import Decision, Prediction, Rating, Skip
from lablr.annotation.database.transactions import Transactions
from lablr.errors import JudgementError

ORDERS = ("queue", "uncertain")
# After this many ratings of a tag, the next one counts half.
HALF_LIFE = 10


class RatingQueue(Transactions):
    """The photos of a database that await a rater, in one of two orders."""

    def next_photos(
        self,
        rater: str,
        n: int = 2,
        order: str = "queue",
        k: int = DEFAULT_K,
        model: str | None = None,
    ) -> list[PhotoToRate]:
        """Return the next ``n`` photos, the first to rate, the others to fetch ahead.

        ``order`` is one of `ORDERS`, see the module; ``model`` is the digest (or its
        beginning) of the model whose tags are shown, None the one stored last.

        Raises `JudgementError` for a rater, model or order that does not exist.
        """
        with self.reading() as session:
            rater_id = find_rater(session, rater)
            found = find_model(session, model)
            if found is None:
                return []
            if order == "queue":
                query = _queue(found.id, rater_id)
            elif order == "uncertain":
                query = _by_information(found.id, rater_id, k)
            else:
                raise JudgementError(
                    f"order: expected one of {ORDERS}, found {order!r}"
                )
            ids = session.scalars(query.limit(n)).all()
            return [photo_to_rate(session, found, photo_id, k) for photo_id in ids]


def _queue(model_id: int, rater_id: int) -> Select[int]:
    return (
        select(Prediction.photo_id)
        .where(_unrated(model_id, rater_id), Prediction.rank == 1)
        .order_by(Prediction.photo_id)
    )


def _by_information(model_id: int, rater_id: int, k: int) -> Select[int]:
    rated = (
        select(Decision.tag, func.count().label("n"))
        .where(Decision.decision != "typed")
        .group_by(Decision.tag)
        .subquery()
    )
    discount = 1.0 * HALF_LIFE / (HALF_LIFE + func.coalesce(rated.c.n, 0))
    information = func.sum(discount * Prediction.entropy)
    return (
        select(Prediction.photo_id)
        .outerjoin(rated, rated.c.tag == Prediction.tag)
        .where(_unrated(model_id, rater_id), Prediction.rank <= k)
        .group_by(Prediction.photo_id)
        .order_by(information.desc(), Prediction.photo_id)
    )


def _unrated(model_id: int, rater_id: int) -> ColumnElement[bool]:
    """Select predictions of photos that a rater has neither rated nor skipped."""
    rated = exists().where(
        Rating.photo_id == Prediction.photo_id, Rating.rater_id == rater_id
    )
    skipped = exists().where(
        Skip.photo_id == Prediction.photo_id, Skip.rater_id == rater_id
    )
    return and_(Prediction.model_id == model_id, ~rated, ~skipped)
