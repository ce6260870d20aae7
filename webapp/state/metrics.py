"""The server's counters and histograms, as Prometheus collects them.

Every label has few values: endpoints, not addresses; stages; codes of our errors. So
no client can make the registry grow.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.metrics_core import InfoMetricFamily
from prometheus_client.registry import Collector

import lablr
from webapp.state.admission import Admission
from webapp.state.model import ServedModel

STAGES = ("read", "encode", "rank", "draw", "search", "explain")

# Seconds. A stage takes milliseconds; a request waits up to `max_wait_s`, too.
STAGE_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
REQUEST_BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60)


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
            "Time that one stage of a photo takes.",
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
    """The bundle that is served at the moment of the collection."""

    def __init__(self, model: ServedModel) -> None:
        self._model = model

    def collect(self) -> Iterator[InfoMetricFamily]:
        value = {
            "digest": self._model.tagger.bundle_digest,
            "version": lablr.__version__,
        }
        yield InfoMetricFamily("lablr_bundle", "The model that is served.", value)
