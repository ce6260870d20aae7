"""One photo: Lablr against the plain way to write it, and against the first Lablr."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

import torch

from benchmarks.other_ways import PlainWay, SeedWay
from benchmarks.photos import megapixel_jpegs
from benchmarks.reporting import Report, Table, Target, run_as_command
from benchmarks.timing import milliseconds, ratios, times_in_turns
from lablr.bundle import Bundle
from lablr.figures.charts import (
    latent_map_figure,
    ranked_tags_figure,
    training_photos_figure,
)
from lablr.ranking.tagger import Tagger
from lablr.system.cpu import available_threads

METHOD = """\
The same JPEG of 1280 x 854 pixels. The plain way is what one would write in an
afternoon: Pillow decodes and resizes, the bundle's own network runs in eager PyTorch,
and a loop asks scikit-learn's `EmpiricalCovariance` of each tag for its distance (one
covariance a tag; Lablr's score takes two, the tag's and that of its rest). The first
Lablr ([its code](https://github.com/araskay/lablr)) scaled the whole photo to 128
pixels with scikit-image's `resize`, encoded it with a far smaller network, knew 45
labels and drew two pictures with matplotlib, the second with 4,500 dots; against it
stands also `suggest` with the page's three figures, which the server hands to the
browser as numbers. PyTorch takes as many threads as
there are cores, except where the row says one; Lablr takes two for a photo. Everything
is loaded and warm."""


class OurWay:
    """Lablr, alone and with what the page shows."""

    def __init__(self, bundle: Bundle, photo: bytes) -> None:
        self.tagger = Tagger(bundle)
        self.photo = photo

    def suggest(self) -> None:
        self.tagger.suggest(self.photo)

    def suggest_with_figures(self) -> str:
        """The page's answer: all tags ranked, and three figures as JSON."""
        suggestion = self.tagger.suggest(self.photo, k=0)
        plane, tags = self.tagger.latent_map, self.tagger.tags
        figures = (
            ranked_tags_figure(suggestion),
            latent_map_figure(plane, tags, suggestion),
            training_photos_figure(plane, tags, suggestion),
        )
        return json.dumps(figures)


def with_threads(n_threads: int, way: Callable[[], object]) -> Callable[[], object]:
    """The way with so many threads of PyTorch."""

    def run() -> None:
        torch.set_num_threads(n_threads)
        way()

    return run


def measure(words: argparse.Namespace) -> Report:
    bundle, photo = Bundle.load(), megapixel_jpegs()[0]
    ours, plain, seed = OurWay(bundle, photo), PlainWay(bundle), SeedWay()
    n_cores = available_threads()
    ways = {
        "`Tagger.suggest`": ours.suggest,
        "`Tagger.suggest` and the page's figures": ours.suggest_with_figures,
        "the plain way": with_threads(n_cores, lambda: plain.suggest(photo)),
        "the plain way, one thread": with_threads(1, lambda: plain.suggest(photo)),
        "the first Lablr": with_threads(n_cores, lambda: seed.suggest(photo)),
    }
    times = times_in_turns(ways, *((1, 0) if words.quick else (60, 1)))
    suggest, page, of_plain, of_plain_alone, of_seed = times.values()
    rows = [
        [
            name,
            milliseconds(own).text(1),
            ratios(own, suggest).text(),
            ratios(own, page).text(),
        ]
        for name, own in times.items()
    ]
    headings = ("way", "ms a photo", "/ `suggest`", "/ `suggest` and figures")
    promised = (("the plain way", 3, of_plain), ("the first Lablr", 20, of_seed))
    return Report(
        title="One photo, against other ways",
        method=METHOD,
        tables=[Table(headings, rows)],
        targets=[
            Target(
                f"{name} / `suggest`", least, ratios(own, suggest).median, "x", False
            )
            for name, least, own in promised
        ],
        findings=[
            "The plain way in one thread takes "
            f"{ratios(of_plain_alone, suggest).text()} times as long as `suggest`."
        ],
    )


if __name__ == "__main__":
    run_as_command(measure)
