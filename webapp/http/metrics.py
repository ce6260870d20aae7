"""What the server does, in numbers that Prometheus collects from ``/metrics``.

Every label has few values: endpoints, not addresses; stages; codes of our errors. So
no client can make the registry grow.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import InfoMetricFamily
from prometheus_client.registry import Collector

import lablr
from webapp.http.admission import Admission
from webapp.model import ServedModel

__all__ = ["STAGES", "init_app", "stage"]

STAGES = ("read", "encode", "rank", "draw", "search", "explain")
METHODS = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

# Seconds. A stage takes milliseconds; a request waits up to `max_wait_s`, too.
STAGE_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
REQUEST_BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60)

blueprint = Blueprint("metrics", __name__)


class Metrics:
    """One application's instruments, in a registry of its own."""

    def __init__(self, admission: Admission, model: ServedModel) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "lablr_requests",
            "Requests answered.",
            ["endpoint", "method", "status"],
            registry=registry,
        )
        self.request_seconds = Histogram(
            "lablr_request_seconds",
            "From a request's last byte to its answer.",
            ["endpoint"],
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self.refused = Counter(
            "lablr_refused",
            "Requests refused, by the code of their error.",
            ["reason"],
            registry=registry,
        )
        seconds = Histogram(
            "lablr_stage_seconds",
            "What one stage of a photo's way takes.",
            ["stage"],
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        # all of them from the start: a rate needs the zero before the first photo
        self.stages = {name: seconds.labels(name) for name in STAGES}
        self._watch(admission)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        registry.register(_BundleInfo(model))

    def _watch(self, admission: Admission) -> None:
        running = Gauge(
            "lablr_photos_running",
            "Photos, or batches of them, being worked on.",
            registry=self.registry,
        )
        running.set_function(lambda: admission.running)
        waiting = Gauge(
            "lablr_photos_waiting",
            "Photos, or batches of them, waiting for their turn.",
            registry=self.registry,
        )
        waiting.set_function(lambda: admission.waiting)


class _BundleInfo(Collector):
    """The bundle that is served when one asks, not when the server started."""

    def __init__(self, model: ServedModel) -> None:
        self._model = model

    def collect(self) -> Iterator[InfoMetricFamily]:
        value = {
            "digest": self._model.tagger.bundle_digest,
            "version": lablr.__version__,
        }
        yield InfoMetricFamily("lablr_bundle", "The model that is served.", value)


def init_app(app: Flask) -> None:
    """Time every request and add ``/metrics``; goes before what may refuse one."""
    app.register_blueprint(blueprint)
    metrics = Metrics(app.extensions["lablr.admission"], app.extensions["lablr.model"])
    app.extensions["lablr.metrics"] = metrics

    @app.before_request
    def start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
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
    """Time one of `STAGES`, whether it ends well or not."""
    with current_app.extensions["lablr.metrics"].stages[name].time():
        yield


@blueprint.get("/metrics")
def show() -> Response:
    """Everything, in Prometheus's text format."""
    metrics: Metrics = current_app.extensions["lablr.metrics"]
    return Response(generate_latest(metrics.registry), content_type=CONTENT_TYPE_LATEST)
