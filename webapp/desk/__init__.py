"""The desk: many photos of a folder, their tags, and writing these into files.

It changes files, so it answers whoever is on this machine or brings the token, and
only its own page (webapp/desk/guard.py). The addresses that the page calls are in
webapp/desk/photos.py and webapp/desk/steps.py, loaded where the desk is on: they need
the extra "judge".
"""

from __future__ import annotations

from flask import Flask, render_template

from webapp.http.uploads import bound_bodies
from webapp.state import state_of

MAX_JSON_BYTES = 1 << 20
MAX_DROPPED_BYTES = 64 << 20
WITH_JSON = ("/desk/steps", "/desk/undo", "/desk/write", "/desk/write/undo")


def init_app(app: Flask) -> None:
    """Add the desk, or the page that explains how it is turned on."""
    is_on = state_of(app).desk is not None
    app.jinja_env.globals["desk_on"] = is_on
    if not is_on:
        app.add_url_rule("/desk", "desk_off", lambda: render_template("desk_off.html"))
        return
    from webapp.desk.steps import blueprint

    bound_bodies(app, MAX_JSON_BYTES, *WITH_JSON)
    bound_bodies(app, MAX_DROPPED_BYTES, "/desk/photos")
    app.register_blueprint(blueprint)
