"""From what the encoder says of a photo to a number for every tag.

The Gaussians give a photo's squared Mahalanobis distances and log-likelihood ratios;
the calibration gives probabilities, and so does each other method of a bundle
(`lablr.ranking.methods`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lablr.bundle import Bundle
from lablr.errors import BundleError, FitError, RankingError
from lablr.latent_space.calibration import Calibration
from lablr.latent_space.feedback_statistics import FeedbackStatistics
from lablr.latent_space.gaussians import GaussianStatistics, TagGaussians
from lablr.ranking.methods.calibrated import Calibrated, Method
from lablr.ranking.methods.classifier import Classifier
from lablr.ranking.methods.conse import ConSE
from lablr.ranking.methods.neighbours import Neighbours
from lablr.ranking.methods.semantic import Semantic
from lablr.ranking.methods.stacking import Blend, log_odds
from lablr.ranking.methods.triplet import Triplet
from lablr.system.arrays import Float32s, Floats, Pixels

# By the Gaussians; a bundle may offer more, by other methods.
RANKINGS = ("calibrated", "likelihood", "mahalanobis")

# Methods that look at the encoder's description of a photo, in the order of the page.
DESCRIBED: Mapping[str, Any] = {
    "classifier": Classifier,
    "triplet": Triplet,
    "semantic": Semantic,
    "neighbours": Neighbours,
}


@dataclass(frozen=True)
class Scores:
    """Four numbers for every photo and tag, each (N, T).

    ``logits`` are what the ranking's calibration made the probability of; those of the
    Gaussians are the ``log_likelihood_ratio``.
    """

    probability: Floats
    squared_mahalanobis: Floats
    log_likelihood_ratio: Floats
    logits: Floats

    def ranking(self, name: str) -> Floats:
        """Return the numbers (N, T) by which the ranking `name` orders, best highest.

        Every method orders by its probability.
        """
        if name == "likelihood":
            return self.log_likelihood_ratio
        if name == "mahalanobis":
            return -self.squared_mahalanobis
        return self.probability

    def log_score(self, name: str) -> Floats:
        """Return what orders as `ranking` does, in nats, so that nats can be added."""
        if name in ("likelihood", "mahalanobis"):
            return self.ranking(name) * (0.5 if name == "mahalanobis" else 1.0)
        # Of a probability that is 0, the smallest there is.
        least = np.finfo(np.float64).tiny
        return np.asarray(np.log(np.maximum(self.probability, least)), np.float64)


class Ranker:
    """The Gaussians, the calibration and the other methods of a bundle.

    Attributes
    ----------
    rankings : their names; `RANKINGS` and those of the methods.
    gaussians, calibration : as fitted; methods : by name.
    spread : mean and standard deviation (d,) of the training photos' latents.

    Raises `BundleError` when a part of the bundle cannot be used.
    """

    def __init__(self, bundle: Bundle) -> None:
        statistics = GaussianStatistics.from_arrays(bundle.gaussians, bundle.tags)
        self.gaussians = _gaussians(bundle, statistics)
        self.spread = _spread(statistics)
        n_tags = len(bundle.tags)
        self.calibration = Calibration.from_arrays(bundle.calibration, n_tags)
        arrays = bundle.methods
        self.methods: dict[str, Method] = {
            name: kind.from_arrays(arrays[name], bundle.tags)
            for name, kind in DESCRIBED.items()
            if name in arrays
        }
        self.conse = _conse(bundle)
        self.blend = (
            Blend.from_arrays(arrays["blend"], ("calibrated", *self.methods))
            if "blend" in arrays
            else None
        )
        self._calibrated = {
            name: Calibrated.from_arrays(own, n_tags) for name, own in arrays.items()
        }
        blend = ["blend"] if self.blend else []
        conse = ["conse"] if self.conse else []
        self.rankings = (*RANKINGS, *blend, *self.methods, *conse)

    @property
    def neighbours(self) -> Neighbours | None:
        """Return the training photos that the bundle keeps, if it does."""
        found = self.methods.get("neighbours")
        return found if isinstance(found, Neighbours) else None

    @property
    def by_description(self) -> tuple[str, ...]:
        """Name the rankings that need no image, only its description."""
        return tuple(name for name in self.rankings if name != "conse")

    def n_inputs(self, ranking: str) -> int:
        """Count the numbers of a description that a ranking looks at."""
        if ranking == "blend" and self.blend:
            return max(self.n_inputs(name) for name in self.blend.of)
        if ranking in self.methods:
            return self.methods[ranking].n_inputs
        return self.n_latent

    @property
    def n_latent(self) -> int:
        """Return d: the first d numbers of a description are the latent."""
        return int(self.gaussians.means_.shape[1])

    def threshold(self, ranking: str, default: float) -> float:
        """Return the probability to suggest from; `default` by the Gaussians."""
        own = self._calibrated.get(ranking)
        return default if own is None else own.threshold

    def scores(
        self, x: Float32s, ranking: str = "calibrated", images: Pixels | None = None
    ) -> Scores:
        """Score photos by their descriptions x (N, p).

        Probabilities are those of the `ranking`. Raises `RankingError` for one that
        needs numbers that x does not hold, or the `images` (N, S, S, 3).
        """
        squared_mahalanobis, ratio = self.gaussians.score(x[:, : self.n_latent])
        probability = self.calibration.probability(ratio)
        scores = Scores(probability, squared_mahalanobis, ratio, ratio)
        if ranking in RANKINGS:
            return scores
        logits = self._method_logits(x, ranking, probability, images)
        own = self._calibrated[ranking].calibration.probability(logits)
        return replace(scores, probability=own, logits=logits)

    def _method_logits(
        self, x: Float32s, ranking: str, by_gaussians: Floats, images: Pixels | None
    ) -> Floats:
        """Return a method's logits; `by_gaussians` (N, T) are probabilities.

        A blend weighs those as well.
        """
        if ranking == "conse" and self.conse is not None:
            if images is None:
                raise RankingError("the ranking 'conse' needs the photo itself")
            return np.asarray(self.conse.logits(images), np.float64)
        if ranking == "blend" and self.blend is not None:
            parts = {
                name: by_gaussians
                if name == "calibrated"
                else self._calibrated[name].calibration.probability(
                    self._method_logits(x, name, by_gaussians, images)
                )
                for name in self.blend.of
            }
            return self.blend.logits({k: log_odds(p) for k, p in parts.items()})
        method = self.methods[ranking]
        if x.shape[1] < method.n_inputs:
            raise RankingError(
                f"the ranking {ranking!r} needs {method.n_inputs} numbers of a photo, "
                f"not {x.shape[1]}: its features too"
            )
        return method.logits(x[:, : method.n_inputs])


def _gaussians(bundle: Bundle, statistics: GaussianStatistics) -> TagGaussians:
    settings = bundle.settings
    judged = FeedbackStatistics.from_arrays(bundle.gaussians, bundle.tags)
    try:
        unknown = settings["unknown_weight"]
        return TagGaussians(
            statistics,
            statistics.absence(unknown),
            shrinkage=settings["shrinkage"],
            ridge=settings["ridge"],
            judged=None if judged is None else judged.evidence(unknown),
        )
    except (FitError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"the Gaussians cannot be used: {error!r}") from error


def _spread(statistics: GaussianStatistics) -> tuple[Floats, Floats]:
    """Return mean and standard deviation (d,) of the latents of all training photos."""
    photos = statistics.source_moments
    n_photos = photos.n.sum()
    mean = photos.total.sum(axis=0) / n_photos
    square = np.einsum("sii->i", photos.outer) / n_photos
    return mean, np.sqrt(np.maximum(square - mean**2, 1e-12))


def _conse(bundle: Bundle) -> ConSE | None:
    if "conse" not in bundle.methods:
        return None
    if "conse" not in bundle.networks:
        raise BundleError("conse.onnx: missing")
    arrays, network = bundle.methods["conse"], bundle.networks["conse"]
    return ConSE.from_arrays(arrays, bundle.tags, network)
