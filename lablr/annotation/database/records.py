"""The plain values that go into the database and come out of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

from lablr.bundle import Bundle
from lablr.errors import JudgementError
from lablr.ranking.suggestion import TagScore

MAX_CHARACTERS = 4096


@dataclass(frozen=True)
class ModelRecord:
    """The bundle that predicted, by its digest, with a name for people."""

    digest: str
    name: str
    created: datetime

    @classmethod
    def of(cls, bundle: Bundle, name: str) -> ModelRecord:
        """Describe a bundle; the time is now when it does not say its own."""
        written = str(bundle.provenance.get("created", ""))
        try:
            created = datetime.fromisoformat(written.replace("Z", "+00:00"))
        except ValueError:
            created = datetime.now(timezone.utc)
        if created.tzinfo is None:
            created = created.replace(tzinfo=timezone.utc)
        return cls(bundle.digest, name, created)


@dataclass(frozen=True)
class StoredPhoto:
    """A photo by its stable name; ``place`` is a file's path or a link.

    Raises `JudgementError` for text that no database can store: not Unicode (a file's
    name may be any bytes), with a NUL, or longer than 4,096 characters.
    """

    name: str
    place: str
    source: str = ""

    def __post_init__(self) -> None:
        for what in ("name", "place", "source"):
            check_text(getattr(self, what), f"the photo's {what}")
        if not self.name:
            raise JudgementError("the photo has no name")


@dataclass(frozen=True)
class PredictedTag:
    """A tag of a photo as a model ranked it, from 1."""

    rank: int
    tag: str
    probability: float


@dataclass(frozen=True)
class PhotoToRate:
    """A photo with the first k tags of one model; ``model`` is its digest."""

    photo: StoredPhoto
    model: str
    tags: tuple[PredictedTag, ...]


@dataclass(frozen=True)
class RatingRecord:
    """A stored rating; ``decisions`` are those given one by one."""

    photo: str
    rater: str
    model: str
    verdict: str
    k: int
    at: datetime
    token: str
    decisions: dict[str, str]


@dataclass(frozen=True)
class RaterProgress:
    """A rater's progress through the photos of a model.

    ``per_minute`` is over the last ratings of one sitting, None before the second.
    """

    n_rated: int
    n_skipped: int
    n_left: int
    per_minute: float | None

    @property
    def n_photos(self) -> int:
        """Count all photos of the model."""
        return self.n_rated + self.n_skipped + self.n_left


@dataclass(frozen=True)
class Consensus:
    """The verdict of everybody who rated a photo, together.

    ``place`` is a file's path. ``accepted`` and ``rejected`` are tags, none in both;
    ``asked`` are those of them that were decided whatever the answer.
    """

    photo: str
    place: str
    accepted: frozenset[str]
    rejected: frozenset[str]
    asked: frozenset[str]


def check_text(value: str, what: str) -> None:
    """Raise `JudgementError` for text that a database cannot store."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise JudgementError(f"{what} is not Unicode: {ascii(value)[:80]}") from error
    if "\0" in value or len(value) > MAX_CHARACTERS:
        raise JudgementError(
            f"{what} holds a NUL, or more than {MAX_CHARACTERS:,} characters"
        )


def rank_tags(tags: Iterable[TagScore | tuple[str, float]]) -> list[PredictedTag]:
    """Give tags, best first, their ranks from 1.

    Raises `JudgementError` for a tag that comes twice or a probability that is none.
    """
    found = []
    for rank, given in enumerate(tags, start=1):
        tag, probability = (
            given if isinstance(given, tuple) else (given.tag, given.probability)
        )
        check_text(tag, "a tag")
        if not 0 <= probability <= 1:
            raise JudgementError(f"{tag!r}: {probability!r} is no probability")
        found.append(PredictedTag(rank, tag, float(probability)))
    if len({row.tag for row in found}) != len(found):
        raise JudgementError("a tag comes twice in one photo's predictions")
    return found
