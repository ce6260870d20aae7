"""From an encoder and tagged photos to a bundle, and from a bundle to its figures."""

from __future__ import annotations

import dataclasses
import json
import math
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import lablr
from lablr.archive import Arrays
from lablr.bundle import Bundle
from lablr.calibration import Calibration, threshold_at_precision
from lablr.corpus import Corpus
from lablr.encoder import Preprocessing
from lablr.encoding import LABEL, EncodedPhotos, encode_corpus
from lablr.engines import Engine, LocalEngine
from lablr.errors import FitError
from lablr.evaluation import Report, evaluate
from lablr.fit_sums import FitSums, FitWork
from lablr.gaussians import GaussianStatistics, TagGaussians
from lablr.latent_map import LatentMap
from lablr.listening import Listening
from lablr.progress import Progress, silent
from lablr.quantization import quantize
from lablr.reach import Reach, ViewSums
from lablr.tagger import Tagger

__all__ = [
    "FitConfig",
    "cross_fitted",
    "evaluate_bundle",
    "fit",
    "fit_encoded",
    "numbers_of",
    "quality_of",
    "well_known",
]

# Tried on validation when the shrinkage is not given, from hardly any to all tied.
SHRINKAGES = (10.0, 100.0, 300.0, 1000.0, 3000.0, 10_000.0, 30_000.0, 100_000.0)

# Calibration is judged on photos it was not fitted on, this many parts in turn.
N_FOLDS = 5


@dataclass(frozen=True)
class FitConfig:
    """How the Gaussians are fitted.

    Parameters
    ----------
    shrinkage : nu of `TagGaussians`; None tries several on validation.
    ridge : share of the tied mean variance added to the diagonals.
    unknown_weight : evidence of a missing tag where its source never uses it.
    mirror : count each training photo's mirror image too, half a photo each.
    precision : share of suggested tags that should be right; sets the threshold.
    seed : picks the photos shown on the map.
    quantize : turn the encoder into 8-bit integers first (`lablr.quantization`).
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
    engine: Engine | None = None,
    progress: Progress = silent,
) -> Bundle:
    """Fit Gaussians, calibration and map to `corpus` and put them in a bundle.

    Gaussians see the photos of the split "train", calibration and threshold those
    of "val"; photos of other splits are not read. The `engine` (default: threads of
    this machine) encodes them; memory does not grow with the training photos.
    Raises `FitError` when a tag has fewer than five training photos, or when there
    are no validation photos; `MissingExtra` when the encoder cannot be quantized.
    """
    if config.quantize:
        encoder_onnx = quantize(encoder_onnx, preprocessing, corpus, progress)
    work = FitWork(encoder_onnx, preprocessing, config.mirror, config.seed)
    parts = (engine or LocalEngine()).map(
        work, corpus.photos(), corpus.count_records(), progress, LABEL
    )
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
    """The part of `fit` after encoding: seconds, so several configs can be tried.

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
    """The bundle that follows from the sums."""
    statistics, validation = sums.statistics, sums.validation
    if not statistics.sources or not len(validation.latents):
        raise FitError("both training and validation photos are needed")
    shrinkage = config.shrinkage
    if shrinkage is None:
        shrinkage = _best_shrinkage(statistics, validation, config)
    config = dataclasses.replace(config, shrinkage=shrinkage)
    gaussians = _gaussians(statistics, config, shrinkage)
    calibration, threshold = _calibrate(gaussians, validation, config.precision)
    latent_map = LatentMap.fit(
        statistics.source_moments,
        sums.dots,
        gaussians.means_,
        gaussians.log_determinants_,
    )
    settings = dataclasses.asdict(config) | {"threshold": threshold}
    return Bundle(
        tags=statistics.tags,
        encoder_onnx=encoder_onnx,
        preprocessing=preprocessing,
        gaussians=statistics.to_arrays()
        | _listening(sums, gaussians, calibration)
        | _reach(statistics.tags, views),
        calibration=calibration.to_arrays(),
        latent_map=latent_map.to_arrays(),
        settings=settings,
        model_card=model_card,
        provenance=_where_and_when() | dict(provenance),
    )


def evaluate_bundle(
    bundle: Bundle,
    corpus: Corpus,
    split: str | None = "val",
    ranking: str = "calibrated",
    cross_fit: bool = False,
    min_photos: int = 0,
    progress: Progress = silent,
) -> list[Report]:
    """Figures of a bundle on the photos of one split (None: all), per source.

    With `cross_fit` the calibration error is that of probabilities which the other
    photos calibrated: honest on the photos the bundle was calibrated on. Tags are
    ranked by the bundle as it is, since two photos calibrated by different parts
    could not be compared. With `min_photos` the means over tags leave out those of
    which the bundle has seen fewer training photos in the source: their few
    validation photos say little.
    """
    tagger = Tagger(bundle)
    encoded = encode_corpus(
        corpus,
        tagger.encoder,
        splits=[split] if split else [],
        tags=tagger.tags,
        see=partial(_see, tagger, ranking),
        progress=progress,
    )
    numbers = encoded.latents.astype(np.float64)
    ranked_by, probability, logits = np.split(numbers, 3, axis=1)
    if cross_fit:
        probability = cross_fitted(logits, encoded.membership)
    return evaluate(
        encoded.membership,
        ranked_by,
        probability,
        encoded.sources.tolist(),
        well_known(bundle, set(encoded.sources.tolist()), min_photos),
    )


def _see(
    tagger: Tagger, ranking: str, images: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float64]:
    return numbers_of(tagger, ranking, tagger.encode(images), images)


