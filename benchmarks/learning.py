"""Learning from simulated judgements: what 500 judged photos are worth.

Tagged photos are encoded first, which takes minutes::

    python -m benchmarks.learning --corpus CORPUS
    python -m benchmarks.learning --corpus CORPUS --keep FILE.npz
    python -m benchmarks.learning --latents FILE.npz      # the same, quickly

Without photos, and with ``--quick``, on drawn latents.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.reporting import Report, Table, Target, run_as_command, say
from lablr.annotation import open_database
from lablr.annotation.consensus import read_consensus
from lablr.annotation.database.database import Database
from lablr.annotation.database.records import ModelRecord, StoredPhoto
from lablr.annotation.update.annotated_photos import AnnotatedPhotos
from lablr.annotation.update.learned_bundle import DEFAULT_WEIGHT, learn
from lablr.bundle import Bundle
from lablr.corpus import Corpus
from lablr.encoders.encoding import EncodedPhotos, encode_corpus
from lablr.fitting.fit import FitConfig, fit_encoded
from lablr.fitting.metrics import macro_average_precision
from lablr.ranking.tagger import Ranker, Tagger

METHOD = """\
{n_chosen} tags begin with {n_first} photos each: the corpus's training photos that have
one of them are left out, and {n_first} photos of its validation split take their place.
The encoder has learned from none of these, as it has not from judged ones. The
Gaussians are fitted anew to these {n_train:,} photos. The other validation photos are
parted by chance: {n_calibration} calibrate the bundle, {n_judged} are judged, and
{n_rest} judge the outcome and nothing else. A simulated person sees the bundle's first
{k} tags of a photo and answers by the photo's own: with one of three keys; or yes or no
to each; or that, and types the tags that were not shown. Where the photo's source never
uses a tag, nothing is said. Judgements go through a database (SQLite) and
`lablr.annotation.update`, as `lablr learn` does it. Macro AP is over the {n_chosen}
tags and the photos that judge; milliseconds are of reading the judgements and learning
from them, a
judged photo, in one thread, without encoding. Mean of {n_rounds} partings. {latents}"""

N_FIRST, N_CHOSEN, K = 10, 12, 5
N_JUDGED, N_CALIBRATION = 500, 300
MOST = 0.06  # share of the training photos that a chosen tag may have
WAYS = {
    "keys": "one of three keys",
    "each": "yes or no to each of five",
    "typed": "yes or no to each, others typed",
}
WEIGHTS = {"keys": (1.0, 3.0), "each": (1.0, 3.0, 10.0), "typed": (1.0, 3.0)}
ARRAYS = ("latents", "mirrored", "membership", "files", "sources", "is_validation")
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """Rows of the photos: what the bundle is fitted to, who is judged, who judges."""

    train: Ints
    calibration: Ints
    judged: Ints
    rest: Ints


@dataclass(frozen=True)
class Outcome:
    """Macro AP of the chosen tags before and after, and milliseconds a judged photo."""

    before: float
    after: float
    others_before: float
    others_after: float
    n_decisions: float
    milliseconds: float


def choose_tags(photos: EncodedPhotos, n_tags: int) -> Ints:
    """Columns of tags with enough validation photos, and not too common, spread."""
    training = photos.membership[~photos.is_validation]
    n_validation = photos.membership[photos.is_validation].sum(axis=0)
    fit = n_validation >= 4 * N_FIRST
    fit &= training.sum(axis=0) <= MOST * len(training)
    ordered = np.flatnonzero(fit)[np.argsort(n_validation[fit], kind="stable")]
    spread = np.linspace(0, len(ordered) - 1, min(n_tags, len(ordered)))
    return ordered[spread.round().astype(np.int64)]


def part(photos: EncodedPhotos, chosen: Ints, n_judged: int, seed: int) -> Parts:
    """Give each chosen tag `N_FIRST` photos, and part the other validation photos."""
    rng = np.random.default_rng(seed)
    own = photos.membership[:, chosen]
    without = np.flatnonzero(~photos.is_validation & ~own.any(axis=1))
    validation = rng.permutation(np.flatnonzero(photos.is_validation))
    # Photos of one chosen tag alone, else some tags would begin with more.
    alone = validation[own[validation].sum(axis=1) == 1]
    first = [alone[own[alone, number]][:N_FIRST] for number in range(len(chosen))]
    left = validation[~np.isin(validation, np.concatenate(first))]
    n_calibration = n_judged * N_CALIBRATION // N_JUDGED
    parts = np.split(left, np.cumsum([n_calibration, n_judged]))
    return Parts(np.concatenate([without, *first]), *parts)


def without_rare(photos: EncodedPhotos, train: Ints) -> EncodedPhotos:
    """The photos without the tags of which too few training photos stay."""
    enough = photos.membership[train].sum(axis=0) >= 5
    return dataclasses.replace(
        photos,
        membership=photos.membership[:, enough],
        tags=tuple(np.array(photos.tags, object)[enough]),
    )


def fitted(photos: EncodedPhotos, parts: Parts, shrinkage: float) -> Bundle:
    """A bundle of the training photos that stay; it needs no encoder here."""
    rows = np.concatenate([parts.train, parts.calibration])
    return fit_encoded(
        dataclasses.replace(
            photos.rows(rows), is_validation=np.isin(rows, parts.calibration)
        ),
        FitConfig(shrinkage=shrinkage),
        encoder_onnx=b"",
        preprocessing={},
        model_card="",
        provenance={},
    )


def answer(way: str, shown: list[str], own: set[str], used: set[str]) -> dict[str, str]:
    """What a person says, tag by tag, who knows a photo's own tags."""
    if way == "keys":
        return {}
    decisions = {tag: "yes" if tag in own else "no" for tag in shown if tag in used}
    if way == "typed":
        decisions |= dict.fromkeys(sorted(own - set(shown)), "typed")
    return decisions


