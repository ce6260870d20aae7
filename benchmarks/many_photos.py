"""Many photos: `Tagger.suggest_many` against the bare session at the same batch."""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.photos import crops, megapixel_jpegs, small_jpegs
from benchmarks.reporting import Report, Table, Target, run_as_command
from benchmarks.sessions import bare_session, runs_of, side_by_side
from benchmarks.timing import Spread, ratios, times_in_turns
from lablr.bundle import Bundle
from lablr.errors import PhotoError
from lablr.ranking.tagger import Tagger
from lablr.system.cpu import available_threads

METHOD = """\
`suggest_many` goes from JPEG bytes to ranked tags in batches of {batch_size}, decoding
one batch while it encodes another. The bare session encodes {batch_size} images that
lie ready, in one batch, with ONNX Runtime's default threads; it neither decodes nor
ranks. The third row is what decoding leaves room for: one session asked by
{n_threads} threads at once, one image at a time, which is how Lablr uses it."""

BATCH_SIZE = 16


def suggest_all(tagger: Tagger, jpegs: list[bytes]) -> None:
    for suggestion in tagger.suggest_many(jpegs, batch_size=BATCH_SIZE):
        if isinstance(suggestion, PhotoError):
            raise suggestion


def measure(words: argparse.Namespace) -> Report:
    bundle = Bundle.load()
    tagger = Tagger(bundle)
    n_threads = available_threads()
    n_photos = BATCH_SIZE * (1 if words.quick else 6)
    small, large = (
        list(jpegs) * (n_photos // len(jpegs))
        for jpegs in (small_jpegs(), megapixel_jpegs())
    )
    images = np.stack([image for image, _ in crops(BATCH_SIZE, tagger.encoder.size)])
    ready = tagger.encoder.preprocessing.normalize(images)
    run = runs_of(bare_session(bundle.encoder_onnx), ready)
    ways = {
        "`suggest_many`, 640 x 427": lambda: suggest_all(tagger, small),
        "bare session, a batch": lambda: [run() for _ in range(n_photos // BATCH_SIZE)],
        "bare sessions side by side": side_by_side(
            bundle.encoder_onnx, ready[:1], n_photos, n_threads
        ),
        "`suggest_many`, 1280 x 854": lambda: suggest_all(tagger, large),
    }
    times = times_in_turns(ways, *((1, 0) if words.quick else (12, 1)))
    bare = times["bare session, a batch"]
    rows = [
        [name, Spread.of(n_photos / own).text(1), ratios(bare, own).text()]
        for name, own in times.items()
    ]
    share = ratios(bare, times["`suggest_many`, 640 x 427"]).median
    return Report(
        title="Many photos",
        method=METHOD.format(batch_size=BATCH_SIZE, n_threads=n_threads),
        tables=[Table(("way", "photos/s", "of the bare session's"), rows)],
        targets=[Target("`suggest_many` / bare session", 0.8, share, at_most=False)],
    )


if __name__ == "__main__":
    run_as_command(measure)
