"""What a request asks of the model, and the model's answer in the web's shapes."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from flask import current_app

from lablr import Suggestion
from lablr.errors import NotInBundle, PhotoError
from lablr.figures.charts import (
    latent_map_figure,
    ranked_tags_figure,
    training_photos_figure,
)
from lablr.ranking.feedback import Feedback
from lablr.ranking.shown import show
from lablr.ranking.suggestion import NO_FEEDBACK
from lablr.ranking.unlikely import UnlikelyTag, unlikely_tags
from lablr.tags import (
    ENGLISH,
    LANGUAGES,
    Vocabulary,
    split_words,
    translations,
)
from webapp.api.latents import sent_latent
from webapp.http.admission import Busy
from webapp.http.errors import Refused, error_of
from webapp.http.metrics import stage
from webapp.model import tagger

__all__ = [
    "MAX_BECAUSE",
    "MAX_EXISTING",
    "SuggestionQuery",
    "as_json",
    "existing_of",
    "figures",
    "language_of",
    "map_numbers",
    "rank",
    "shown",
    "suggest",
    "suggest_each",
    "unlikely",
    "yes",
]

N_MAP_TAGS = 20
MAX_BECAUSE = 20
MAX_K = 999_999  # no model has as many tags
MAX_TAGS_LENGTH = 2000  # of accepted, rejected or existing tags
MAX_EXISTING = 75  # as many as Flickr allows a photo
WIDTHS = ("wide", "narrow")
BATCH_S = 15.0
DECIMAL = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class SuggestionQuery:
    """The parameters of a suggestion: `k` tags (0: all), ranking, threshold.

    map: numbers of the map, too; figures: Plotly's, ``"wide"`` or ``"narrow"``;
    because: how many of the nearest training photos come with the answer;
    latent: the photo's posterior mean and features, which `rank` takes;
    language: of the tags' labels, ``""`` for no labels; feedback: what a person said;
    existing: the tags that the photo has, as they were written, if that was asked.
    """

    k: int = 10
    ranking: str = "calibrated"
    threshold: float | None = None
    map: bool = False
    figures: str = ""
    latent: bool = False
    because: int = 0
    language: str = ""
    feedback: Feedback = NO_FEEDBACK
    existing: tuple[str, ...] | None = None

    @classmethod
    def read(cls, query: Mapping[str, str]) -> SuggestionQuery:
        """Raises `Refused` (400) for a value that cannot be used, naming it."""
        return cls(
            k=_whole_number("k", query.get("k", "10")),
            ranking=_one_of(
                "ranking", query.get("ranking", "calibrated"), tagger().rankings
            ),
            threshold=_probability("threshold", query.get("threshold")),
            map=yes("map", query),
            figures=_figures(query.get("figures")),
            latent=yes("latent", query),
            because=_at_most("because", query.get("because", "0"), MAX_BECAUSE),
            language=language_of(query),
            feedback=_wishes(query),
            existing=existing_of(query),
        )

    @property
    def labels(self) -> Mapping[str, str]:
        """Tag -> what it is called in the language, where that is another word."""
        return translations(self.language or ENGLISH)


def suggest(photo: bytes, asked: SuggestionQuery) -> Suggestion:
    """Rank all tags for a photo once there is room; `shown` cuts to what was asked."""
    with current_app.extensions["lablr.admission"].admit():
        return rank_photo(photo, asked)


def rank_photo(photo: bytes, asked: SuggestionQuery) -> Suggestion:
    """Rank all tags for a photo, each stage timed; for who holds a place to run."""
    with stage("read"):
        image = tagger().read(photo)
    with stage("encode"):
        described = tagger().encode(image[np.newaxis])
    return rank(described[0], asked, image)


def rank(
    described: npt.NDArray[np.float32],
    asked: SuggestionQuery,
    image: npt.NDArray[np.uint8] | None = None,
) -> Suggestion:
    """Rank all tags for a photo's latent (d,), perhaps with its features (d + F,).

    Costs a hundredth of reading a photo; `refuse_lacking` says what a ranking needs.
    """
    images = None if image is None else image[np.newaxis]
    with stage("rank"):
        (suggestion,) = tagger().rank(
            described[np.newaxis], 0, asked.ranking, asked.feedback, images
        )
    if asked.threshold is not None:
        suggestion = replace(suggestion, threshold=asked.threshold)
    return suggestion


def refuse_lacking(described: npt.NDArray[np.float32], ranking: str) -> None:
    """Raise `Refused` when (d,) or (d + F,) numbers are too few for a ranking."""
    ranker = tagger().ranker
    if ranking not in ranker.by_description:
        raise Refused("bad_latent", f"the ranking {ranking} needs the photo itself.")
    if len(described) < ranker.n_inputs(ranking):
        raise Refused("bad_latent", f"the ranking {ranking} needs the features, too.")


def suggest_each(
    photos: Sequence[bytes], asked: SuggestionQuery
) -> list[dict[str, Any]]:
    """The answers for photos, in order; one that fails gives its error.

    They hold one place to run, one after the other. Those that are still to do when
    `BATCH_S` seconds are over give the error ``busy``: a batch of costly photos
    must not keep the place from everybody else.
    """
    with current_app.extensions["lablr.admission"].admit():
        end = time.monotonic() + BATCH_S
        return [_answer_in_time(photo, asked, end) for photo in photos]


def _answer_in_time(photo: bytes, asked: SuggestionQuery, end: float) -> dict[str, Any]:
    try:
        if time.monotonic() > end:
            raise Busy(retry_after_s=2)
        return as_json(rank_photo(photo, asked), asked)
    except (PhotoError, Busy) as error:
        return {"error": error_of(error)}


def shown(suggestion: Suggestion, k: int) -> Suggestion:
    """The first `k` tags of a suggestion; 0 is all of them."""
    return replace(suggestion, tags=suggestion.tags[: k or None])


def as_json(suggestion: Suggestion, asked: SuggestionQuery) -> dict[str, Any]:
    """The object that the API returns."""
    best = shown(suggestion, asked.k)
    answer: dict[str, Any] = best.to_dict()
    if asked.language:
        answer = show(best, Vocabulary.load(language=asked.language)).to_dict()
    if asked.map:
        answer["map"] = map_numbers(suggestion)
    if asked.figures:
        with stage("draw"):
            narrow = asked.figures == "narrow"
            answer["figures"] = figures(suggestion, asked.k, narrow, asked.labels)
    if asked.latent:
        answer |= sent_latent(suggestion)
    if asked.because:
        answer["because"] = nearest(suggestion, asked.because)
    if asked.existing is not None:
        answer["unlikely"] = [tag.to_dict() for tag in unlikely(suggestion, asked)]
    return answer


def unlikely(suggestion: Suggestion, asked: SuggestionQuery) -> tuple[UnlikelyTag, ...]:
    """Which of the photo's own tags could go; `suggestion` has all tags."""
    words = Vocabulary.load(language=asked.language or ENGLISH)
    return unlikely_tags(suggestion, asked.existing or (), words)


