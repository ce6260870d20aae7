"""The photos that are judged, each known by its number in the database only."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, abort

from webapp.http.errors import Refused
from webapp.http.parameters import MAX_NUMBER
from webapp.http.sent_photos import send_photo
from webapp.rate.sign_in import judging

__all__ = ["add_photos"]

MAX_SIDE_PX = 1600


def add_photos(pages: Blueprint) -> None:
    """Serve photos below the address of some pages, to whoever may see these."""
    rule = f"/photos/<int(max={MAX_NUMBER}):number>"
    pages.add_url_rule(rule, "photo", show)


def show(number: int) -> Response:
    """Send the photo, at most `MAX_SIDE_PX` wide and high."""
    photo = judging().database.photo(number)
    if photo is None:
        abort(404)
    return send_photo(_path(photo.place), MAX_SIDE_PX)


def _path(place: str) -> Path:
    """Return the file of a place; raises `Refused` for a link or an outside file."""
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
