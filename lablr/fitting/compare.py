"""Every ranking of a bundle on the same photos: how right, how quick, how large."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lablr.bundle import Bundle
from lablr.corpus import Corpus
from lablr.fitting.evaluate import evaluate_rankings
from lablr.fitting.metrics import Report
from lablr.ranking.tagger import Tagger
from lablr.system.progress import Progress, silent

# Rankings of one photo that are timed; the median counts.
N_TIMED = 50
KEY = "comparison"


@dataclass(frozen=True)
class Compared:
    """One ranking's figures.

    Attributes
    ----------
    ranking : its name.
    reports : a `Report` a source and "all" last.
    rank_ms : from a photo's description to its ranked tags, milliseconds, alone on one
        thread; reading and encoding the photo come on top, the same for every
        ranking but "conse", whose own network is counted here.
    n_bytes : what it adds to the bundle.
    """

    ranking: str
    reports: tuple[Report, ...]
    rank_ms: float
    n_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; a figure that is not defined is None."""
        return {
            "ranking": self.ranking,
            "rank_ms": round(self.rank_ms, 3),
            "n_bytes": self.n_bytes,
            "reports": [report.to_dict() for report in self.reports],
        }


def compare_bundle(
    bundle: Bundle,
    corpus: Corpus,
    split: str | None = "val",
    min_photos: int = 0,
    progress: Progress = silent,
) -> list[Compared]:
    """Judge every ranking of `bundle` on a split (None: all photos), in one pass.

    Calibration errors are cross-fitted and `min_photos` is as in
    `lablr.fitting.evaluate.evaluate_bundle`.
    """
    tagger = Tagger(bundle)
    found = evaluate_rankings(
        tagger, bundle, corpus, tagger.rankings, split, True, min_photos, progress
    )
    return [
        Compared(name, tuple(reports), _rank_ms(tagger, name), _n_bytes(bundle, name))
        for name, reports in zip(tagger.rankings, found, strict=True)
    ]


def with_comparison(bundle: Bundle, compared: Sequence[Compared]) -> Bundle:
    """Return the bundle with its figures inside, for the page that compares."""
    figures = [one.to_dict() for one in compared]
    provenance = dict(bundle.provenance) | {KEY: figures}
    return dataclasses.replace(bundle, provenance=provenance)


def compared_before(provenance: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the figures that `with_comparison` put into a bundle, if any."""
    figures = provenance.get(KEY, [])
    return list(figures) if isinstance(figures, list) else []


def _rank_ms(tagger: Tagger, ranking: str) -> float:
    image = np.zeros((1, tagger.encoder.size, tagger.encoder.size, 3), np.uint8)
    described = tagger.encode(image)
    times = []
    for _ in range(N_TIMED):
        begin = time.perf_counter()
        tagger.rank(described, 0, ranking, images=image)
        times.append(1000 * (time.perf_counter() - begin))
    return float(np.median(times))


def _n_bytes(bundle: Bundle, ranking: str) -> int:
    """Count the bytes of a method's arrays and network; by default the Gaussians'."""
    arrays = bundle.methods.get(ranking, bundle.gaussians)
    network = bundle.networks.get(ranking, b"")
    return len(network) + sum(array.nbytes for array in arrays.values())
