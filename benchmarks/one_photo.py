"""One photo: `Tagger.suggest` against decoding it and running the bare session."""

from __future__ import annotations

import argparse
import io

import numpy as np
from PIL import Image

from benchmarks.photos import megapixel_jpegs
from benchmarks.reporting import Report, Table, Target, run_as_command
from benchmarks.sessions import bare_session, runs_of, session_like_ours
from benchmarks.timing import milliseconds, ratios, times_in_turns
from lablr.bundle import Bundle
from lablr.ranking.tagger import Tagger

METHOD = """\
One JPEG of 1280 x 854 pixels, from its bytes in memory to ten tags, against Pillow
decoding the whole JPEG and ONNX Runtime encoding an image that lies ready: the two
things that cannot be left out. Everything else (the checks of the door, making the
image small, normalizing, ranking the tags) is what Lablr adds. Lablr's encoder computes
a photo that comes alone in two threads that sleep while they wait; the bare session has
the same settings, and, for comparison, ONNX Runtime's own: as many threads as cores,
which spin."""


class Photo:
    """The parts of one photo's way, each as a call."""

    def __init__(self) -> None:
        bundle = Bundle.load()
        self.tagger = Tagger(bundle)
        self.jpeg = megapixel_jpegs()[0]
        self.image = self.tagger.read(self.jpeg)
        self.latents = self.tagger.encode(self.image[np.newaxis])
        normalized = self.tagger.encoder.preprocessing.normalize(self.image[None])
        self.run = runs_of(session_like_ours(bundle.encoder_onnx), normalized)
        self.run_default = runs_of(bare_session(bundle.encoder_onnx), normalized)

    def suggest(self) -> None:
        self.tagger.suggest(self.jpeg)

    def decode(self) -> Image.Image:
        image: Image.Image = Image.open(io.BytesIO(self.jpeg))
        image.load()
        return image

    def decode_and_run(self) -> None:
        self.decode()
        self.run()

    def decode_resize_and_run(self) -> None:
        side = (self.tagger.encoder.size,) * 2
        small = self.decode().resize(side, Image.Resampling.BICUBIC)
        self.tagger.encoder.preprocessing.normalize(np.asarray(small)[None])
        self.run()

    def decode_and_run_default(self) -> None:
        self.decode()
        self.run_default()


def measure(words: argparse.Namespace) -> Report:
    photo = Photo()
    ways = {
        "`Tagger.suggest`": photo.suggest,
        "decode + bare session": photo.decode_and_run,
        "decode, resize, normalize + bare session": photo.decode_resize_and_run,
        "decode + bare session, its own settings": photo.decode_and_run_default,
    }
    stages = {
        "read (decode, orient, crop, resize)": lambda: photo.tagger.read(photo.jpeg),
        "encode": lambda: photo.tagger.encode(photo.image[np.newaxis]),
        "rank": lambda: photo.tagger.rank(photo.latents),
    }
    n_rounds = 3 if words.quick else 100
    times = times_in_turns(ways, n_rounds, n_warm_up=1 if words.quick else 10)
    of_stages = times_in_turns(stages, n_rounds)
    ours, bare, *_ = times.values()
    rows = [
        [name, milliseconds(own).text(), ratios(ours, own).text()]
        for name, own in times.items()
    ]
    parts = [[name, milliseconds(own).text()] for name, own in of_stages.items()]
    return Report(
        title="One photo",
        method=METHOD,
        tables=[
            Table(("way", "ms a photo", "`suggest` takes, times as long"), rows),
            Table(("stage of `suggest`", "ms"), parts),
        ],
        targets=[
            Target(
                "`suggest` / (decode + bare session)", 1.25, ratios(ours, bare).median
            )
        ],
    )


if __name__ == "__main__":
    run_as_command(measure)