def judge(
    database: Database, way: str, bundle: Bundle, photos: EncodedPhotos, rows: Ints
) -> None:
    """Store what the bundle says of the photos, and what the person says of that."""
    tags = np.array(photos.tags)
    probability = Ranker(bundle).scores(photos.latents[rows]).probability
    order = np.argsort(-probability, axis=1, kind="stable")[:, :K]
    chances = np.take_along_axis(probability, order, axis=1)
    database.store_predictions(
        ModelRecord.of(bundle, "before"),
        (
            (
                StoredPhoto(str(row), str(row)),
                list(zip(tags[columns].tolist(), some.tolist(), strict=True)),
            )
            for row, columns, some in zip(rows, order, chances, strict=True)
        ),
    )
    database.add_rater("simulated")
    used = {
        source: set(tags[photos.membership[photos.sources == source].any(axis=0)])
        for source in set(photos.sources.tolist())
    }
    for row, columns in zip(rows, order, strict=True):
        shown, own = tags[columns].tolist(), set(tags[photos.membership[row]].tolist())
        said = answer(way, shown, own, used[str(photos.sources[row])])
        right = [tag in own for tag in shown]
        verdict = "one_of_k_right" if any(right) else "none_right"
        database.rate(
            "simulated", str(row), "top_right" if right[0] else verdict, said, k=K
        )


def precisions(
    bundle: Bundle, photos: EncodedPhotos, rows: Ints, chosen: list[str]
) -> tuple[float, float]:
    """Macro AP over some photos of the chosen tags, and of the others."""
    probability = Ranker(bundle).scores(photos.latents[rows]).probability
    probability = probability[:, [bundle.tags.index(tag) for tag in photos.tags]]
    is_chosen = np.isin(photos.tags, chosen)
    one, two = (
        macro_average_precision(photos.membership[rows][:, tags], probability[:, tags])
        for tags in (is_chosen, ~is_chosen)
    )
    return one, two


def one_round(
    photos: EncodedPhotos, shrinkage: float, n_judged: int, seed: int
) -> dict[tuple[str, float], Outcome]:
    """Every way of judging and weight, from one bundle that knows little."""
    columns = choose_tags(photos, N_CHOSEN)
    chosen = [photos.tags[column] for column in columns]
    parts = part(photos, columns, n_judged, seed)
    photos = without_rare(photos, parts.train)
    bundle = fitted(photos, parts, shrinkage)
    mirrored = np.asarray(photos.mirrored)
    before = precisions(bundle, photos, parts.rest, chosen)
    found = {}
    for way in WAYS:
        with tempfile.TemporaryDirectory() as folder:
            database = open_database(str(Path(folder) / "judgements.sqlite"))
            judge(database, way, bundle, photos, parts.judged)
            for weight in WEIGHTS[way]:
                say(f"round {seed}: {WAYS[way]}, weight {weight:g}")
                start = time.perf_counter()
                said = read_consensus(database)
                rows = np.array([int(one.photo) for one in said])
                judged = AnnotatedPhotos.of(said, photos.latents[rows], mirrored[rows])
                lesson = learn(bundle, judged, weight)
                seconds = time.perf_counter() - start
                after = precisions(lesson.bundle, photos, parts.rest, chosen)
                found[way, weight] = Outcome(
                    before[0],
                    after[0],
                    before[1],
                    after[1],
                    lesson.report.n_decisions,
                    1000 * seconds / len(rows),
                )
            database.close()
    return found


