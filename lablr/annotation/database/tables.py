"""The tables of the database: predictions, ratings, and the desk.

::

    model_versions ──< predictions >── photos
          │                              │
          └──────< ratings >─────────────┤
                   │     └── raters >────┴──< skips
                   └──< decisions

    desk_photos ──< desk_changes >── desk_steps
        ├──  desk_descriptions
        └──< desk_written

A photo is rated once by a rater, which a unique constraint holds. The schema is
made by the migrations; a test holds the two equal. The desk's tables
(`lablr.annotation.desk`) share the database and nothing else with those of the raters.
"""

from __future__ import annotations

from datetime import datetime, timezone

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    MetaData,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

VERDICTS = ("top_right", "one_of_k_right", "none_right")
# "typed" is a tag that a person added: right, and not among those that were shown.
DECISIONS = ("yes", "no", "typed")
# A person's decision about a tag at the desk; "cleared": none any more.
MARKS = ("accepted", "typed", "rejected", "cleared")


class Moment(TypeDecorator[datetime]):
    """A point in time, in UTC: SQLite keeps no time zone, so none but UTC goes in."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        """Turn an aware time into UTC; raises `ValueError` for a naive one."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value and value.astimezone(timezone.utc)

    def process_result_value(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        """Return the time with its zone."""
        aware = value and value.replace(tzinfo=value.tzinfo or timezone.utc)
        return aware and aware.astimezone(timezone.utc)


class Table(DeclarativeBase):
    """Base of the tables; constraints have names, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012
        str: Text(),
        float: Double(),
        datetime: Moment(),
    }


class ModelVersion(Table):
    """A bundle whose predictions are stored, by its digest."""

    __tablename__ = "model_versions"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    created: Mapped[datetime]


class PhotoRow(Table):
    """A photo by its stable name; ``place`` is a file's path or a link."""

    __tablename__ = "photos"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    place: Mapped[str]
    source: Mapped[str]


class Prediction(Table):
    """A tag at a rank (from 1) that a model predicted for a photo.

    ``entropy`` is that of the probability, in bits, for the queue's order: not every
    SQLite can take a logarithm.
    """

    __tablename__ = "predictions"
    __table_args__ = (UniqueConstraint("model_id", "photo_id", "tag"),)

    model_id: Mapped[int] = mapped_column(
        ForeignKey("model_versions.id"), primary_key=True
    )
    photo_id: Mapped[int] = mapped_column(ForeignKey("photos.id"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    tag: Mapped[str]
    probability: Mapped[float]
    entropy: Mapped[float]


class Rater(Table):
    """A person who rates; without a password hash the name alone signs in."""

    __tablename__ = "raters"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str | None]


class Rating(Table):
    """One verdict on the first k tags that a model gave a photo.

    ``token`` is the client's own name for the act: the same one twice is one rating.
    """

    __tablename__ = "ratings"
    __table_args__ = (
        UniqueConstraint("photo_id", "rater_id"),
        UniqueConstraint("rater_id", "token"),
        CheckConstraint(f"verdict IN {VERDICTS}", name="verdict"),
        CheckConstraint("k >= 1", name="k"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    photo_id: Mapped[int] = mapped_column(ForeignKey("photos.id"))
    rater_id: Mapped[int] = mapped_column(ForeignKey("raters.id"), index=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"), index=True)
    verdict: Mapped[str]
    k: Mapped[int]
    at: Mapped[datetime]
    token: Mapped[str]


class Decision(Table):
    """The decision whether one tag is right for the photo of a rating.

    ``implied`` ones follow from the verdict; the others a person gave one by one.
    """

    __tablename__ = "decisions"
    __table_args__ = (
        CheckConstraint(f"decision IN {DECISIONS}", name="decision"),
        Index(None, "tag"),
    )

    rating_id: Mapped[int] = mapped_column(
        ForeignKey("ratings.id", ondelete="CASCADE"), primary_key=True
    )
    tag: Mapped[str] = mapped_column(primary_key=True)
    decision: Mapped[str]
    implied: Mapped[bool]


class Skip(Table):
    """A photo that a rater did not want to rate."""

    __tablename__ = "skips"

    photo_id: Mapped[int] = mapped_column(ForeignKey("photos.id"), primary_key=True)
    rater_id: Mapped[int] = mapped_column(
        ForeignKey("raters.id"), primary_key=True, index=True
    )
    at: Mapped[datetime]


class Undone(Table):
    """The token of a rating that was taken back.

    Kept, so that a late second copy of a request does not bring the rating back.
    """

    __tablename__ = "undone"

    rater_id: Mapped[int] = mapped_column(ForeignKey("raters.id"), primary_key=True)
    token: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]


class DeskPhotoRow(Table):
    """A photo's file at the desk: a name below a folder."""

    __tablename__ = "desk_photos"
    __table_args__ = (UniqueConstraint("folder", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    folder: Mapped[str]
    name: Mapped[str]


class DeskDescription(Table):
    """The latent, by the model of a digest, of a file of this size and time of change.

    ``latent`` is float32, little-endian; without it ``code`` and ``message`` say why
    there is none.
    """

    __tablename__ = "desk_descriptions"

    photo_id: Mapped[int] = mapped_column(
        ForeignKey("desk_photos.id"), primary_key=True
    )
    model: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    latent: Mapped[bytes | None]
    code: Mapped[str | None]
    message: Mapped[str | None]


class DeskStep(Table):
    """One act of a person at the desk of a folder; undoing it removes it."""

    __tablename__ = "desk_steps"

    id: Mapped[int] = mapped_column(primary_key=True)
    desk: Mapped[str] = mapped_column(index=True)
    at: Mapped[datetime]


class DeskChange(Table):
    """The mark that a step gives one tag of one photo; the last one counts."""

    __tablename__ = "desk_changes"
    __table_args__ = (CheckConstraint(f"mark IN {MARKS}", name="mark"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    step_id: Mapped[int] = mapped_column(
        ForeignKey("desk_steps.id", ondelete="CASCADE"), index=True
    )
    photo_id: Mapped[int] = mapped_column(ForeignKey("desk_photos.id"), index=True)
    tag: Mapped[str]
    mark: Mapped[str]


class DeskWritten(Table):
    """A tag that is in a photo, or in the sidecar ``beside`` it.

    It counts while that file has this size and time of change: undoing the writing
    elsewhere, or changing the file, makes it void.
    """

    __tablename__ = "desk_written"

    photo_id: Mapped[int] = mapped_column(
        ForeignKey("desk_photos.id"), primary_key=True
    )
    tag: Mapped[str] = mapped_column(primary_key=True)
    beside: Mapped[bool] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
