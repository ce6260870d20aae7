"""The photos that are judged, by their numbers in the database and by nothing else.

A file goes through the door of all photos and out as a JPEG of bounded size: its own
bytes, with what they may carry, never leave.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from flask import Blueprint, Response, abort, current_app, request
from PIL import Image

from lablr.photos import bounded_image
from webapp.errors import Refused
from webapp.judging import judging

__all__ = ["add_photos"]

MAX_SIDE_PX = 1600
QUALITY = 88
# Seconds; the browser asks again afterwards, and is told if nothing has changed.
MAX_AGE_S = 3600
MAX_NUMBER = 2**31 - 1


def add_photos(pages: Blueprint) -> None:
    """Serve photos below the address of some pages, to whom these are open."""
    rule = f"/photos/<int(max={MAX_NUMBER}):number>"
    pages.add_url_rule(rule, "photo", show)


def show(number: int) -> Response:
    """The photo, at most `MAX_SIDE_PX` wide and high."""
    from lablr.judging.lookups import photo_of_number

    photo = photo_of_number(judging().database, number)
    if photo is None:
        abort(404)
    path = _path(photo.place)
    try:
        status = path.stat()
    except (OSError, ValueError):
        raise Refused(
            "no_photo", "The photo's file is not there any more.", 404
        ) from None
    state = f"{path}\0{status.st_mtime_ns}\0{status.st_size}\0{MAX_SIDE_PX}"
    etag = hashlib.sha256(state.encode(errors="surrogateescape")).hexdigest()[:32]
    if request.if_none_match.contains(etag):
        response = Response(status=304)
    else:
        with current_app.extensions["lablr.admission"].admit():
            response = Response(_jpeg(path), mimetype="image/jpeg")
    response.set_etag(etag)
    response.headers["Cache-Control"] = f"private, max-age={MAX_AGE_S}"
    return response


def _path(place: str) -> Path:
    """The file of a place; raises `Refused` for a link, or one outside the folder."""
    if "://" in place:
        raise Refused(
            "no_photo", "This photo is a link, and links are not opened.", 404
        )
    folder = judging().folder
    if folder is None:
        return Path(place)
    folder = folder.resolve()
    path = folder / place
    # the last name is left as it is: the door does not follow a link there
    if not (path.parent.resolve() / path.name).is_relative_to(folder):
        raise Refused("no_photo", "This photo lies outside the folder of photos.", 404)
    return path


def _jpeg(path: Path) -> bytes:
    written = io.BytesIO()
    image = Image.fromarray(bounded_image(path, MAX_SIDE_PX))
    image.save(written, "JPEG", quality=QUALITY)
    return written.getvalue()
