"""Why tags were suggested: what a request asks, and how much work it may cause.

Where a tag was seen takes `lablr.ranking.saliency.N_PATCHES` encodings on two cores. So
only one such answer is made at a time, in one of the places of every use of the model;
a few more wait; it counts as `SALIENCY_COST` photos; and after `MAX_S` seconds it is
given up.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, current_app, request

from lablr.ranking.explanation import explain
from lablr.ranking.saliency import N_PATCHES
from lablr.system.progress import Progress, silent
from webapp.api.suggestions import yes
from webapp.http.access import PHOTO_COST, charge
from webapp.http.admission import Admission, Busy
from webapp.http.errors import Refused
from webapp.http.metrics import stage
from webapp.model import tagger

__all__ = ["MAX_TAGS", "SALIENCY_COST", "ExplanationQuery", "init_app", "reasons"]

MAX_TAGS = 20
MAX_LENGTH = 2000
# An encoding is three quarters of a photo's work, but only one saliency runs at a time:
# a quarter keeps a server that allows 60 photos a minute at three saliencies a minute.
SALIENCY_COST = N_PATCHES / 4 * PHOTO_COST
MAX_WAITING = 2
MAX_WAIT_S = 10.0
MAX_S = 60.0

T = TypeVar("T")


@dataclass(frozen=True)
class ExplanationQuery:
    """The parameters of an explanation: of which tags, and whether with a saliency."""

    tags: tuple[str, ...]
    saliency: bool

    @classmethod
    def read(cls, query: Mapping[str, str]) -> ExplanationQuery:
        """Raises `Refused` (400) for a value that cannot be used, naming it."""
        return cls(_tags(query.get("tag", "")), yes("saliency", query))


def init_app(app: Flask) -> None:
    """Make the door for the one saliency at a time."""
    one = Admission(1, MAX_WAITING, MAX_WAIT_S)
    app.extensions["lablr.saliency_admission"] = one


def reasons(photo: bytes, asked: ExplanationQuery) -> list[dict[str, Any]]:
    """Why the photo got each tag, once there is room; raises `Busy`, `PhotoError`."""
    own = current_app.extensions["lablr.saliency_admission"]
    with own.admit() if asked.saliency else nullcontext():
        if asked.saliency:
            charge(SALIENCY_COST - PHOTO_COST, read=True)
        with current_app.extensions["lablr.admission"].admit():
            with stage("read"):
                image = tagger().read(photo)
            watched = _watched(time.monotonic() + MAX_S) if asked.saliency else silent
            with stage("explain"):
                found = explain(tagger(), image, asked.tags, asked.saliency, watched)
    return [one.to_dict() for one in found]


def _watched(end: float) -> Progress:
    """A progress that raises `Busy` at a time, and `Refused` when nobody waits."""
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


def _tags(text: str) -> tuple[str, ...]:
    known = set(tagger().tags)
    tags = tuple(dict.fromkeys(text.split(",")))
    if not text or len(text) > MAX_LENGTH or len(tags) > MAX_TAGS:
        raise Refused(
            "bad_parameter",
            f"tag must be tags of this model with commas between them, "
            f"{MAX_TAGS} at most.",
        )
    for tag in tags:
        if tag not in known:
            raise Refused(
                "bad_parameter",
                f"tag: the model does not know {tag[:60]!r}; "
                "GET /api/v1/tags lists those it knows.",
            )
    return tags
