"""Store the tags that models predict, and look up photos with them.

A web page names a photo by the number that the database gave it: its name may be a
path on this machine, and its place is one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from lablr.annotation.database.engine import HOW_TO_STORE
from lablr.annotation.database.records import (
    ModelRecord,
    PhotoToRate,
    PredictedTag,
    StoredPhoto,
    rank_tags,
)
from lablr.annotation.database.tables import (
    ModelVersion,
    PhotoRow,
    Prediction,
    Table,
)
from lablr.annotation.database.transactions import Transactions
from lablr.errors import JudgementError
from lablr.ranking.suggestion import TagScore

DEFAULT_K = 5
BATCH = 500

Predictions = tuple[StoredPhoto, Iterable[TagScore | tuple[str, float]]]

Insert = sqlite.Insert | postgresql.Insert
INSERTS: dict[str, Callable[[type[Table]], Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


class StoredPredictions(Transactions):
    """The models of a database, their photos and the tags they predicted."""

    def store_predictions(
        self, model: ModelRecord, photos: Iterable[Predictions]
    ) -> int:
        """Store a model's tags of photos, best first; returns how many photos.

        ``photos`` yields a `StoredPhoto` with its tags (`TagScore`, or pairs of tag
        and probability) and is read 500 at a time, each batch one transaction: an
        endless one takes no more memory. Stored predictions stay as they are, so a
        run that was stopped is simply run again; of a photo that has moved the new
        place is kept.

        Raises `JudgementError` for tags or probabilities that are none; the batches
        before are kept.
        """
        with self.writing() as session:
            _insert(session, ModelVersion, [vars(model)])
            found = select(ModelVersion.id).where(ModelVersion.digest == model.digest)
            model_id = session.scalars(found).one()
        n_photos, remaining = 0, iter(photos)
        while batch := list(islice(remaining, BATCH)):
            with self.writing(alone=True) as session:
                n_photos += _store_batch(session, model_id, batch)
        return n_photos

    def models(self) -> list[ModelRecord]:
        """Return the models whose predictions are stored, the last one first."""
        with self.reading() as session:
            return [
                ModelRecord(row.digest, row.name, row.created)
                for row in session.query(ModelVersion).order_by(ModelVersion.id.desc())
            ]

    def photo_numbers(self, names: Collection[str]) -> dict[str, int]:
        """Return the numbers of photos by their names, without unknown names."""
        with self.reading() as session:
            return _ids(session, names)

    def photo(self, number: int) -> StoredPhoto | None:
        """Return the photo of a number; None when there is none."""
        with self.reading() as session:
            row = session.get(PhotoRow, number)
            return None if row is None else _stored_photo(row)

    def photo_to_rate(
        self, number: int, k: int = DEFAULT_K, model: str | None = None
    ) -> PhotoToRate:
        """Return a photo by its number, with the first k tags of a model.

        ``model`` is as in `RatingQueue.next_photos`. Raises `JudgementError` for a
        photo or model that does not exist.
        """
        with self.reading() as session:
            found = find_model(session, model)
            if found is None or session.get(PhotoRow, number) is None:
                raise JudgementError("there is no such photo in the database")
            return photo_to_rate(session, found, number, k)


def entropy(probability: float) -> float:
    """Return the entropy of a yes or no, in bits: -p log2 p - (1-p) log2 (1-p)."""
    parts = (probability, 1 - probability)
    return -sum(part * math.log2(part) for part in parts if part > 0)


def _store_batch(session: Session, model_id: int, batch: Sequence[Predictions]) -> int:
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
        for row in rank_tags(tags)
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
    """Insert rows; of those that exist already, ``update`` the given columns."""
    if not rows:
        return
    statement = INSERTS[session.get_bind().dialect.name](table)
    if update:
        new = {name: statement.excluded[name] for name in update}
        statement = statement.on_conflict_do_update(index_elements=["name"], set_=new)
    else:
        statement = statement.on_conflict_do_nothing()
    session.execute(statement, [dict(row) for row in rows])


def find_model(session: Session, digest: str | None) -> ModelVersion | None:
    """Return the model of a digest (or its beginning); None: the one stored last.

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


def existing_model(session: Session, digest: str | None) -> ModelVersion:
    """Return the model as `find_model`; raises `JudgementError` when none is stored."""
    model = find_model(session, digest)
    if model is None:
        raise JudgementError(f"the database holds no predictions; {HOW_TO_STORE}")
    return model


def photo_to_rate(
    session: Session, model: ModelVersion, photo_id: int, k: int
) -> PhotoToRate:
    """Return a photo with the first k tags that a model gave it."""
    photo = _stored_photo(session.get_one(PhotoRow, photo_id))
    tags = top_tags(session, model.id, photo_id, k)
    return PhotoToRate(photo, model.digest, tuple(tags))


def top_tags(
    session: Session, model_id: int, photo_id: int, k: int
) -> list[PredictedTag]:
    """Return the first k tags that a model gave a photo."""
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


def _stored_photo(row: PhotoRow) -> StoredPhoto:
    return StoredPhoto(row.name, row.place, row.source)
