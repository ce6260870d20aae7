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

from sqlalchemy import select
from sqlalchemy.orm import Session

from lablr.annotation.curves import (
    AtThreshold,
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
    ModelVersion,
    PhotoRow,
    Prediction,
    Rater,
    Rating,
)
from lablr.errors import JudgementError

__all__ = [
    "HOW_TO_JUDGE",
    "Agreement",
    "Results",
    "TagRow",
    "Verdict",
    "results_of",
    "summarize",
]

HOW_TO_JUDGE = "people do it with: lablr serve --judge DATABASE"


@dataclass(frozen=True)
class Verdict:
    """One rater's verdict on one photo."""

    photo: str
    rater: str
    verdict: str


@dataclass(frozen=True)
class TagDecision:
    """One rater's decision on a tag; ``probability`` is None for a typed one."""

    photo: str
    tag: str
    right: bool
    probability: float | None


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
    tags: tuple[TagRow, ...]
    agreement: Agreement
    curves: Curves

    def at(self, threshold: float) -> AtThreshold:
        """Count the judged tags that a threshold would accept and reject."""
        return self.curves.at(threshold)

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
        return {
            "model": self.model,
            "name": self.name,
            "n_ratings": self.n_ratings,
            "n_split_photos": self.n_split_photos,
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
        return summarize(
            found.digest, found.name, _verdicts(session, found), _tags(session, found)
        )


def _verdicts(session: Session, model: ModelVersion) -> list[Verdict]:
    query = (
        select(PhotoRow.name, Rater.name, Rating.verdict)
        .join_from(Rating, PhotoRow, PhotoRow.id == Rating.photo_id)
        .join(Rater, Rater.id == Rating.rater_id)
        .where(Rating.model_id == model.id)
    )
    return [Verdict(*row) for row in session.execute(query)]


def _tags(session: Session, model: ModelVersion) -> list[TagDecision]:
    shown = (
        (Prediction.model_id == Rating.model_id)
        & (Prediction.photo_id == Rating.photo_id)
        & (Prediction.tag == Decision.tag)
        & (Decision.decision != "typed")
    )
    query = (
        select(PhotoRow.name, Decision.tag, Decision.decision, Prediction.probability)
        .join_from(Decision, Rating, Rating.id == Decision.rating_id)
        .join(PhotoRow, PhotoRow.id == Rating.photo_id)
        .outerjoin(Prediction, shown)
        .where(
            Rating.model_id == model.id,
            ~Decision.implied | (Prediction.rank == 1),
        )
    )
    return [
        TagDecision(photo, tag, decision != "no", probability)
        for photo, tag, decision, probability in session.execute(query)
    ]


# --- figures, of plain records


def summarize(
    model: str, name: str, verdicts: Sequence[Verdict], tags: Iterable[TagDecision]
) -> Results:
    """Compute every figure from one model's verdicts and judged tags."""
    first, any_of_k = _by_photo(verdicts)
    pairs: dict[tuple[str, str], list[bool]] = defaultdict(list)
    probabilities: dict[tuple[str, str], float] = {}
    typed: set[tuple[str, str]] = set()
    for row in tags:
        pair = row.photo, row.tag
        if row.probability is None:
            typed.add(pair)
        else:
            pairs[pair].append(row.right)
            probabilities[pair] = row.probability
    truth = {
        pair: right
        for pair, votes in pairs.items()
        if (right := _majority(votes)) is not None
    }
    return Results(
        model=model,
        name=name,
        n_ratings=len(verdicts),
        n_split_photos=len(
            {
                photo
                for photos in (first, any_of_k)
                for photo, votes in photos.items()
                if _majority(votes) is None
            }
        ),
        top_1=_share_of(first.values()),
        top_k=_share_of(any_of_k.values()),
        tags=_tag_rows(truth, probabilities, typed),
        agreement=agreement(verdicts),
        curves=Curves(list(truth.values()), [probabilities[pair] for pair in truth]),
    )


def _by_photo(
    verdicts: Sequence[Verdict],
) -> tuple[dict[str, list[bool]], dict[str, list[bool]]]:
    """Return each photo's votes: the first tag is right; one of the k is."""
    first: dict[str, list[bool]] = defaultdict(list)
    any_of_k: dict[str, list[bool]] = defaultdict(list)
    for row in verdicts:
        first[row.photo].append(row.verdict == "top_right")
        any_of_k[row.photo].append(row.verdict != "none_right")
    return first, any_of_k


def _majority(votes: Sequence[bool]) -> bool | None:
    """Return the vote of more than half; None for a tie."""
    twice = 2 * sum(votes)
    return None if twice == len(votes) else twice > len(votes)


def _share_of(photos: Iterable[Sequence[bool]]) -> Share:
    known = [right for votes in photos if (right := _majority(votes)) is not None]
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


def agreement(verdicts: Sequence[Verdict]) -> Agreement:
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