def nearest(suggestion: Suggestion, k: int) -> list[dict[str, Any]]:
    """The `k` training photos nearest to the photo; none if the model keeps none."""
    neighbours = tagger().neighbours
    if neighbours is None:
        return []
    return [one.to_dict() for one in neighbours.nearest(suggestion.latent, k)]


def map_numbers(suggestion: Suggestion) -> dict[str, Any]:
    """Where the photo and the most relevant tags lie, in the plane's units."""
    plane, names = tagger().latent_map, tagger().tags
    index = {tag: number for number, tag in enumerate(names)}
    return {
        "position": [float(coordinate) for coordinate in suggestion.position],
        "explained_variance_ratio": [float(r) for r in plane.explained_variance_ratio],
        "circles": [
            {
                "tag": score.tag,
                "centre": [float(c) for c in plane.centroids[index[score.tag]]],
                "radius": float(plane.dispersion_radii[index[score.tag]]),
            }
            for score in suggestion.tags[:N_MAP_TAGS]
        ],
    }


def figures(
    suggestion: Suggestion, k: int, narrow: bool, labels: Mapping[str, str]
) -> dict[str, Any]:
    """The page's three pictures as Plotly figures."""
    plane, names = tagger().latent_map, tagger().tags
    return {
        "ranked_tags": ranked_tags_figure(shown(suggestion, k), labels),
        "latent_map": latent_map_figure(
            plane, names, suggestion, N_MAP_TAGS, narrow, labels
        ),
        "training_photos": training_photos_figure(
            plane, names, suggestion, narrow=narrow, labels=labels
        ),
    }


