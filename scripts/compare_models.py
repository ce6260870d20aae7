"""Rankings side by side on the validation photos, as the table of the model card.

    python scripts/compare_models.py CORPUS --seed-run runs/seed \\
        --run "scratch VAE=runs/scratch" --main "fine-tuned VAE=runs/tuned"

Each ``--run`` gives one row, its latents ranked as Lablr does. The ``--main`` run is
ranked in every other way too. ``--seed-run`` is ranked as the first Lablr did:
sampled latents, one empirical covariance per tag, squared Mahalanobis distance.
Encoding takes minutes a run and is kept in the run's folder. With ``--min-photos``
macro AP leaves out the tags with fewer training photos in their source.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lablr.cli.report import progress_bar
from lablr.corpus import Corpus
from lablr.encoders.encoder import Encoder
from lablr.encoders.encoding import EncodedPhotos, encode_corpus
from lablr.encoders.source import read_encoder
from lablr.fitting.fit import FitConfig, fit_encoded
from lablr.fitting.metrics import evaluate
from lablr.latent_space.calibration import Calibration
from lablr.latent_space.gaussians import GaussianStatistics, TagGaussians
from lablr.ranking.tagger import Ranker

Array = npt.NDArray[np.floating]
Row = tuple[str, Array]

N_NEIGHBOURS = 50


class SamplingEncoder(Encoder):
    """Gives a sample of the posterior where Lablr takes its mean."""

    _noise = np.random.default_rng(0)

    def encode(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Samples (N, d) of the posteriors of uint8 images (N, S, S, 3)."""
        mean, log_variance = self.posterior(images)
        noise = self._noise.standard_normal(mean.shape)
        return (mean + np.exp(log_variance / 2) * noise).astype(np.float32)


def main() -> None:
    arguments = _arguments()
    corpus = Corpus.open(arguments.corpus)
    min_photos = arguments.min_photos
    print("| ranking | flickr8k macro AP | image MAP | P@5 | R@5 of the others |")
    print("|---|---|---|---|---|")
    if arguments.seed_run:
        photos = _encode(corpus, arguments.seed_run, sample=True)
        scores = -_plain_mahalanobis(photos)
        _print(photos, "the first Lablr's whole recipe", scores, min_photos)
    for name, run in arguments.run:
        photos = _encode(corpus, run)
        _print(photos, name, _tag_versus_rest(photos), min_photos)
    name, run = arguments.main
    photos = _encode(corpus, run)
    for label, scores in _every_ranking(photos):
        _print(photos, f"{name}: {label}", scores, min_photos)


def _every_ranking(photos: EncodedPhotos) -> Iterator[Row]:
    validation = photos.is_validation
    frequency = photos.membership[~validation].mean(axis=0)
    yield "tag frequency", np.tile(frequency, (int(validation.sum()), 1))
    yield "empirical covariance, Mahalanobis", -_plain_mahalanobis(photos)
    tied = _gaussians(photos, shrinkage=1e9)
    latents = photos.latents[validation]
    yield "tied covariance, Mahalanobis", -tied.squared_mahalanobis(latents)
    prior = np.log(tied.n_photos_)
    density = -0.5 * tied.squared_mahalanobis(latents)
    yield "tied covariance, log-likelihood + log prior", density + prior
    yield "linear probe", _linear_probe(photos)
    yield f"{N_NEIGHBOURS} nearest neighbours", _neighbours(photos)
    for shrinkage in (10.0, 100.0, 1000.0, 10_000.0):
        gaussians = _gaussians(photos, shrinkage)
        ratio = gaussians.log_likelihood_ratio(latents)
        calibrated = Calibration.fit(ratio, photos.membership[validation])
        yield f"tag versus rest, nu={shrinkage:g}, not calibrated", ratio
        yield f"tag versus rest, nu={shrinkage:g}", calibrated.probability(ratio)


def _tag_versus_rest(photos: EncodedPhotos) -> Array:
    bundle = fit_encoded(
        photos,
        FitConfig(),
        encoder_onnx=b"",
        preprocessing={},
        model_card="",
        provenance={},
    )
    return Ranker(bundle).scores(photos.latents[photos.is_validation]).probability


