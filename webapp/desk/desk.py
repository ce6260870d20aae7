"""The desk: many photos of a folder here, their tags, and writing these into files.

It changes files, so it answers who sits at this machine, or who brings the token, and
only to its own page (webapp/desk/guard.py). What that page talks to is in
webapp/desk/photos.py and webapp/desk/steps.py, loaded where the desk is on: they need
the extra "judge".
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Flask, render_template

from lablr.annotation import desk_database, open_database
from lablr.errors import DeskError
from lablr.metadata import default_state
from webapp.http.settings import SettingError, Settings
from webapp.rate.judging import Judging

if TYPE_CHECKING:
    from lablr.annotation.desk import Desk

__all__ = ["init_app"]

NO_FOLDER = "-"
MAX_JSON_BYTES = 1 << 20
MAX_DROPPED_BYTES = 64 << 20


def init_app(app: Flask) -> None:
    """Open the desk of the settings, or say on its page that it is off.

    Raises `SettingError` for a folder that is none, `DatabaseError`, and
    `MissingExtra` without what the database needs.
    """
    settings: Settings = app.extensions["lablr.settings"]
    app.jinja_env.globals["desk_on"] = settings.desk is not None
    if settings.desk is None:
        off = Blueprint("desk_off", __name__)
        off.add_url_rule("/desk", view_func=show_off)
        app.register_blueprint(off)
        return
    for name in ("steps", "undo", "write", "write/undo"):
        app.config["MAX_BODY_BYTES"][f"/desk/{name}"] = MAX_JSON_BYTES
    app.config["MAX_BODY_BYTES"]["/desk/photos"] = MAX_DROPPED_BYTES
    app.extensions["lablr.desk"] = _open(app, settings.desk)
    from webapp.desk.guard import guard
    from webapp.desk.photos import add_photos
    from webapp.desk.steps import add_steps

    pages = Blueprint("desk", __name__, url_prefix="/desk")
    guard(pages)
    add_photos(pages)
    add_steps(pages)
    app.register_blueprint(pages)


def show_off() -> str:
    """How the desk is turned on."""
    return render_template("desk_off.html")


def _open(app: Flask, place: str) -> Desk:
    judging: Judging | None = app.extensions["lablr.judging"]
    kept = _own_database() if judging is None else judging
    from lablr.annotation.desk import open_desk

    folder = None if place == NO_FOLDER else Path(place)
    try:
        return open_desk(folder, lambda: kept.database, default_state())
    except DeskError as error:
        raise SettingError(f"LABLR_DESK: {error}") from error


def _own_database() -> Judging:
    """A database of the desk's own, for want of one of judgements."""
    path = desk_database(default_state())
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingError(f"{path.parent}: {error.strerror}") from error
    open_database(str(path)).close()
    return Judging(str(path), {}, None)
