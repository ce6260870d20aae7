"""Fitting: a photo's share of it, by threads and by Ray, and the memory it takes."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.photos import write_corpus
from benchmarks.reporting import Report, Table, Target, run_as_command
from benchmarks.timing import Spread, ratios, times_in_turns
from lablr.bundle import bundled_folder
from lablr.corpus import Corpus
from lablr.encoders.ray_engine import RayEngine
from lablr.encoders.source import read_encoder
from lablr.fitting.fit import FitConfig, fit
from lablr.system.cpu import available_threads

METHOD = """\
`lablr.fitting.fit.fit` with the bundled encoder on {n_photos} JPEGs of {side} x {side}
pixels, each encoded twice, once mirrored: from a corpus on disk (in the system's
cache) to a bundle, shrinkage chosen on validation. Core milliseconds are all
{n_threads} cores' for the time it takes. Ray runs on the same cores; its row has the
seconds in it in which Ray starts. Memory is the peak of a fresh process that fits in
threads, and again with every photo listed four times, under four names. Listing is
what reading the records costs, without their photos."""

SIDE = 640
COPIES = 4

# Run in a process of its own, which then has no other peak than this.
PEAK = """
import resource, sys
from benchmarks.fitting import fit_by
fit_by(None, sys.argv[1])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def fit_by(engine: RayEngine | None, folder: str | Path) -> None:
    """Fit as `lablr fit` does, by an engine or in threads."""
    model, preprocessing = read_encoder(bundled_folder())
    fit(Corpus.open(folder), model, preprocessing, FitConfig(), engine=engine)


def list_again(folder: Path, copied: Path) -> None:
    """Write a corpus that lists the training photos four times, by hard links."""
    lines = []
    for line in (folder / "photos.jsonl").read_text().splitlines():
        record = json.loads(line)
        for number in range(COPIES if record["split"] == "train" else 1):
            name = f"{number}-{record['file']}"
            os.link(folder / record["file"], copied / name)
            lines.append(json.dumps(record | {"file": name}) + "\n")
    (copied / "photos.jsonl").write_text("".join(lines))


def peak_bytes(folder: Path) -> int:
    """The most memory that a fit has resident at a time."""
    command = [sys.executable, "-c", PEAK, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout)


def listing_us(folder: Path) -> float:
    """Microseconds of reading one record."""
    start = time.perf_counter()
    n_records = Corpus.open(folder).count()
    return 1e6 * (time.perf_counter() - start) / n_records


def measure(words: argparse.Namespace) -> Report:
    n_train, n_val = (49, 14) if words.quick else (1050, 105)
    n_photos = n_train + n_val
    with tempfile.TemporaryDirectory() as name:
        once, again = Path(name, "once"), Path(name, "again")
        once.mkdir()
        again.mkdir()
        write_corpus(once, n_train, n_val, SIDE)
        list_again(once, again)
        ways = {
            "threads": lambda: fit_by(None, once),
            "Ray on this machine, with its start": lambda: fit_by(RayEngine(), once),
        }
        times = times_in_turns(ways, 1 if words.quick else 3, n_warm_up=0)
        peaks = [peak_bytes(folder) for folder in (once, again)]
        listing = listing_us(again)
    cores, local = available_threads(), times["threads"]
    rows = [
        [
            way,
            Spread.of(n_photos / own).text(1),
            Spread.of(1000 * cores * own / n_photos).text(1),
            ratios(own, local).text(),
        ]
        for way, own in times.items()
    ]
    headings = ("fit by", "photos/s", "core ms a photo", "times as long")
    ratio = peaks[1] / peaks[0]
    memory = [
        [f"{n_train:,}", f"{peaks[0] / 1e6:.0f}"],
        [f"{COPIES * n_train:,}", f"{peaks[1] / 1e6:.0f}"],
    ]
    return Report(
        title="Fitting",
        method=METHOD.format(n_photos=n_photos, side=SIDE, n_threads=cores),
        tables=[
            Table(headings, rows),
            Table(("training photos", "peak MB"), memory),
            Table(("records", "µs a record"), [["listing", f"{listing:.0f}"]]),
        ],
        targets=[Target("peak memory of a fit, 4 times the photos", 1.1, ratio)],
    )


if __name__ == "__main__":
    run_as_command(measure)