def mean_of(outcomes: list[Outcome]) -> Outcome:
    """The mean of each figure; of the times the median."""
    table = np.array([list(vars(outcome).values()) for outcome in outcomes])
    figures = [*table[:, :-1].mean(axis=0).tolist(), float(np.median(table[:, -1]))]
    return Outcome(*figures)


def encoded(words: argparse.Namespace) -> tuple[EncodedPhotos, float, str]:
    """The photos, the shrinkage to fit with, and a sentence on where they are from."""
    if words.quick or not (words.corpus or words.latents):
        return drawn(), 30.0, "The latents are drawn: name photos with --corpus."
    shrinkage = float(Bundle.load(words.bundle).settings["shrinkage"])
    if words.latents:
        with np.load(words.latents) as arrays:
            named: dict[str, Any] = {name: arrays[name] for name in ARRAYS}
            tags = tuple(arrays["tags"].tolist())
        photos = EncodedPhotos(**named, tags=tags)
        return photos, shrinkage, "The photos were encoded before."
    tagger = Tagger.load(words.bundle)
    start = time.perf_counter()
    photos = encode_corpus(
        Corpus.open(words.corpus), tagger.encoder, splits=("train", "val"), mirror=True
    )
    seconds = (time.perf_counter() - start) / len(photos.latents)
    if words.keep:
        kept = {name: getattr(photos, name) for name in ARRAYS}
        np.savez(words.keep, tags=np.array(photos.tags), **kept)
    return photos, shrinkage, f"Encoding took {1000 * seconds:.0f} ms a photo."


def drawn(n_photos: int = 2_400, d: int = 8) -> EncodedPhotos:
    """Photos in overlapping clusters, a third of them for validation."""
    rng = np.random.default_rng(0)
    share = np.concatenate([np.full(6, 0.045), np.linspace(0.1, 0.3, 8)])
    carries = rng.random((n_photos, len(share))) < share
    centres = 1.5 * rng.normal(size=(len(share), d))
    latents = carries @ centres + rng.normal(size=(n_photos, d))
    mirrored = latents + 0.1 * rng.normal(size=latents.shape)
    return EncodedPhotos(
        latents=latents.astype(np.float32),
        mirrored=mirrored.astype(np.float32),
        membership=carries,
        files=np.arange(n_photos).astype(np.str_),
        sources=np.full(n_photos, "drawn"),
        is_validation=np.arange(n_photos) % 2 == 0,
        tags=tuple(f"tag{number:02}" for number in range(len(share))),
    )


def measure(words: argparse.Namespace) -> Report:
    photos, shrinkage, latents = encoded(words)
    n_judged = 200 if words.quick else N_JUDGED
    n_rounds = 1 if words.quick else words.rounds
    rounds = [one_round(photos, shrinkage, n_judged, s) for s in range(n_rounds)]
    found = {key: mean_of([one[key] for one in rounds]) for key in rounds[0]}
    columns = choose_tags(photos, N_CHOSEN)
    parts = part(photos, columns, n_judged, 0)
    each = found["each", DEFAULT_WEIGHT]
    slowest = max(outcome.milliseconds for outcome in found.values())
    gain = f"macro AP gained by judging each tag, weight {DEFAULT_WEIGHT:g}"
    return Report(
        title="Learning from judgements",
        method=METHOD.format(
            n_chosen=len(columns),
            n_first=N_FIRST,
            n_train=len(parts.train),
            n_calibration=len(parts.calibration),
            n_judged=len(parts.judged),
            n_rest=len(parts.rest),
            k=K,
            n_rounds=n_rounds,
            latents=latents,
        ),
        tables=[table_of(found)],
        targets=[
            Target(gain, 0.0, each.after - each.before, "", at_most=False),
            Target("learning, a judged photo", 5, slowest, "ms"),
        ],
    )


def table_of(found: Mapping[tuple[str, float], Outcome]) -> Table:
    """One line per way of judging and weight."""
    headings = ["judged by", "weight", "decisions", "macro AP before", "after"]
    headings += ["other tags before", "after", "ms a photo"]
    rows = [
        [
            WAYS[way],
            f"{weight:g}",
            f"{o.n_decisions:,.0f}",
            *(f"{x:.3f}" for x in (o.before, o.after, o.others_before, o.others_after)),
            f"{o.milliseconds:.1f}",
        ]
        for (way, weight), o in found.items()
    ]
    return Table(headings, rows)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", type=Path, help="tagged photos")
    parser.add_argument("--bundle", type=Path, help="whose encoder to use")
    parser.add_argument("--latents", type=Path, help="what --keep wrote")
    parser.add_argument("--keep", type=Path, help="keep the latents in this file")
    parser.add_argument("--rounds", type=int, default=3, help="partings")


if __name__ == "__main__":
    run_as_command(measure, add_arguments)
