"""Why a tag: how long it takes to say where in a photo a tag was seen."""

from __future__ import annotations

import argparse

from benchmarks.photos import megapixel_jpegs
from benchmarks.reporting import Report, Table, Target, run_as_command
from benchmarks.timing import milliseconds, ratios, times_in_turns
from lablr.ranking.explanation import MAX_THREADS, explain
from lablr.ranking.saliency import N_PATCHES
from lablr.ranking.tagger import Tagger
from lablr.system.cpu import available_threads

METHOD = f"""\
One JPEG of 1280 x 854 pixels, from its bytes to the explanation of its first tag: how
typical it is, the nearest training photos with it and, where the row says so, where it
was seen. That is {N_PATCHES} encodings more, in {MAX_THREADS} threads, once for all
tags that are asked about. Beside it, what the photo's tags take."""


def measure(words: argparse.Namespace) -> Report:
    tagger = Tagger.load()
    jpeg = megapixel_jpegs()[0]
    tags = [score.tag for score in tagger.suggest(jpeg).tags]

    def say_why(n_tags: int, saliency: bool) -> None:
        explain(tagger, tagger.read(jpeg), tags[:n_tags], saliency)

    ways = {
        "a photo's tags": lambda: tagger.suggest(jpeg),
        "how typical, and what is near": lambda: say_why(1, False),
        "where one tag was seen": lambda: say_why(1, True),
        "where ten tags were seen": lambda: say_why(10, True),
    }
    times = times_in_turns(ways, 1 if words.quick else 20, n_warm_up=1)
    tag_times = times["a photo's tags"]
    rows = [
        [name, milliseconds(own).text(0), ratios(own, tag_times).text(1)]
        for name, own in times.items()
    ]
    seconds = milliseconds(times["where one tag was seen"]).median / 1000
    return Report(
        title="Why a tag",
        method=METHOD,
        tables=[Table(("what", "ms", "/ a photo's tags"), rows)],
        targets=[Target("where a tag was seen", 2.0, seconds, "s")],
        findings=[f"The process had {available_threads()} cores."],
    )


if __name__ == "__main__":
    run_as_command(measure)
