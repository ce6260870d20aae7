"""Suggestions over HTTP: the parameters of a request, and answers in JSON's shapes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lablr import Suggestion
from lablr.errors import NotInBundle, PhotoError
from lablr.figures.charts import (
    latent_map_figure,
    ranked_tags_figure,
    training_photos_figure,
)
from lablr.figures.map_layout import N_MAP_TAGS
from lablr.ranking.feedback import Feedback
from lablr.ranking.shown import show
from lablr.ranking.unlikely import UnlikelyTag, unlikely_tags
from lablr.tags import Vocabulary, split_words
from lablr.tags.translations import ENGLISH, LANGUAGES, translations
from webapp.api.latents import sent_latent
from webapp.http.errors import Refused, error_of
from webapp.http.metrics import stage
from webapp.http.parameters import FLAG, Parameters
from webapp.state import state, tagger
from webapp.state.admission import Busy
from webapp.state.values import Kind, number, one_of, value, whole

MAX_BECAUSE = 20
MAX_LENGTH = 2000  # of accepted, rejected or existing tags
MAX_EXISTING = 75  # as many as Flickr allows a photo
BATCH_S = 15.0

SHARE = number(0, 1)
N_TAGS = whole(0, 999_999)  # no model has as many tags
LANGUAGE = one_of(tuple(LANGUAGES))


def _listed(
    split: Callable[[str], Iterable[str]], at_most: int = MAX_LENGTH
) -> Kind[tuple[str, ...]]:
    """Return the kind of at most so many tags, which `split` finds in a text."""

    def parse(text: str) -> tuple[str, ...]:
        if len(text) > MAX_LENGTH:
            raise ValueError
        found = tuple(split(text))
        if len(found) > at_most:
            raise ValueError(f"{at_most} tags at most")
        return found

    form = f"tags with commas between them, {MAX_LENGTH:,} characters at most"
    return Kind(parse, form, {"type": "string", "maxLength": MAX_LENGTH})


def _decided(meaning: str) -> tuple[str, ...]:
    return value(
        (),
        _listed(lambda text: text.split(",")),
        f"{meaning}, with commas between them; unknown ones change nothing.",
        used_by=lambda model: model.coupling is not None,
    )


@dataclass(frozen=True)
class SuggestionQuery(Parameters):
    """The parameters of a suggestion; without `existing` nobody asks what could go."""

    k: int = value(10, N_TAGS, "How many tags; 0 is all of them.")
    ranking: str = value(
        "calibrated",
        lambda model: one_of(model.rankings),
        "What the tags are ordered by.",
    )
    threshold: float | None = value(
        None, SHARE, "The probability from which `sure` is true; usually the model's."
    )
    map: bool = value(False, FLAG, "1 adds `map`: where photo and tags lie.")
    figures: str = value(
        "",
        one_of(("wide", "narrow")),
        "Adds `figures`: the page's pictures for Plotly.",
    )
    because: int = value(
        0, whole(0, MAX_BECAUSE), "Adds `because`: so many of the nearest photos."
    )
    latent: bool = value(
        False,
        FLAG,
        "1 adds `latent`, and `features` where methods beside the Gaussians use them, "
        "which /api/v1/rankings takes.",
    )
    language: str = value(
        "", LANGUAGE, "Adds `label` to each tag: its name in that language."
    )
    accepted: tuple[str, ...] = _decided("Tags that the photo gets")
    rejected: tuple[str, ...] = _decided("Tags that it does not get")
    reach: float = value(
        0.0,
        SHARE,
        "0 ranks by how well tags fit, 1 also by how much they are seen.",
        used_by=lambda model: model.reach is not None,
    )
    existing: tuple[str, ...] | None = value(
        None,
        _listed(split_words, MAX_EXISTING),
        f"The photo's own tags, at most {MAX_EXISTING}, with commas between them: adds "
        "`unlikely`, those that the model finds very unlikely.",
    )

    @classmethod
    def read(cls, given: Mapping[str, str]) -> SuggestionQuery:
        """Read the parameters; raises `Refused` (400), which names the bad one."""
        asked = super().read(given)
        _ = asked.feedback  # refused before a photo is looked at
        return asked

    @property
    def feedback(self) -> Feedback:
        """The decisions on tags that the model knows, and the reach.

        Raises `Refused` (400) where they contradict each other, or the model has no
        use for them.
        """
        known = set(tagger().tags)
        accepted, rejected = (
            tuple(tag for tag in Feedback(tags).accepted if tag in known)
            for tags in (self.accepted, self.rejected)
        )
        try:
            feedback = Feedback(accepted, rejected, self.reach)
            tagger().require_support(feedback)
        except (NotInBundle, ValueError) as error:
            raise Refused(self.code, f"{error}.") from None
        return feedback

    @property
    def labels(self) -> Mapping[str, str]:
        """Tag -> its name in the language, where that is another word."""
        return translations(self.language or ENGLISH)


@dataclass(frozen=True)
class TagsQuery(Parameters):
    """The parameters of the list of tags."""

    language: str = value(
        "", LANGUAGE, "Adds `labels`: the names of the tags in that language."
    )


def suggest(photo: bytes, asked: SuggestionQuery) -> Suggestion:
    """Rank all tags for a photo once there is room; `shown` cuts to what was asked."""
    with state().admission.admit():
        return _rank_photo(photo, asked)


def _rank_photo(photo: bytes, asked: SuggestionQuery) -> Suggestion:
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

    Costs a hundredth of reading a photo; `refuse_lacking` checks what a ranking needs.
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
    """Return the answers for photos, in order; a photo that fails gets its error.

    They hold one place to run, one after the other. Those that are still to do when
    `BATCH_S` seconds are over give the error ``busy``: a batch of costly photos
    must not keep the place from everybody else.
    """
    answers: list[dict[str, Any]] = []
    with state().admission.admit():
        end = time.monotonic() + BATCH_S
        for photo in photos:
            try:
                if time.monotonic() > end:
                    raise Busy(retry_after_s=2)
                answers.append(as_json(_rank_photo(photo, asked), asked))
            except (PhotoError, Busy) as error:
                answers.append({"error": error_of(error)})
    return answers


def shown(suggestion: Suggestion, k: int) -> Suggestion:
    """Return a suggestion with its first `k` tags; 0 is all of them."""
    return replace(suggestion, tags=suggestion.tags[: k or None])


def as_json(suggestion: Suggestion, asked: SuggestionQuery) -> dict[str, Any]:
    """Return the object that the API answers with; `suggestion` has all tags."""
    best = shown(suggestion, asked.k)
    answer: dict[str, Any] = best.to_dict()
    if asked.language:
        answer = show(best, Vocabulary.load(language=asked.language)).to_dict()
    if asked.map:
        answer["map"] = _map_numbers(suggestion)
    if asked.figures:
        with stage("draw"):
            answer["figures"] = _figures(suggestion, asked)
    if asked.latent:
        answer |= sent_latent(suggestion)
    if asked.because:
        answer["because"] = _nearest(suggestion, asked.because)
    if asked.existing is not None:
        answer["unlikely"] = [tag.to_dict() for tag in unlikely(suggestion, asked)]
    return answer


def unlikely(suggestion: Suggestion, asked: SuggestionQuery) -> tuple[UnlikelyTag, ...]:
    """Return which of the photo's own tags could go; `suggestion` has all tags."""
    words = Vocabulary.load(language=asked.language or ENGLISH)
    return unlikely_tags(suggestion, asked.existing or (), words)


def _nearest(suggestion: Suggestion, k: int) -> list[dict[str, Any]]:
    """Return the `k` nearest training photos; none if the model keeps none."""
    neighbours = tagger().neighbours
    if neighbours is None:
        return []
    return [one.to_dict() for one in neighbours.nearest(suggestion.latent, k)]


def _map_numbers(suggestion: Suggestion) -> dict[str, Any]:
    """Return where the photo and the best tags lie, in the plane's units."""
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


def _figures(suggestion: Suggestion, asked: SuggestionQuery) -> dict[str, Any]:
    """Return the page's three pictures as Plotly figures."""
    plane, names, labels = tagger().latent_map, tagger().tags, asked.labels
    narrow = asked.figures == "narrow"
    return {
        "ranked_tags": ranked_tags_figure(shown(suggestion, asked.k), labels),
        "latent_map": latent_map_figure(plane, names, suggestion, narrow, labels),
        "training_photos": training_photos_figure(
            plane, names, suggestion, narrow=narrow, labels=labels
        ),
    }
