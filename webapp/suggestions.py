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
from lablr.charts import (
    latent_map_figure,
    ranked_tags_figure,
    training_photos_figure,
)
from lablr.errors import NotInBundle, PhotoError
from lablr.suggestion import NOTHING
from lablr.tagger import RANKINGS
from lablr.wishes import Wishes
from webapp.admission import Busy
from webapp.errors import Refused, error_of
from webapp.metrics import stage
from webapp.model import tagger

__all__ = [
    "Asked",
    "as_json",
    "figures",
    "map_numbers",
    "rank",
    "shown",
    "suggest",
    "suggest_each",
]

N_MAP_TAGS = 20
MAX_K = 999_999  # no model has as many tags
MAX_TAGS_LENGTH = 2000  # of accepted or rejected tags; Flickr allows 75 a photo
WIDTHS = ("wide", "narrow")
BATCH_S = 15.0
DECIMAL = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Asked:
    """The parameters of a suggestion: `k` tags (0: all), ranking, threshold.

    map: numbers of the map, too; figures: Plotly's, ``"wide"`` or ``"narrow"``;
    latent: the photo's posterior mean, which `rank` takes. wishes: what a person said.
    """

    k: int = 10
    ranking: str = "calibrated"
    threshold: float | None = None
    map: bool = False
    figures: str = ""
    latent: bool = False
    wishes: Wishes = NOTHING

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Asked:
        """Raises `Refused` (400) for a value that cannot be used, naming it."""
        return cls(
            k=_whole_number("k", query.get("k", "10")),
            ranking=_one_of("ranking", query.get("ranking", RANKINGS[0]), RANKINGS),
            threshold=_probability("threshold", query.get("threshold")),
            map=_yes("map", query.get("map", "0")),
            figures=_figures(query.get("figures")),
            latent=_yes("latent", query.get("latent", "0")),
            wishes=_wishes(query),
        )


def suggest(photo: bytes, asked: Asked) -> Suggestion:
    """Rank all tags for a photo once there is room; `shown` cuts to what was asked."""
    with current_app.extensions["lablr.admission"].admit():
        return look(photo, asked)


def look(photo: bytes, asked: Asked) -> Suggestion:
    """Rank all tags for a photo, each stage timed; for who holds a place to run."""
    with stage("read"):
        image = tagger().read(photo)
    with stage("encode"):
        latents = tagger().encode(image[np.newaxis])
    return rank(latents[0], asked)


def rank(latent: npt.NDArray[np.float32], asked: Asked) -> Suggestion:
    """Rank all tags for a photo's latent (d,); costs a hundredth of reading a photo."""
    with stage("rank"):
        (suggestion,) = tagger().rank(
            latent[np.newaxis], 0, asked.ranking, asked.wishes
        )
    if asked.threshold is not None:
        suggestion = replace(suggestion, threshold=asked.threshold)
    return suggestion


def suggest_each(photos: Sequence[bytes], asked: Asked) -> list[dict[str, Any]]:
    """The answers for photos, in order; one that fails gives its error.

    They hold one place to run, one after the other. Those that are still to do when
    `BATCH_S` seconds are over give the error ``busy``: a batch of costly photos
    must not keep the place from everybody else.
    """
    with current_app.extensions["lablr.admission"].admit():
        end = time.monotonic() + BATCH_S
        return [_answer_in_time(photo, asked, end) for photo in photos]


def _answer_in_time(photo: bytes, asked: Asked, end: float) -> dict[str, Any]:
    try:
        if time.monotonic() > end:
            raise Busy(retry_after_s=2)
        return as_json(look(photo, asked), asked)
    except (PhotoError, Busy) as error:
        return {"error": error_of(error)}


def shown(suggestion: Suggestion, k: int) -> Suggestion:
    """The first `k` tags of a suggestion; 0 is all of them."""
    return replace(suggestion, tags=suggestion.tags[: k or None])


def as_json(suggestion: Suggestion, asked: Asked) -> dict[str, Any]:
    """The object that the API returns."""
    answer: dict[str, Any] = shown(suggestion, asked.k).to_dict()
    if asked.map:
        answer["map"] = map_numbers(suggestion)
    if asked.figures:
        with stage("draw"):
            narrow = asked.figures == "narrow"
            answer["figures"] = figures(suggestion, asked.k, narrow)
    if asked.latent:
        answer["latent"] = suggestion.latent.tolist()
    return answer


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


def figures(suggestion: Suggestion, k: int, narrow: bool) -> dict[str, Any]:
    """The page's three pictures as Plotly figures."""
    plane, names = tagger().latent_map, tagger().tags
    return {
        "ranked_tags": ranked_tags_figure(shown(suggestion, k)),
        "latent_map": latent_map_figure(plane, names, suggestion, N_MAP_TAGS, narrow),
        "training_photos": training_photos_figure(
            plane, names, suggestion, narrow=narrow
        ),
    }


def _whole_number(name: str, text: str) -> int:
    # not int(): it takes " 1_0 ", "+5" and, slowly, five thousand digits
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_K))):
        raise Refused("bad_parameter", f"{name} must be a whole number, 0 for all.")
    return int(text)


def _probability(name: str, text: str | None) -> float | None:
    if text is None:
        return None
    # not float() alone: it takes " 0_1 " and other people's digits
    number = float(text) if DECIMAL.fullmatch(text) else math.nan
    if not 0 <= number <= 1:
        raise Refused("bad_parameter", f"{name} must be a number from 0 to 1.")
    return number


def _wishes(query: Mapping[str, str]) -> Wishes:
    """Tags that were decided, and the reach; refused where the model has no use."""
    try:
        wishes = Wishes(
            accepted=_tags("accepted", query.get("accepted", "")),
            rejected=_tags("rejected", query.get("rejected", "")),
            reach=_probability("reach", query.get("reach")) or 0.0,
        )
        if wishes:
            tagger().heed(wishes)
    except (NotInBundle, ValueError) as error:
        raise Refused("bad_parameter", f"{error}.") from None
    return wishes


def _tags(name: str, text: str) -> tuple[str, ...]:
    if len(text) > MAX_TAGS_LENGTH:
        raise Refused(
            "bad_parameter",
            f"{name} must be tags with commas between them, "
            f"{MAX_TAGS_LENGTH:,} characters at most.",
        )
    known = set(tagger().tags)
    return tuple(tag for tag in Wishes(tuple(text.split(","))).accepted if tag in known)


def _one_of(name: str, text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise Refused("bad_parameter", f"{name} must be one of {', '.join(choices)}.")
    return text


def _figures(text: str | None) -> str:
    return "" if text is None else _one_of("figures", text, WIDTHS)


def _yes(name: str, text: str) -> bool:
    if text not in ("0", "1"):
        raise Refused("bad_parameter", f"{name} must be 0 or 1.")
    return text == "1"
