"""Read what the raters of a database agree on, for `lablr.annotation.update`.

**Several raters.** A photo counts once. The majority of those who decided a tag
decides it; a tie leaves it open.

**What was asked.** A verdict decides the first tag whatever it is. It decides the
others only for some answers, unless the rater said yes or no to each tag that was
shown, one by one. Typed tags were never asked for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lablr.annotation.database.database import Database
from lablr.annotation.database.records import Consensus
from lablr.annotation.database.tables import Decision, PhotoRow, Prediction, Rating


@dataclass
class _Votes:
    """The votes on one photo: for minus against each tag, and the tags asked about."""

    place: str
    balance: Counter[str] = field(default_factory=Counter)
    asked: set[str] = field(default_factory=set)

    def consensus(self, photo: str) -> Consensus:
        accepted = frozenset(tag for tag, votes in self.balance.items() if votes > 0)
        rejected = frozenset(tag for tag, votes in self.balance.items() if votes < 0)
        asked = frozenset(self.asked) & (accepted | rejected)
        return Consensus(photo, self.place, accepted, rejected, asked)


def read_consensus(database: Database) -> list[Consensus]:
    """Return the consensus on each rated photo, in the order of the photos' names.

    Ratings of every model's tags count: they are about photos, not about a model.
    """
    photos: dict[str, _Votes] = {}
    with database.reading() as session:
        asked = _asked(session)
        rows = session.execute(
            select(
                PhotoRow.name,
                PhotoRow.place,
                Rating.id,
                Decision.tag,
                Decision.decision,
            )
            .join_from(Decision, Rating, Decision.rating_id == Rating.id)
            .join(PhotoRow, PhotoRow.id == Rating.photo_id)
        )
        for name, place, rating, tag, decision in rows:
            votes = photos.setdefault(name, _Votes(place))
            votes.balance[tag] += -1 if decision == "no" else 1
            if tag in asked[rating]:
                votes.asked.add(tag)
    return [photos[name].consensus(name) for name in sorted(photos)]


def _asked(session: Session) -> defaultdict[int, set[str]]:
    """Return the tags of each rating that were decided whatever the answer."""
    shown = select(Rating.id, Prediction.rank, Prediction.tag).join(
        Prediction,
        (Prediction.model_id == Rating.model_id)
        & (Prediction.photo_id == Rating.photo_id)
        & (Prediction.rank <= Rating.k),
    )
    stated = (
        select(Decision.rating_id, func.count())
        .where(~Decision.implied, Decision.decision != "typed")
        .group_by(Decision.rating_id)
    )
    n_stated = dict(session.execute(stated).all())
    first: dict[int, str] = {}
    tags: defaultdict[int, set[str]] = defaultdict(set)
    for rating, rank, tag in session.execute(shown):
        tags[rating].add(tag)
        if rank == 1:
            first[rating] = tag
    for rating, shown_tags in tags.items():
        if n_stated.get(rating, 0) < len(shown_tags):
            tags[rating] = {first[rating]}
    return tags
