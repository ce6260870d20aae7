"""Would the server gain from encoding several waiting photos in one batch?"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from benchmarks.photos import crops
from benchmarks.reporting import Report, Table, run_as_command
from benchmarks.sessions import bare_session, runs_of, side_by_side
from benchmarks.timing import Spread, Times, milliseconds, ratios, times_in_turns
from lablr.bundle import Bundle
from lablr.encoders.encoder import Preprocessing
from lablr.system.cpu import available_threads

METHOD = """\
{n_photos} images that lie ready are encoded as the server does it (one at a time, as
many at once as there are cores, one thread each) and in batches of N, one batch after
another, with one thread and with all {n_cores}. A photo that is encoded in a batch
waits for the whole batch; its wait is the time of one call, without the time until
the batch is full. A batch pays when it encodes clearly more photos a second."""

BATCH_SIZES = (1, 2, 4, 8)
PAYS = 1.1  # times the photos a second of today's way: less is lost in collecting


def measure(words: argparse.Namespace) -> Report:
    bundle = Bundle.load()
    preprocessing = Preprocessing.from_dict(bundle.preprocessing)
    n_cores, n_photos = available_threads(), 8 if words.quick else 16
    batch = np.stack(
        [image for image, _ in crops(max(BATCH_SIZES), preprocessing.size)]
    )
    ready = preprocessing.normalize(batch)
    today = f"1, {n_cores} at once"
    ways = {
        today: side_by_side(bundle.encoder_onnx, ready[:1], n_photos, n_cores),
    }
    # Photos that wait for one call of each way.
    n_of_call = {today: n_cores}
    for n_threads in sorted({1, n_cores}):
        session = bare_session(bundle.encoder_onnx, n_threads)
        for n in BATCH_SIZES:
            name = f"{n}, threads: {n_threads}"
            ways[name] = repeated(runs_of(session, ready[:n]), n_photos // n)
            n_of_call[name] = n
    times = times_in_turns(ways, *((1, 0) if words.quick else (20, 1)))
    rows = [
        [
            name,
            Spread.of(n_photos / own).text(1),
            milliseconds(own, n_photos // n_of_call[name]).text(1),
            ratios(times[today], own).text(),
        ]
        for name, own in times.items()
    ]
    return Report(
        title="Micro-batches in the server",
        method=METHOD.format(n_photos=n_photos, n_cores=n_cores),
        tables=[Table(("batch", "photos/s", "ms a call", "/ today's way"), rows)],
        findings=[answer(times, today)],
    )


def repeated(run: Callable[[], object], n_times: int) -> Callable[[], object]:
    """A call that calls `run` so many times."""

    def run_all() -> None:
        for _ in range(n_times):
            run()

    return run_all


def answer(times: dict[str, Times], today: str) -> str:
    """Yes or no, with the figure that decides."""
    gains = {
        name: ratios(times[today], own)
        for name, own in times.items()
        if not name.startswith("1,")
    }
    best = max(gains, key=lambda name: gains[name].median)
    says = f"the best batch ({best}) encodes {gains[best].text()} times as many photos"
    if gains[best].lower > PAYS:
        return f"**Yes**, batching pays: {says}."
    return f"**No**, batching does not pay: {says}, and each waits for all of them."


if __name__ == "__main__":
    run_as_command(measure)
