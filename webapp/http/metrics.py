"""Counting every request, and ``/metrics`` for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint, Flask, Response, g, request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from webapp.state import state

METHODS = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

blueprint = Blueprint("metrics", __name__)


def init_app(app: Flask) -> None:
    """Time every request and add ``/metrics``; goes before what may refuse one."""
    app.register_blueprint(blueprint)
    app.before_request(_start)
    app.after_request(_count)


def _start() -> None:
    g.started = time.perf_counter()


def _count(response: Response) -> Response:
    metrics = state().metrics
    endpoint = request.endpoint or "none"
    method = request.method if request.method in METHODS else "other"
    metrics.requests.labels(endpoint, method, response.status_code).inc()
    seconds = time.perf_counter() - g.started
    metrics.request_seconds.labels(endpoint).observe(seconds)
    if "error_code" in g:
        metrics.refused.labels(g.error_code).inc()
    return response


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time one of `webapp.state.metrics.STAGES`, whether it ends well or not."""
    with state().metrics.stages[name].time():
        yield


@blueprint.get("/metrics")
def show() -> Response:
    """Show all metrics in Prometheus's text format."""
    registry = state().metrics.registry
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
