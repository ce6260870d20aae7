"""The desk's actions: steps, taking them back, and writing tags into files."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from flask import Response, jsonify, request, stream_with_context

from lablr.annotation.desk.desk import DeskOutcome
from lablr.annotation.desk.records import TagDecisions
from lablr.errors import DeskError, LablrError, MissingExtra, WritingError
from lablr.metadata import Keyword
from lablr.metadata.keywords import same, tags_of
from webapp.desk.guard import blueprint
from webapp.desk.photos import desk, shown
from webapp.http.parameters import MAX_NUMBER
from webapp.state import tagger

__all__ = ["blueprint"]

MAX_IDS = 50_000
MAX_TAGS = 200
MARKS = {
    "accept": "accepted",
    "type": "typed",
    "reject": "rejected",
    "clear": "cleared",
}


@blueprint.post("/steps")
def create_step() -> Response:
    """Keep what a person decides for some photos, as one step."""
    given = _json()
    decisions = TagDecisions({mark: _tags(given, name) for name, mark in MARKS.items()})
    known = {*tagger().tags}
    for tag in decisions.tags["accepted"]:
        if tag not in known:
            raise DeskError("unknown_tag", f"The model does not know the tag {tag!r}.")
    ids = _ids(given.get("photos"))
    step, changed = desk().record_step(ids, decisions)
    photos = [shown(photo) for photo in changed]
    return jsonify(step=step, n_steps=desk().n_steps(), photos=photos)


@blueprint.post("/undo")
def create_undo() -> Response:
    """Take the last step back, if there are still ``n_steps`` of them."""
    n_steps = _json().get("n_steps")
    if n_steps is not None and not _is_number(n_steps):
        raise DeskError("bad_parameter", "n_steps must be a whole number.")
    said, changed = desk().undo(n_steps)
    photos = [shown(photo) for photo in changed]
    return jsonify(n_steps=desk().n_steps(), said=said, photos=photos)


@blueprint.post("/write")
def create_writing() -> Response:
    """Write tags into photos, or beside them; one line each as it is done."""
    given = _json()
    ids = None if given.get("photos") is None else _ids(given["photos"])
    sidecar, dry_run = _flag(given, "sidecar"), _flag(given, "dry_run")
    return _lines(desk().write(ids, sidecar, dry_run))


@blueprint.post("/write/undo")
def undo_writing() -> Response:
    """Give the files of a run their bytes from before; one line each."""
    run = _json().get("run")
    if run is not None and not isinstance(run, str):
        raise DeskError("bad_parameter", "run must be a run's name, or null.")
    return _lines(desk().undo_writing(run))


def _lines(writing: Generator[DeskOutcome, None, None]) -> Response:
    """Send the outcome for each file as a JSON line, and the sum as the last.

    The first is awaited: an error that stops all of them is an answer of its own.
    """
    try:
        first = list(islice(writing, 1))
    except WritingError as error:
        raise DeskError(error.code, str(error), http_status=409) from error
    except MissingExtra as error:
        raise DeskError(error.code, f"{error}.", http_status=501) from error
    lines = stream_with_context(_told(chain(first, writing)))
    answer = Response(lines, mimetype="application/x-ndjson")
    # whoever goes away leaves the rest unwritten, and the journal to others
    answer.call_on_close(writing.close)
    return answer


def _told(writing: Iterable[DeskOutcome]) -> Iterator[str]:
    n_written = n_failed = 0
    run = error = None
    try:
        for one in writing:
            outcome = one.outcome
            n_written += outcome.status in ("written", "restored")
            n_failed += outcome.status == "failed"
            run = outcome.run if outcome.status in ("written", "restored") else run
            yield _line(_written(one))
    except LablrError as broken_off:
        error = {"code": broken_off.code, "message": str(broken_off)}
    total = {"run": run, "n_written": n_written, "n_failed": n_failed}
    yield _line(total if error is None else {**total, "error": error})


def _written(one: DeskOutcome) -> dict[str, Any]:
    outcome, found = one.outcome, {*map(same, tags_of(one.outcome.found))}
    error = outcome.error
    return {
        "id": one.number,
        "name": one.name,
        "status": outcome.status,
        "added": [tag for tag in tags_of(outcome.added) if same(tag) not in found],
        "notes": list(outcome.notes),
        "error": error and {"code": error.code, "message": str(error)},
    }


def _line(values: dict[str, Any]) -> str:
    return json.dumps(values) + "\n"


def _json() -> dict[str, Any]:
    """Return the object of the body; raises `DeskError`."""
    try:
        given = json.loads(request.get_data(cache=False) or b"{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise DeskError("bad_json", "The body must be a JSON object.", http_status=400)
    return given


def _tags(given: dict[str, Any], name: str) -> Sequence[str]:
    tags = given.get(name, [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise DeskError("bad_tag", f"{name} must be a list of tags.")
    if len(tags) > MAX_TAGS:
        raise DeskError("bad_tag", f"A step has at most {MAX_TAGS} tags.")
    try:
        return [Keyword(tag).tag for tag in tags]
    except WritingError as error:
        text = str(error)
        raise DeskError("bad_tag", text[:1].upper() + text[1:] + ".") from error


def _ids(given: object) -> list[int]:
    if not isinstance(given, list) or not all(map(_is_number, given)):
        raise DeskError("unknown_photo", "photos must be a list of ids.")
    if not 0 < len(given) <= MAX_IDS:
        raise DeskError("unknown_photo", f"Give from 1 to {MAX_IDS:,} photos.")
    return given


def _is_number(given: object) -> bool:
    return type(given) is int and 0 <= given <= MAX_NUMBER  # true is no number


def _flag(given: dict[str, Any], name: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise DeskError("bad_parameter", f"{name} must be true or false.")
    return value
