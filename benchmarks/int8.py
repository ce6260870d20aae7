"""The encoder in 8-bit integers against 32-bit floats: speed, size and tags."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import onnx

from benchmarks.photos import crops
from benchmarks.reporting import Report, Table, run_as_command, say
from benchmarks.timing import milliseconds, ratios, times_in_turns
from lablr.bundle import Bundle
from lablr.corpus import Corpus
from lablr.evaluation import Report as Evaluation
from lablr.fitting import evaluate_bundle
from lablr.tagger import Tagger

METHOD = """\
The bundled encoder computes in 8-bit integers (`lablr fit --quantize`). {floats}
Times are of one image in one thread, in turns."""

SAME_WEIGHTS = """\
Against it stands the same graph without its roundings, so that it computes in 32-bit
floats; weights, Gaussians, calibration and map are the same."""
OWN_BUNDLE = """\
Against it stands a bundle fitted to the same encoder in 32-bit floats."""

FIGURES = {
    "macro_average_precision": "macro AP",
    "mean_average_precision": "image MAP",
    "precision_at_5": "P@5",
    "roc_auc": "ROC AUC",
    "calibration_error": "cal. error",
}


def in_floats(encoder_onnx: bytes) -> bytes:
    """The graph without the pairs of nodes that round what a layer is given."""
    model = onnx.load_from_string(encoder_onnx)
    made_by = {name: node for node in model.graph.node for name in node.output}
    whole = {
        node.output[0]: made_by[node.input[0]].input[0]
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in made_by
    }
    kept = [
        node
        for node in model.graph.node
        if node.op_type != "QuantizeLinear" and node.output[0] not in whole
    ]
    for node in kept:
        node.input[:] = [whole.get(name, name) for name in node.input]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return bytes(model.SerializeToString())


def agreement(fp32: Tagger, int8: Tagger, n_images: int) -> Table:
    """How far both agree on crops of photos."""
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
    floats = Bundle.load(words.floats) if words.floats else None
    if floats is None:
        model = in_floats(bundle.encoder_onnx)
        floats = dataclasses.replace(bundle, encoder_onnx=model)
    bundles = {"fp32": floats, "int8": bundle}
    fp32, int8 = Tagger(floats), Tagger(bundle)
    image = next(iter(crops(1, fp32.encoder.size)))[0][np.newaxis]
    times = times_in_turns(
        {"fp32": lambda: fp32.encode(image), "int8": lambda: int8.encode(image)},
        3 if words.quick else 100,
    )
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
    if words.corpus:
        tables.append(quality(bundles, Corpus.open(words.corpus)))
    compared = OWN_BUNDLE if words.floats else SAME_WEIGHTS
    return Report(
        title="8-bit integers", method=METHOD.format(floats=compared), tables=tables
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--corpus", type=Path, help="tagged photos: compare the quality of the tags"
    )
    parser.add_argument(
        "--floats", type=Path, help="a bundle of the same encoder in 32-bit floats"
    )


if __name__ == "__main__":
    run_as_command(measure, add_arguments)
