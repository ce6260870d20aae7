"""What the judgements say: figures, curves, and the threshold they recommend."""

from __future__ import annotations

from flask import Blueprint, Flask, render_template

from webapp.signing_in import guard

__all__ = ["init_app"]

blueprint = Blueprint("results", __name__, url_prefix="/results")
guard(blueprint)


def init_app(app: Flask) -> None:
    """Add the page, where judging is on."""
    if app.extensions["lablr.judging"] is not None:
        app.register_blueprint(blueprint)


@blueprint.get("")
def show() -> str:
    """The page with the figures of the model whose predictions were stored last."""
    return render_template("results.html")
