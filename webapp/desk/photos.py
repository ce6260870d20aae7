"""The desk's photos as its page gets them: listed, shown, taken in, suggested."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from flask import (
    Blueprint,
    Response,
    current_app,
    jsonify,
    render_template,
    request,
    send_file,
)

from lablr.annotation.desk import Desk, DeskPhoto, Latent
from lablr.errors import DeskError, PhotoError
from lablr.metadata import tags_in
from lablr.photos import FOLDER_LIMITS, check_size, read_bytes, read_image
from lablr.ranking.feedback import Feedback
from lablr.search.features import Viewer
from webapp.api.suggestions import SuggestionQuery
from webapp.http.access import PHOTO_COST, charge
from webapp.http.metrics import stage
from webapp.http.sent_photos import send_photo
from webapp.model import tagger

__all__ = ["MAX_NUMBER", "add_photos", "desk", "shown"]

MAX_SIDE_PX = 2560
MAX_NUMBER = 2**31 - 1
SIMILAR_FROM = 0.8
MAX_SIMILAR = 100


def add_photos(pages: Blueprint) -> None:
    """Serve the page, and what is read of photos, below the address of some pages."""
    one = f"/photos/<int(max={MAX_NUMBER}):number>"
    pages.add_url_rule("", view_func=show)
    pages.add_url_rule("/photos", view_func=list_photos)
    pages.add_url_rule("/photos", view_func=create_photos, methods=["POST"])
    pages.add_url_rule(f"{one}/image", view_func=show_image)
    pages.add_url_rule(f"{one}/file", view_func=show_file)
    pages.add_url_rule(f"{one}/suggestions", view_func=show_suggestions)


def desk() -> Desk:
    """The desk of this application, where it is on."""
    found: Desk = current_app.extensions["lablr.desk"]
    return found


# ----------------------------------------------------------------------------- photos


def show() -> str:
    """The page, which asks for everything else."""
    return render_template("desk.html")


def list_photos() -> Response:
    """Every photo, and what is kept of it."""
    photos = [shown(photo) for photo in desk().photos()]
    return jsonify(folder=desk().name, n_steps=desk().n_steps(), photos=photos)


def create_photos() -> Response:
    """Take in copies of the photos in the field ``photo``, and look at them.

    One that is refused alone is the answer; among others, it is one of the entries.
    """
    sent = [file for file in request.files.getlist("photo") if file.filename]
    if not sent:
        raise DeskError("no_photo", "Choose a photo first.", http_status=400)
    charge(PHOTO_COST * len(sent), read=True)
    entries = []
    for file in sent:
        name = file.filename or ""
        try:
            entries.append(shown(_taken_in(name, file.stream.read())))
        except (PhotoError, DeskError) as error:
            if len(sent) == 1:
                raise
            entries.append(_refused(name, error))
    return jsonify(photos=entries)


def _taken_in(name: str, content: bytes) -> DeskPhoto:
    check_size(len(content), FOLDER_LIMITS)
    latent = _encoded(content)
    photo = desk().take_in(name, content)
    desk().latent_of(photo, tagger().bundle_digest, lambda _: latent)
    return desk().photo(photo.number)


def show_image(number: int) -> Response:
    """The photo as a JPEG of at most ``side`` pixels."""
    side = _whole(request.args.get("side", "320"), "side", 16, MAX_SIDE_PX)
    return send_photo(desk().photo(number).file.path, side)


def show_file(number: int) -> Response:
    """The photo's file as it is now."""
    photo = desk().photo(number)
    content = read_bytes(photo.file.path, FOLDER_LIMITS)
    name = photo.name.rpartition("/")[2]
    # never shown as a page, whatever it holds
    kind = "application/octet-stream"
    return send_file(io.BytesIO(content), kind, as_attachment=True, download_name=name)


def shown(photo: DeskPhoto) -> dict[str, Any]:
    seen, error, state = photo.seen, None, "new"
    if seen is not None and seen.code is not None:
        state, error = "failed", {"code": seen.code, "message": seen.message}
    elif seen is not None and seen.model == tagger().bundle_digest:
        state = "suggested"
    return {
        "id": photo.number,
        "name": photo.name,
        "state": state,
        **{m: photo.state.tags(m) for m in ("accepted", "typed", "rejected")},
        "written": photo.written,
        "error": error,
    }


def _refused(name: str, error: PhotoError | DeskError) -> dict[str, Any]:
    nothing: dict[str, Any] = {
        m: [] for m in ("accepted", "typed", "rejected", "written")
    }
    said = {"code": error.code, "message": str(error)}
    return {"id": None, "name": name, "state": "failed", **nothing, "error": said}


# ------------------------------------------------------------------------ suggestions


def show_suggestions(number: int) -> Response:
    """Tags for a photo by what was said of it, and the photos like it."""
    k = SuggestionQuery.read({"k": request.args.get("k", "10")}).k
    photo = desk().photo(number)
    latent = desk().latent_of(photo, tagger().bundle_digest, _charged)
    photo = desk().photo(number)
    ranked = _ranked(photo, latent, k)
    return jsonify(
        id=number,
        photo=shown(photo),
        suggestions=ranked[0],
        threshold=ranked[1],
        in_file=tags_in(photo.file.path),
        similar=_similar(number, latent),
    )


def _charged(photo: Path) -> Latent:
    charge(PHOTO_COST)
    return _encoded(photo)


def _encoded(photo: Path | bytes) -> Latent:
    """The latent (d,) of a photo once there is room."""
    model = tagger()
    with current_app.extensions["lablr.admission"].admit():
        with stage("read"):
            image = read_image(photo, model.encoder.size, FOLDER_LIMITS)
        with stage("encode"):
            described = model.encode(image[np.newaxis])
    latent: Latent = described[0, : model.encoder.n_latent]
    return latent


def _ranked(
    photo: DeskPhoto, latent: Latent, k: int
) -> tuple[list[dict[str, Any]], float]:
    """The first k tags of which nothing was said, and the threshold."""
    model, state = tagger(), photo.state
    # a typed "New York" is the tag "newyork", whatever was said of that
    accepted = Feedback(tuple(photo.tags)).accepted
    rejected = Feedback((), tuple(state.tags("rejected"))).rejected
    feedback = Feedback(accepted, tuple(tag for tag in rejected if tag not in accepted))
    said = {*feedback.decided, *state.marks}
    if model.coupling is None:
        feedback = Feedback()
    with stage("rank"):
        (found,) = model.rank(latent[np.newaxis], 0, feedback=feedback)
    rows = [
        {
            "tag": score.tag,
            "probability": score.probability,
            "sure": score.probability >= found.threshold,
        }
        for score in found.tags
        if score.tag not in said
    ]
    return rows[: k or None], found.threshold


def _similar(number: int, latent: Latent) -> list[dict[str, Any]]:
    """The `MAX_SIMILAR` photos that were looked at and are most like this one."""
    ids, latents = desk().latents(tagger().bundle_digest)
    if not ids:
        return []
    viewer = Viewer(tagger())
    cosines = viewer.unit_latents(latents) @ viewer.unit_latents(latent[np.newaxis])[0]
    order = np.argsort(-cosines, kind="stable")
    similar = [
        {"id": ids[row], "similarity": float(cosines[row])}
        for row in order.tolist()
        if ids[row] != number and cosines[row] >= SIMILAR_FROM
    ]
    return similar[:MAX_SIMILAR]


def _whole(text: str, name: str, low: int, high: int) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) < 7
    if not (is_number and low <= int(text) <= high):
        raise DeskError(
            "bad_parameter", f"{name} must be from {low} to {high}.", http_status=400
        )
    return int(text)
