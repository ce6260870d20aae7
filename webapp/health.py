"""Two questions of a supervisor, answered without asking the model's door."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, current_app, jsonify

__all__ = ["init_app"]

blueprint = Blueprint("health", __name__)


def init_app(app: Flask) -> None:
    """Add ``/livez`` and ``/readyz``."""
    app.register_blueprint(blueprint)


@blueprint.get("/livez")
def live() -> Response:
    """The process answers."""
    return jsonify(status="alive")


@blueprint.get("/readyz")
def ready() -> Response:
    """The model is loaded; its digest tells which one."""
    return jsonify(status="ready", bundle=current_app.extensions["lablr"].bundle_digest)
