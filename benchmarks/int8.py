"""The encoder in 8-bit integers against 32-bit floats: speed, size and tags."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.photos import crops
from benchmarks.reporting import Report, Table, run_as_command, say
from benchmarks.timing import milliseconds, ratios, times_in_turns
from lablr.bundle import Bundle
from lablr.corpus import Corpus
from lablr.encoders.encoder import Preprocessing
from lablr.encoders.quantization import quantized
from lablr.errors import PhotoError
from lablr.fitting.evaluate import evaluate_bundle
from lablr.fitting.metrics import Report as Evaluation
from lablr.photos import read_image
from lablr.ranking.tagger import Tagger

METHOD = """\
The encoder's convolutions in 8-bit integers (`lablr.encoders.quantization`), their
ranges taken from {n} {photos}. The Gaussians, their calibration and the map stay those
of the 32-bit encoder. Times are of one image, in turns."""

N_CALIBRATION = 200
FIGURES = {
    "macro_average_precision": "macro AP",
    "mean_average_precision": "image MAP",
    "precision_at_5": "P@5",
    "roc_auc": "ROC AUC",
    "calibration_error": "cal. error",
}
Images = list[npt.NDArray[np.uint8]]


def in_integers(bundle: Bundle, images: Images) -> Bundle:
    """The bundle with an encoder of 8-bit integers, its ranges taken from images."""
    preprocessing = Preprocessing.from_dict(bundle.preprocessing)
    inputs = (preprocessing.normalize(image[None]) for image in images)
    return dataclasses.replace(
        bundle, encoder_onnx=quantized(bundle.encoder_onnx, inputs)
    )


def of_corpus(
    corpus: Corpus, size: int, n_images: int
) -> Iterator[npt.NDArray[np.uint8]]:
    """Images of training photos, spread over the corpus."""
    photos = [photo for photo in corpus.photos() if photo.split == "train"]
    for photo in photos[:: max(1, len(photos) // n_images)][:n_images]:
        try:
            yield read_image(photo.path, size)
        except PhotoError as error:
            say(f"left out {photo.file}: {error}")


def agreement(fp32: Tagger, int8: Tagger, n_images: int) -> Table:
    """How far both agree on crops of photos they were not calibrated on."""
    images = np.stack([crop for crop, _ in crops(n_images, fp32.encoder.size, seed=1)])
    a, b = fp32.encode(images), int8.encode(images)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = np.sum(a * b, axis=1) / norms
    shared = [
        len({tag.tag for tag in one.tags} & {tag.tag for tag in other.tags}) / 5
        for one, other in zip(fp32.rank(a, 5), int8.rank(b, 5), strict=True)
    ]
    first = [
        one.tags[0].tag == other.tags[0].tag
        for one, other in zip(fp32.rank(a, 1), int8.rank(b, 1), strict=True)
    ]
    headings = (f"agreement on {n_images} crops", "mean", "worst")
    rows = [
        ["cosine of the latents", f"{cosine.mean():.4f}", f"{cosine.min():.4f}"],
        ["of the five best tags", f"{np.mean(shared):.3f}", f"{np.min(shared):.1f}"],
        ["of the best tag", f"{np.mean(first):.3f}", ""],
    ]
    return Table(headings, rows)


def quality(bundles: dict[str, Bundle], corpus: Corpus) -> Table:
    """The figures of each bundle on the corpus's validation photos, by source."""
    rows = []
    for name, bundle in bundles.items():
        say(f"evaluating {name}")
        rows += [
            [f"{name}, {report.source}", str(report.n_photos), *_figures(report)]
            for report in evaluate_bundle(bundle, corpus, cross_fit=True)
        ]
    return Table(("encoder, source", "photos", *FIGURES.values()), rows)


def _figures(report: Evaluation) -> list[str]:
    return [f"{getattr(report, field):.3f}" for field in FIGURES]


def measure(words: argparse.Namespace) -> Report:
    bundle = Bundle.load()
    fp32 = Tagger(bundle)
    size = fp32.encoder.size
    n_images = 8 if words.quick else N_CALIBRATION
    corpus = Corpus.open(words.corpus) if words.corpus else None
    if corpus:
        images = list(of_corpus(corpus, size, n_images))
    else:
        images = [crop for crop, _ in crops(n_images, size)]
    smaller = in_integers(bundle, images)
    int8 = Tagger(smaller)
    image = images[0][np.newaxis]
    times = times_in_turns(
        {"fp32": lambda: fp32.encode(image), "int8": lambda: int8.encode(image)},
        3 if words.quick else 100,
    )
    bundles = {"fp32": bundle, "int8": smaller}
    rows = [
        [
            name,
            milliseconds(own).text(),
            ratios(times["fp32"], own).text(),
            f"{len(bundles[name].encoder_onnx) / 1e6:.1f}",
        ]
        for name, own in times.items()
    ]
    tables = [
        Table(("encoder", "ms a photo", "times as fast", "MB"), rows),
        agreement(fp32, int8, 14 if words.quick else 210),
    ]
    if corpus:
        tables.append(quality(bundles, corpus))
    photos = "training photos of the corpus" if corpus else "crops of seven photos"
    return Report(
        title="8-bit integers",
        method=METHOD.format(n=len(images), photos=photos),
        tables=tables,
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--corpus", type=Path, help="tagged photos: compare the quality of the tags"
    )


if __name__ == "__main__":
    run_as_command(measure, add_arguments)
