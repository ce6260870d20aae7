"""Two health checks, answered without a place among the uses of the model."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, jsonify

from webapp.state import state

blueprint = Blueprint("health", __name__)


def init_app(app: Flask) -> None:
    """Add ``/livez`` and ``/readyz``."""
    app.register_blueprint(blueprint)


@blueprint.get("/livez")
def live() -> Response:
    """Answer while the process lives."""
    return jsonify(status="alive")


@blueprint.get("/readyz")
def ready() -> Response:
    """Say which model is served, and why a newer one is not."""
    model = state().model
    answer = {"status": "ready", "bundle": model.tagger.bundle_digest}
    if model.last_error is not None:
        answer["last_error"] = model.last_error
    return jsonify(answer)