def language_of(query: Mapping[str, str]) -> str:
    """The language asked for, or ""; raises `Refused` (400) for one that is not had."""
    text = query.get("language")
    return "" if text is None else _one_of("language", text, tuple(LANGUAGES))


def existing_of(query: Mapping[str, str]) -> tuple[str, ...] | None:
    """The photo's own tags, None where nobody asks; raises `Refused` (400)."""
    text = query.get("existing")
    if text is None:
        return None
    found = split_words(_bounded("existing", text))
    if len(found) > MAX_EXISTING:
        raise Refused("bad_parameter", f"existing must be {MAX_EXISTING} tags at most.")
    return tuple(found)


def _whole_number(name: str, text: str) -> int:
    # not int(): it takes " 1_0 ", "+5" and, slowly, five thousand digits
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_K))):
        raise Refused("bad_parameter", f"{name} must be a whole number, 0 for all.")
    return int(text)


def _at_most(name: str, text: str, most: int) -> int:
    number = _whole_number(name, text) if text.isdigit() else -1
    if not 0 <= number <= most:
        raise Refused("bad_parameter", f"{name} must be a number from 0 to {most}.")
    return number


def _probability(name: str, text: str | None) -> float | None:
    if text is None:
        return None
    # not float() alone: it takes " 0_1 " and other people's digits
    number = float(text) if DECIMAL.fullmatch(text) else math.nan
    if not 0 <= number <= 1:
        raise Refused("bad_parameter", f"{name} must be a number from 0 to 1.")
    return number


def _wishes(query: Mapping[str, str]) -> Feedback:
    """Tags that were decided, and the reach; refused where the model has no use."""
    try:
        feedback = Feedback(
            accepted=_tags("accepted", query.get("accepted", "")),
            rejected=_tags("rejected", query.get("rejected", "")),
            reach=_probability("reach", query.get("reach")) or 0.0,
        )
        if feedback:
            tagger().require_support(feedback)
    except (NotInBundle, ValueError) as error:
        raise Refused("bad_parameter", f"{error}.") from None
    return feedback


def _bounded(name: str, text: str) -> str:
    if len(text) > MAX_TAGS_LENGTH:
        raise Refused(
            "bad_parameter",
            f"{name} must be tags with commas between them, "
            f"{MAX_TAGS_LENGTH:,} characters at most.",
        )
    return text


def _tags(name: str, text: str) -> tuple[str, ...]:
    text = _bounded(name, text)
    known = set(tagger().tags)
    return tuple(
        tag for tag in Feedback(tuple(text.split(","))).accepted if tag in known
    )


def _one_of(name: str, text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise Refused("bad_parameter", f"{name} must be one of {', '.join(choices)}.")
    return text


def _figures(text: str | None) -> str:
    return "" if text is None else _one_of("figures", text, WIDTHS)


def yes(name: str, query: Mapping[str, str]) -> bool:
    """Whether a parameter is 1, not 0 or left out; raises `Refused` (400)."""
    text = query.get(name, "0")
    if text not in ("0", "1"):
        raise Refused("bad_parameter", f"{name} must be 0 or 1.")
    return text == "1"
