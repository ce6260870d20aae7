"""Results of the ratings of a model: accuracy, tags, agreement, thresholds.

Where several raters judged a photo or a tag, more than half of them decide, and ties
are left out: so every photo counts once, and the intervals may take the cases as
independent.

Tags and curves count a photo's first tag, which every verdict decides, and the tags
that raters decided one by one. The other tags of a photo with no right one are wrong
too, but are left out: of a photo whose first tag is right they would be unknown, and
tags that are known only when they are wrong make a model look worse than it is.

"Recall" is the share of the right tags among those that were judged: nobody looked at
the tags below the first k.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import mean
from typing import Any, TypeVar

from sqlalchemy import Executable, Row, select

from lablr.annotation.curves import (
    Curves,
    Share,
    cohen_kappa,
    threshold_by_precision,
    threshold_by_youden,
)
from lablr.annotation.database.database import Database
from lablr.annotation.database.predictions import existing_model
from lablr.annotation.database.tables import (
    Decision,
    PhotoRow,
    Prediction,
    Rater,
    Rating,
)
from lablr.errors import JudgementError

T = TypeVar("T")

HOW_TO_JUDGE = "people do it with: lablr serve --judge DATABASE"


@dataclass(frozen=True)
class TagRow:
    """One tag over all photos: how often it was shown and right, and missed.

    ``n_typed`` are photos to which a rater added the tag.
    """

    tag: str
    right: Share
    mean_probability: float | None
    n_typed: int

    def to_dict(self) -> dict[str, object]:
        """Return the row for JSON."""
        return vars(self) | {"right": self.right.to_dict()}


@dataclass(frozen=True)
class Agreement:
    """Cohen's kappa of each pair of raters over the photos that both judged.

    ``kappa`` is the mean of the pairs whose own kappa is defined, None without one.
    """

    pairs: tuple[tuple[str, str, int, float | None], ...]
    kappa: float | None

    def to_dict(self) -> dict[str, object]:
        """Return the agreement for JSON."""
        names = ("first", "second", "n_photos", "kappa")
        pairs = [dict(zip(names, pair, strict=True)) for pair in self.pairs]
        return {"kappa": self.kappa, "pairs": pairs}


@dataclass(frozen=True, eq=False)
class Results:
    """All figures of one model's ratings."""

    model: str
    name: str
    n_ratings: int
    n_split_photos: int
    top_1: Share
    top_k: Share
    agreement: Agreement
    tags: tuple[TagRow, ...]
    curves: Curves

    def threshold(self, precision: float | None = None) -> float:
        """Return the recommended threshold: by a target precision, else by Youden's J.

        Raises `JudgementError` when the judgements support none.
        """
        if precision is None:
            found = threshold_by_youden(self.curves)
            lack = "there must be judged tags, both right and wrong ones"
        else:
            found = threshold_by_precision(self.curves, precision)
            lack = f"no threshold reaches a precision of {precision:g}"
        if not self.n_ratings:
            lack = f"nobody has judged these predictions; {HOW_TO_JUDGE}"
        if found is None:
            raise JudgementError(f"no threshold can be recommended: {lack}")
        return found

    def to_dict(self) -> dict[str, object]:
        """Return the results for JSON."""
        return vars(self) | {
            "top_1": self.top_1.to_dict(),
            "top_k": self.top_k.to_dict(),
            "agreement": self.agreement.to_dict(),
            "tags": [row.to_dict() for row in self.tags],
            "curves": self.curves.to_dict(),
        }


