"""Explanations of suggested tags: the parameters of a request, and a bound on its work.

Where a tag was seen takes `lablr.ranking.saliency.N_PATCHES` encodings on two cores. So
only one such answer is made at a time, in one of the places of every use of the model;
a few more wait; it counts as `SALIENCY_COST` photos; and it is given up after `MAX_S`
seconds.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import request

from lablr import Tagger
from lablr.ranking.explanation import explain
from lablr.ranking.saliency import N_PATCHES
from lablr.system.progress import Progress, silent
from webapp.http.access import PHOTO_COST, charge
from webapp.http.errors import Refused
from webapp.http.metrics import stage
from webapp.http.parameters import FLAG, Parameters
from webapp.state import state, tagger
from webapp.state.admission import Busy
from webapp.state.values import Kind, value

MAX_TAGS = 20
MAX_LENGTH = 2000
# An encoding is three quarters of a photo's work, but only one saliency runs at a time:
# a quarter keeps a server that allows 60 photos a minute at three saliencies a minute.
SALIENCY_COST = N_PATCHES / 4 * PHOTO_COST
MAX_S = 60.0

T = TypeVar("T")


def _known_tags(model: Tagger) -> Kind[tuple[str, ...]]:
    """Return the kind of lists of tags that a model knows."""
    known = set(model.tags)

    def parse(given: str) -> tuple[str, ...]:
        tags = tuple(dict.fromkeys(given.split(",")))
        if not given or len(given) > MAX_LENGTH or len(tags) > MAX_TAGS:
            raise ValueError
        for tag in tags:
            if tag not in known:
                raise ValueError(
                    f"the model does not know {tag[:60]!r}; "
                    "GET /api/v1/tags lists those it knows"
                )
        return tags

    form = f"tags of this model with commas between them, {MAX_TAGS} at most"
    items = {"enum": list(model.tags)}
    schema = {"type": "array", "items": items, "minItems": 1, "maxItems": MAX_TAGS}
    return Kind(parse, form, schema)


@dataclass(frozen=True)
class ExplanationQuery(Parameters):
    """The parameters of an explanation."""

    tag: tuple[str, ...] = value(
        (), _known_tags, "The tags to explain, with commas between.", required=True
    )
    saliency: bool = value(
        False,
        FLAG,
        "1 adds `saliency`: where the tags were seen. It takes a second or two and "
        "counts as several photos.",
    )


def reasons(photo: bytes, asked: ExplanationQuery) -> list[dict[str, Any]]:
    """Explain each tag once there is room; raises `Busy`, `PhotoError`."""
    with state().saliency.admit() if asked.saliency else nullcontext():
        if asked.saliency:
            charge(SALIENCY_COST - PHOTO_COST, read=True)
        with state().admission.admit():
            with stage("read"):
                image = tagger().read(photo)
            watched = _watched(time.monotonic() + MAX_S) if asked.saliency else silent
            with stage("explain"):
                found = explain(tagger(), image, asked.tag, asked.saliency, watched)
    return [one.to_dict() for one in found]


def _watched(end: float) -> Progress:
    """Return a progress that raises `Busy` at a time, `Refused` when nobody waits."""
    # of waitress, see webapp/http/bodies.py; a test client never goes away
    is_gone = request.environ.get("waitress.client_disconnected", lambda: False)

    def watched(items: Iterable[T], total: int | None, label: str) -> Iterator[T]:
        for item in items:
            if time.monotonic() > end:
                raise Busy(retry_after_s=5)
            if is_gone():
                raise Refused("bad_request", "The client did not wait for the answer.")
            yield item

    return watched
