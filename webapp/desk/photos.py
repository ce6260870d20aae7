"""The desk's photos for its page: listed, shown, added, with suggestions."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flask import Response, abort, jsonify, render_template, request, send_file

from lablr.annotation.desk.desk import Desk, DeskPhoto
from lablr.annotation.desk.records import Latent
from lablr.errors import DeskError, PhotoError
from lablr.metadata.sidecars import tags_in
from lablr.photos import FOLDER_LIMITS, check_size, read_bytes, read_image
from lablr.ranking.feedback import Feedback
from lablr.search.features import FeatureExtractor
from webapp.api.suggestions import N_TAGS
from webapp.desk.guard import blueprint
from webapp.http.access import PHOTO_COST, charge
from webapp.http.metrics import stage
from webapp.http.parameters import MAX_NUMBER, Parameters
from webapp.http.sent_photos import send_photo
from webapp.http.uploads import uploaded_files
from webapp.state import state, tagger
from webapp.state.values import value, whole

__all__ = ["blueprint", "desk", "shown"]

MAX_SIDE_PX = 2560
SIMILAR_FROM = 0.8
MAX_SIMILAR = 100
ONE = f"/photos/<int(max={MAX_NUMBER}):number>"


def desk() -> Desk:
    """Return the desk of this application; its pages are there where it is on."""
    found = state().desk
    if found is None:
        abort(404)
    return found


@dataclass(frozen=True)
class ImageQuery(Parameters):
    """The size of an image."""

    side: int = value(320, whole(16, MAX_SIDE_PX), "Pixels of the longer side.")


@dataclass(frozen=True)
class RankedQuery(Parameters):
    """The number of suggestions."""

    k: int = value(10, N_TAGS, "How many tags; 0 is all of them.")


@blueprint.get("")
def show() -> str:
    """Show the page, which asks for everything else."""
    return render_template("desk.html")


@blueprint.get("/photos")
def list_photos() -> Response:
    """List every photo, and what is kept of it."""
    photos = [shown(photo) for photo in desk().photos()]
    return jsonify(folder=desk().name, n_steps=desk().n_steps(), photos=photos)


@blueprint.post("/photos")
def create_photos() -> Response:
    """Add copies of the photos in the field ``photo``, and encode them.

    A photo that is refused is the answer when it is alone, an entry among others.
    """
    sent = uploaded_files()
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
    photo = desk().add_dropped(name, content)
    desk().latent_of(photo, tagger().bundle_digest, lambda _: latent)
    return desk().photo(photo.number)


@blueprint.get(f"{ONE}/image")
def show_image(number: int) -> Response:
    """Send the photo as a JPEG of at most ``side`` pixels."""
    side = ImageQuery.read(request.args).side
    return send_photo(desk().photo(number).file.path, side)


@blueprint.get(f"{ONE}/file")
def show_file(number: int) -> Response:
    """Send the photo's file as it is now."""
    photo = desk().photo(number)
    content = read_bytes(photo.file.path, FOLDER_LIMITS)
    name = photo.name.rpartition("/")[2]
    # never shown as a page, whatever it holds
    kind = "application/octet-stream"
    return send_file(io.BytesIO(content), kind, as_attachment=True, download_name=name)


def shown(photo: DeskPhoto) -> dict[str, Any]:
    encoded, error, state = photo.encoded, None, "new"
    if encoded is not None and encoded.code is not None:
        state, error = "failed", {"code": encoded.code, "message": encoded.message}
    elif encoded is not None and encoded.model == tagger().bundle_digest:
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
    none = dict.fromkeys(("accepted", "typed", "rejected", "written"), ())
    said = {"code": error.code, "message": str(error)}
    return {"id": None, "name": name, "state": "failed", **none, "error": said}


@blueprint.get(f"{ONE}/suggestions")
def show_suggestions(number: int) -> Response:
    """Suggest tags for a photo after what was decided, and list photos like it."""
    k = RankedQuery.read(request.args).k
    photo = desk().photo(number)

    def encoded(path: Path) -> Latent:
        charge(PHOTO_COST)
        return _encoded(path)

    latent = desk().latent_of(photo, tagger().bundle_digest, encoded)
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


def _encoded(photo: Path | bytes) -> Latent:
    """Return the latent (d,) of a photo once there is room."""
    model = tagger()
    with state().admission.admit():
        with stage("read"):
            image = read_image(photo, model.encoder.size, FOLDER_LIMITS)
        with stage("encode"):
            described = model.encode(image[np.newaxis])
    latent: Latent = described[0, : model.encoder.n_latent]
    return latent


def _ranked(
    photo: DeskPhoto, latent: Latent, k: int
) -> tuple[list[dict[str, Any]], float]:
    """Return the first k undecided tags, and the threshold."""
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
    """Return the `MAX_SIMILAR` encoded photos that are most like this one."""
    ids, latents = desk().latents(tagger().bundle_digest)
    if not ids:
        return []
    extractor = FeatureExtractor(tagger())
    (unit_latent,) = extractor.unit_latents(latent[np.newaxis])
    cosines = extractor.unit_latents(latents) @ unit_latent
    order = np.argsort(-cosines, kind="stable")
    similar = [
        {"id": ids[row], "similarity": float(cosines[row])}
        for row in order.tolist()
        if ids[row] != number and cosines[row] >= SIMILAR_FROM
    ]
    return similar[:MAX_SIMILAR]