def results_of(database: Database, model: str | None = None) -> Results:
    """Compute the figures of a model, by its digest; None: the one stored last.

    Raises `JudgementError` when there is no such model.
    """
    with database.reading() as session:
        found = existing_model(session, model)
        verdicts = session.execute(_verdicts(found.id)).all()
        decisions = session.execute(_decisions(found.id)).all()
        top_1 = _majorities((row.photo, row.verdict == "top_right") for row in verdicts)
        top_k = _majorities(
            (row.photo, row.verdict != "none_right") for row in verdicts
        )
        shown = [row for row in decisions if row.probability is not None]
        typed = {(row.photo, row.tag) for row in decisions if row.probability is None}
        probability = {(row.photo, row.tag): row.probability for row in shown}
        votes = _majorities(
            ((row.photo, row.tag), row.decision != "no") for row in shown
        )
        truth = {pair: right for pair, right in votes.items() if right is not None}
        return Results(
            model=found.digest,
            name=found.name,
            n_ratings=len(verdicts),
            n_split_photos=sum(None in (top_1[one], top_k[one]) for one in top_1),
            top_1=_share_of(top_1.values()),
            top_k=_share_of(top_k.values()),
            agreement=_agreement(verdicts),
            tags=_tag_rows(truth, probability, typed),
            curves=Curves([*truth.values()], [probability[pair] for pair in truth]),
        )


def _verdicts(model_id: int) -> Executable:
    photo, rater = PhotoRow.name.label("photo"), Rater.name.label("rater")
    return (
        select(photo, rater, Rating.verdict)
        .join_from(Rating, PhotoRow, PhotoRow.id == Rating.photo_id)
        .join(Rater, Rater.id == Rating.rater_id)
        .where(Rating.model_id == model_id)
    )


def _decisions(model_id: int) -> Executable:
    """Select the decisions on tags; the probability of a typed one is None."""
    photo = PhotoRow.name.label("photo")
    shown = (
        (Prediction.model_id == Rating.model_id)
        & (Prediction.photo_id == Rating.photo_id)
        & (Prediction.tag == Decision.tag)
        & (Decision.decision != "typed")
    )
    return (
        select(photo, Decision.tag, Decision.decision, Prediction.probability)
        .join_from(Decision, Rating, Rating.id == Decision.rating_id)
        .join(PhotoRow, PhotoRow.id == Rating.photo_id)
        .outerjoin(Prediction, shown)
        .where(Rating.model_id == model_id, ~Decision.implied | (Prediction.rank == 1))
    )


def _majorities(votes: Iterable[tuple[T, bool]]) -> dict[T, bool | None]:
    """Return the vote of more than half on each case; None for a tie."""
    balance: Counter[T] = Counter()
    for case, is_right in votes:
        balance[case] += 1 if is_right else -1
    return {case: margin > 0 if margin else None for case, margin in balance.items()}


def _share_of(cases: Iterable[bool | None]) -> Share:
    known = [right for right in cases if right is not None]
    return Share(sum(known), len(known))


def _tag_rows(
    truth: dict[tuple[str, str], bool],
    probabilities: dict[tuple[str, str], float],
    typed: set[tuple[str, str]],
) -> tuple[TagRow, ...]:
    """Return a row for each tag, those judged most often first."""
    shown: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    for (photo, tag), right in truth.items():
        shown[tag].append((right, probabilities[photo, tag]))
    n_typed = Counter(tag for _, tag in typed)
    rows = [
        TagRow(
            tag=tag,
            right=Share(sum(right for right, _ in shown[tag]), len(shown[tag])),
            mean_probability=mean(p for _, p in shown[tag]) if shown[tag] else None,
            n_typed=n_typed[tag],
        )
        for tag in {*shown, *n_typed}
    ]
    return tuple(sorted(rows, key=lambda row: (-row.right.n, -row.n_typed, row.tag)))


def _agreement(verdicts: Sequence[Row[Any]]) -> Agreement:
    """Compare every two raters over the photos that both of them judged."""
    by_rater: dict[str, dict[str, str]] = defaultdict(dict)
    for row in verdicts:
        by_rater[row.rater][row.photo] = row.verdict
    pairs: list[tuple[str, str, int, float | None]] = []
    for first, second in combinations(sorted(by_rater), 2):
        both = sorted(by_rater[first].keys() & by_rater[second].keys())
        if not both:
            continue
        kappa = cohen_kappa(
            [by_rater[first][photo] for photo in both],
            [by_rater[second][photo] for photo in both],
        )
        pairs.append((first, second, len(both), None if kappa != kappa else kappa))
    known = [kappa for *_, kappa in pairs if kappa is not None]
    return Agreement(tuple(pairs), mean(known) if known else None)
