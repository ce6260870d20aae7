"""`lablr label` on many JSON lines against the bare batched encoder."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from benchmarks.photos import crops, small_jpegs
from benchmarks.reporting import Report, Table, Target, run_as_command, say
from benchmarks.sessions import bare_session, runs_of, side_by_side
from benchmarks.timing import Spread, seconds_of
from lablr.bundle import Bundle
from lablr.encoders.encoder import Preprocessing
from lablr.system.cpu import available_threads

METHOD = """\
`lablr label lines.jsonl --out labels.csv`, as a process of its own, on {n_lines:,}
lines that name the same two JPEGs of 640 x 427 pixels over and over: reading, decoding,
encoding, ranking, the journal and the CSV. The bare session encodes {batch_size} images
that lie ready, in one batch, with ONNX Runtime's default threads, and does nothing
else; it is measured before and after, and the mean is taken. Rates leave out the start
of the process, which is measured on {batch_size} lines. Memory is the process's
resident set, sampled while it runs: the largest in the last quarter of the run over the
largest in the second; the first warms up. For reference, the README of the system that
`lablr label` descends from names about two images a second."""

BATCH_SIZE = 16
SEED_RATE = 2.0  # photos a second
SAMPLES_PER_S = 20


def write_lines(folder: Path, n_lines: int) -> Path:
    """Write JSON lines that repeat two photos."""
    photos = []
    for number, jpeg in enumerate(small_jpegs()):
        photo = folder / f"{number}.jpg"
        photo.write_bytes(jpeg)
        photos.append(str(photo))
    path = folder / f"{n_lines}.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(n_lines):
            line = {"id": number, "photo": photos[number % len(photos)]}
            file.write(json.dumps(line) + "\n")
    return path


class Run:
    """One run of the command: how long it took, and its memory while it ran."""

    def __init__(self, lines: Path) -> None:
        self.resident: list[int] = []
        out = lines.with_suffix(".csv")
        words = [sys.executable, "-m", "lablr", "label", str(lines), "--out", str(out)]
        start = time.perf_counter()
        with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
            sampler = threading.Thread(target=self._sample, args=(process,))
            sampler.start()
            process.wait()
            self.seconds = time.perf_counter() - start
            sampler.join()
        if process.returncode:
            raise SystemExit(f"lablr label failed with status {process.returncode}")
        with out.open("rb") as file:
            self.n_rows = sum(1 for _ in file) - 1

    def _sample(self, process: subprocess.Popen[bytes]) -> None:
        statm = Path(f"/proc/{process.pid}/statm")
        while process.poll() is None:
            try:
                pages = int(statm.read_text().split()[1])
            except (OSError, IndexError):
                return  # it has just ended, or this is not Linux
            self.resident.append(pages * resource.getpagesize())
            time.sleep(1 / SAMPLES_PER_S)

    def growth(self) -> float:
        """The largest resident set of the last quarter over that of the second."""
        quarters = np.array_split(np.array(self.resident, float), 4)
        if min(map(len, quarters)) == 0:
            return float("nan")
        return float(quarters[3].max() / quarters[1].max())


def bare_rates(bundle: Bundle, n_photos: int) -> dict[str, float]:
    """Photos a second of the bare session, in batches and one at a time abreast."""
    preprocessing = Preprocessing.from_dict(bundle.preprocessing)
    images = np.stack([image for image, _ in crops(BATCH_SIZE, preprocessing.size)])
    ready = preprocessing.normalize(images)
    batch = runs_of(bare_session(bundle.encoder_onnx), ready)
    abreast = side_by_side(
        bundle.encoder_onnx, ready[:1], n_photos, available_threads()
    )
    batch()

    def batches() -> None:
        for _ in range(n_photos // BATCH_SIZE):
            batch()

    return {
        "bare session, a batch": n_photos / seconds_of(batches),
        "bare sessions side by side": n_photos / seconds_of(abreast),
    }


def measure(words: argparse.Namespace) -> Report:
    n_lines = words.lines or (64 if words.quick else 10_000)
    n_bare = max(BATCH_SIZE, min(n_lines // 4, 960) // BATCH_SIZE * BATCH_SIZE)
    bundle = Bundle.load()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before = bare_rates(bundle, n_bare)
        start = Run(write_lines(folder, BATCH_SIZE))
        say(f"labelling {n_lines:,} lines")
        run = Run(write_lines(folder, n_lines))
        after = bare_rates(bundle, n_bare)
    rate = (run.n_rows - start.n_rows) / (run.seconds - start.seconds)
    bare = {name: Spread.of([before[name], after[name]]) for name in before}
    reference = bare["bare session, a batch"].median
    rows = [["`lablr label`", f"{rate:.1f}", f"{rate / reference:.2f}"]]
    rows += [
        [name, f"{own.median:.1f}", f"{own.median / reference:.2f}"]
        for name, own in bare.items()
    ]
    rows.append(["its ancestor's README", f"{SEED_RATE:.1f}", "-"])
    return Report(
        title="Labelling",
        method=METHOD.format(n_lines=n_lines, batch_size=BATCH_SIZE),
        tables=[
            Table(("way", "photos/s", "of the bare session's"), rows),
            Table(("`lablr label`", ""), _figures(run, start)),
        ],
        targets=[
            Target(
                "`lablr label` / bare session", 0.8, rate / reference, at_most=False
            ),
            Target("memory, last quarter / second", 1.1, run.growth()),
        ],
    )


def _figures(run: Run, start: Run) -> list[list[str]]:
    peak = max(run.resident, default=0) / 2**20
    return [
        ["rows written", f"{run.n_rows:,}"],
        ["seconds", f"{run.seconds:.1f}"],
        [f"seconds for {BATCH_SIZE} lines", f"{start.seconds:.1f}"],
        ["largest resident set, MiB", f"{peak:.0f}"],
        ["load before the end", f"{os.getloadavg()[0]:.1f}"],
    ]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lines", type=int, help="how many, instead of 10,000")


if __name__ == "__main__":
    run_as_command(measure, _add_arguments)
