"""From an encoder and tagged photos to a bundle, and from a bundle to its figures."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

import lablr
from lablr.bundle import Bundle
from lablr.corpus import Corpus
from lablr.encoders.encoder import Preprocessing
from lablr.encoders.encoding import LABEL, EncodedPhotos
from lablr.encoders.engines import in_threads
from lablr.encoders.quantization import quantize
from lablr.encoders.ray_engine import RayEngine
from lablr.errors import FitError
from lablr.fitting.metrics import calibrated_quality
from lablr.fitting.sums import FitSums, FitWork
from lablr.latent_space.gaussians import GaussianStatistics, TagGaussians
from lablr.latent_space.plane import LatentMap
from lablr.ranking.coupling import TagCoupling
from lablr.ranking.methods.calibrated import Calibrated
from lablr.ranking.reach import Reach, ViewSums
from lablr.system.progress import Progress, silent

# Tried on validation when the shrinkage is not given, from hardly any to all tied.
SHRINKAGES = (10.0, 100.0, 300.0, 1000.0, 3000.0, 10_000.0, 30_000.0, 100_000.0)


@dataclass(frozen=True)
class FitConfig:
    """Settings of a fit.

    Parameters
    ----------
    shrinkage : nu of `TagGaussians`; None tries several on validation.
    ridge : share of the tied mean variance added to the diagonals.
    unknown_weight : evidence of a missing tag where its source never uses it.
    mirror : count each training photo's mirror image too, half a photo each.
    precision : share of suggested tags that should be right; sets the threshold.
    seed : picks the photos shown on the map.
    quantize : turn the encoder into 8-bit integers first
        (`lablr.encoders.quantization`).
    """

    shrinkage: float | None = None
    ridge: float = 0.01
    unknown_weight: float = 0.1
    mirror: bool = True
    precision: float = 0.8
    seed: int = 0
    quantize: bool = False


def fit(
    corpus: Corpus,
    encoder_onnx: bytes,
    preprocessing: Preprocessing,
    config: FitConfig,
    *,
    model_card: str = "",
    provenance: Mapping[str, Any] | None = None,
    engine: RayEngine | None = None,
    progress: Progress = silent,
) -> Bundle:
    """Fit Gaussians, calibration and map to `corpus` and put them in a bundle.

    Gaussians see the photos of the split "train", calibration and threshold those
    of "val"; photos of other splits are not read. The `engine` (default: threads of
    this machine) encodes them; memory does not grow with the training photos.
    Raises `FitError` when a tag has fewer than five training photos, or when there
    are no validation photos; `MissingExtra` when the encoder cannot be quantized.
    """
    corpus.read()
    if config.quantize:
        encoder_onnx = quantize(encoder_onnx, preprocessing, corpus, progress)
    work = FitWork(encoder_onnx, preprocessing, config.mirror, config.seed)
    photos, n_records = corpus.photos(), corpus.count_records()
    if engine is None:
        parts = in_threads(work.prepare(), photos, n_records, progress, LABEL)
    else:
        parts = engine.map(work, photos, n_records, progress, LABEL)
    return _bundle(
        FitSums.total(parts),
        config,
        encoder_onnx=encoder_onnx,
        preprocessing=preprocessing.to_dict(),
        model_card=model_card,
        provenance=dict(provenance or {}) | {"corpus_digest": corpus.digest},
        views=ViewSums.of(corpus.photos()),
    )


def fit_encoded(encoded: EncodedPhotos, config: FitConfig, **described: Any) -> Bundle:
    """Do the part of `fit` after encoding: seconds, so several configs can be tried.

    `described` are encoder_onnx, preprocessing, model_card and provenance.
    """
    counted = encoded if config.mirror else dataclasses.replace(encoded, mirrored=None)
    sums = FitSums.total([FitSums.of(counted, config.seed)])
    return _bundle(sums, config, **described)


def _bundle(
    sums: FitSums,
    config: FitConfig,
    *,
    encoder_onnx: bytes,
    preprocessing: Mapping[str, Any],
    model_card: str,
    provenance: Mapping[str, Any],
    views: ViewSums | None = None,
) -> Bundle:
    """Make the bundle that follows from the sums."""
    statistics, validation = sums.statistics, sums.validation
    if not statistics.sources or not len(validation.latents):
        raise FitError("both training and validation photos are needed")
    shrinkage = config.shrinkage
    if shrinkage is None:
        shrinkage = _best_shrinkage(statistics, validation, config)
    config = dataclasses.replace(config, shrinkage=shrinkage)
    gaussians = _gaussians(statistics, config, shrinkage)
    ratio = gaussians.log_likelihood_ratio(validation.latents)
    calibrated = Calibrated.fit(ratio, validation.membership, config.precision)
    probability = calibrated.calibration.probability(ratio)
    coupling = TagCoupling.fit(
        sums.pairs,
        statistics.counts,
        statistics.source_moments.n,
        probability,
        validation.sources,
    )
    reach = Reach.fit(statistics.tags, views or ViewSums())
    arrays = statistics.to_arrays() | sums.pairs.to_arrays() | coupling.to_arrays()
    if reach is not None:
        arrays |= reach.to_arrays()
    photos, means = statistics.source_moments, gaussians.means_
    latent_map = LatentMap.fit(photos, sums.dots, means, gaussians.log_determinants_)
    return Bundle(
        tags=statistics.tags,
        encoder_onnx=encoder_onnx,
        preprocessing=preprocessing,
        gaussians=arrays,
        calibration=calibrated.calibration.to_arrays(),
        latent_map=latent_map.to_arrays(),
        settings=dataclasses.asdict(config) | {"threshold": calibrated.threshold},
        model_card=model_card,
        provenance=_where_and_when() | dict(provenance),
    )


def _gaussians(
    statistics: GaussianStatistics, config: FitConfig, shrinkage: float
) -> TagGaussians:
    absence = statistics.absence(config.unknown_weight)
    return TagGaussians(statistics, absence, shrinkage, config.ridge)


def _best_shrinkage(
    statistics: GaussianStatistics, validation: EncodedPhotos, config: FitConfig
) -> float:
    """Choose the shrinkage with the best macro AP plus image MAP over the sources."""
    sources = validation.sources.tolist()

    def quality(shrinkage: float) -> float:
        gaussians = _gaussians(statistics, config, shrinkage)
        ratio = gaussians.log_likelihood_ratio(validation.latents)
        return calibrated_quality(ratio, validation.membership, sources)

    return max(SHRINKAGES, key=quality)


def _where_and_when() -> dict[str, Any]:
    packages = ("numpy", "onnxruntime", "pillow")
    return {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "lablr": lablr.__version__,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
    }
