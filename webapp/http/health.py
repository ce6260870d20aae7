"""Two questions of a supervisor, answered without asking the model's door."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, current_app, jsonify

from webapp.model import ServedModel

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
    """Which model is served, and why a newer one is not."""
    model: ServedModel = current_app.extensions["lablr.model"]
    answer = {"status": "ready", "bundle": model.tagger.bundle_digest}
    if model.last_error is not None:
        answer["last_error"] = model.last_error
    return jsonify(answer)