def numbers_of(
    tagger: Tagger,
    ranking: str,
    described: npt.NDArray[np.float32],
    images: npt.NDArray[np.uint8],
) -> npt.NDArray[np.float64]:
    """What a ranking orders by, its probabilities and its logits: (N, 3T)."""
    ranker = tagger.ranker
    scores = ranker.scores(described, ranking, images)
    logits = ranker.logits(described, ranking, images)
    return np.hstack([scores.ranking(ranking), scores.probability, logits])


def well_known(
    bundle: Bundle, sources: set[str], min_photos: int
) -> dict[str, npt.NDArray[np.bool_]]:
    """Of each source and of "all", which tags (T,) have that many training photos."""
    statistics = GaussianStatistics.from_arrays(bundle.gaussians, bundle.tags)
    seen = dict(zip(statistics.sources, statistics.counts, strict=True))
    none = np.zeros(len(bundle.tags))
    counts = {source: seen.get(source, none) for source in sources}
    counts["all"] = statistics.counts.sum(axis=0)
    return {source: n_photos >= min_photos for source, n_photos in counts.items()}


def cross_fitted(
    ratio: npt.NDArray[np.float64], membership: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Probabilities (N, T), each photo's by a calibration fitted without it.

    Photo i belongs to part ``i mod 5`` in a fixed random order.
    """
    fold = np.random.default_rng(0).permutation(len(ratio)) % N_FOLDS
    probability = np.empty_like(ratio)
    for part in range(min(N_FOLDS, len(ratio))):
        held_out = fold == part
        calibration = Calibration.fit(ratio[~held_out], membership[~held_out])
        probability[held_out] = calibration.probability(ratio[held_out])
    return probability


def _gaussians(
    statistics: GaussianStatistics, config: FitConfig, shrinkage: float
) -> TagGaussians:
    absence = statistics.absence(config.unknown_weight)
    return TagGaussians(statistics, absence, shrinkage, config.ridge)


def _calibrate(
    gaussians: TagGaussians, validation: EncodedPhotos, precision: float
) -> tuple[Calibration, float]:
    """Calibration on the validation photos, and the threshold at a precision there."""
    relevant = validation.membership
    ratio = gaussians.log_likelihood_ratio(validation.latents)
    calibration = Calibration.fit(ratio, relevant)
    probability = calibration.probability(ratio)
    return calibration, threshold_at_precision(relevant, probability, precision)


def _listening(
    sums: FitSums, gaussians: TagGaussians, calibration: Calibration
) -> Arrays:
    """What tags say of each other beyond what the validation photos say of them."""
    ratio = gaussians.log_likelihood_ratio(sums.validation.latents)
    listening = Listening.fit(
        sums.pairs,
        sums.statistics.counts,
        sums.statistics.source_moments.n,
        calibration.probability(ratio),
        sums.validation.sources,
    )
    return sums.pairs.to_arrays() | listening.to_arrays()


def _reach(tags: tuple[str, ...], views: ViewSums | None) -> Arrays:
    reach = Reach.fit(tags, views or ViewSums())
    return {} if reach is None else reach.to_arrays()


def _best_shrinkage(
    statistics: GaussianStatistics, validation: EncodedPhotos, config: FitConfig
) -> float:
    """The shrinkage with the best macro AP plus image MAP, summed over sources."""
    relevant, sources = validation.membership, validation.sources.tolist()

    def quality(shrinkage: float) -> float:
        gaussians = _gaussians(statistics, config, shrinkage)
        ratio = gaussians.log_likelihood_ratio(validation.latents)
        probability = Calibration.fit(ratio, relevant).probability(ratio)
        reports = evaluate(relevant, probability, None, sources)
        return quality_of(reports)

    return max(SHRINKAGES, key=quality)


def quality_of(reports: list[Report]) -> float:
    """Macro AP plus image MAP, summed over the sources: what choices are made by."""
    return sum(_qualities(reports))


def _qualities(reports: list[Report]) -> Iterator[float]:
    for report in reports:
        quality = report.macro_average_precision + report.mean_average_precision
        # Undefined where no photo of the source has a tag.
        if report.source != "all" and not math.isnan(quality):
            yield quality


def _where_and_when() -> dict[str, Any]:
    packages = ("numpy", "onnxruntime", "pillow")
    return {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "lablr": lablr.__version__,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
    }


def read_encoder(run: Path) -> tuple[bytes, Preprocessing]:
    """The encoder of a finished training run, or of a bundle.

    Raises `FitError` when the folder has none, `BundleError` for a broken bundle.
    """
    if (run / "manifest.json").exists():
        bundle = Bundle.load(run)
        return bundle.encoder_onnx, Preprocessing.from_dict(bundle.preprocessing)
    try:
        model = (run / "encoder.onnx").read_bytes()
        preprocessing = json.loads((run / "encoder.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise FitError(f"{run} is not a finished training run: {error}") from error
    return model, Preprocessing.from_dict(preprocessing)


def read_provenance(runs: Sequence[Path]) -> dict[str, Any]:
    """What training runs and bundles say of their making, for the next bundle.

    "training" has a list with the description of every network, in order. Raises
    `FitError` when a run's description cannot be read.
    """
    training = [description for run in runs for description in _descriptions(run)]
    return {"training": training} if training else {}


def _descriptions(run: Path) -> list[Any]:
    if (run / "manifest.json").exists():
        made = Bundle.load(run).provenance.get("training", [])
        return made if isinstance(made, list) else [made]
    try:
        return [json.loads((run / "config.json").read_text("utf-8"))]
    except FileNotFoundError:
        return []  # an encoder from elsewhere
    except (OSError, ValueError) as error:
        raise FitError(f"{run / 'config.json'} cannot be read: {error}") from error
