"""Judging tags on the web, where the server has a database of judgements.

The pages are loaded where judging is on: they need the extra "judge".
"""

from __future__ import annotations

from functools import partial

from flask import Flask, render_template

from webapp.state import state_of


def init_app(app: Flask) -> None:
    """Add the pages, or those that explain how judging is turned on."""
    is_on = state_of(app).judging is not None
    app.jinja_env.globals["judging_on"] = is_on
    if is_on:
        from webapp.rate import rating, results, sign_in

        for part in (sign_in, rating, results):
            part.init_app(app)
    else:
        for name in ("rate", "results"):
            show = partial(render_template, "judging_off.html")
            app.add_url_rule(f"/{name}", f"{name}_off", show)