def _gaussians(photos: EncodedPhotos, shrinkage: float) -> TagGaussians:
    train = ~photos.is_validation
    statistics = GaussianStatistics.of(
        photos.latents[train],
        photos.membership[train],
        photos.sources[train],
        photos.tags,
    )
    config = FitConfig()
    absence = statistics.absence(config.unknown_weight)
    return TagGaussians(statistics, absence, shrinkage, config.ridge)


def _plain_mahalanobis(photos: EncodedPhotos) -> Array:
    """One empirical covariance per tag, inverted as well as it can be: (N, T)."""
    train, latents = ~photos.is_validation, photos.latents[photos.is_validation]
    columns = []
    for members in photos.membership[train].T:
        own = photos.latents[train][members].astype(np.float64)
        precision_matrix = np.linalg.pinv(np.cov(own, rowvar=False), hermitian=True)
        centred = latents - own.mean(axis=0)
        columns.append(np.einsum("ni,ij,nj->n", centred, precision_matrix, centred))
    return np.stack(columns, axis=1)


def _linear_probe(photos: EncodedPhotos) -> Array:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    train = ~photos.is_validation
    scaled = StandardScaler().fit(photos.latents[train]).transform(photos.latents)
    columns = [
        LogisticRegression(C=0.01, max_iter=500)
        .fit(scaled[train], members)
        .decision_function(scaled[~train])
        for members in photos.membership[train].T
    ]
    logits = np.stack(columns, axis=1)
    return Calibration.fit(logits, photos.membership[~train]).probability(logits)


def _neighbours(photos: EncodedPhotos) -> Array:
    from sklearn.neighbors import NearestNeighbors

    train = ~photos.is_validation
    unit = photos.latents / np.linalg.norm(photos.latents, axis=1, keepdims=True)
    index = NearestNeighbors(n_neighbors=N_NEIGHBOURS).fit(unit[train])
    nearest = index.kneighbors(unit[~train], return_distance=False)
    return photos.membership[train][nearest].mean(axis=1)


def _encode(corpus: Corpus, run: Path, sample: bool = False) -> EncodedPhotos:
    encoder = (SamplingEncoder if sample else Encoder)(*read_encoder(run))
    kept = run / ("sampled.npz" if sample else "latents.npz")
    if not kept.exists():
        photos = encode_corpus(corpus, encoder, progress=progress_bar)
        np.savez(kept, **vars(photos) | {"mirrored": np.zeros(0)})
    arrays = dict(np.load(kept))
    # Latents kept before files were named serve as well: nothing here needs names.
    arrays.setdefault("files", np.arange(len(arrays["latents"])).astype(str))
    arrays |= {"mirrored": None, "tags": tuple(map(str, arrays["tags"]))}
    arrays["left_out"] = ()
    return EncodedPhotos(**arrays)


def _print(photos: EncodedPhotos, name: str, scores: Array, min_photos: int) -> None:
    validation = photos.is_validation
    counted = {"all": photos.membership[~validation].sum(axis=0) >= min_photos}
    for source in set(photos.sources.tolist()):
        seen = photos.membership[~validation & (photos.sources == source)]
        counted[source] = seen.sum(axis=0) >= min_photos
    reports = evaluate(
        photos.membership[validation],
        scores,
        None,
        photos.sources[validation].tolist(),
        counted,
    )
    by_source = {report.source: report for report in reports}
    flickr = by_source["flickr8k"]
    others = ", ".join(
        f"{name} {report.recall_at_5:.2f}"
        for name, report in by_source.items()
        if name not in {"flickr8k", "all"}
    )
    print(
        f"| {name} | {flickr.macro_average_precision:.3f} "
        f"| {flickr.mean_average_precision:.3f} | {flickr.precision_at_5:.3f} "
        f"| {others} |",
        flush=True,
    )


def _named_run(text: str) -> tuple[str, Path]:
    name, _, path = text.rpartition("=")
    return name, Path(path)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=sys.modules[__name__].__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--seed-run", type=Path)
    parser.add_argument("--run", type=_named_run, action="append", default=[])
    parser.add_argument("--min-photos", type=int, default=0)
    parser.add_argument("--main", type=_named_run, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
