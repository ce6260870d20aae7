"""Start-up until ready, and resident memory before and after 100 photos."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from benchmarks.photos import megapixel_jpegs
from benchmarks.reporting import Report, Table, run_as_command
from benchmarks.server_process import (
    ROOT,
    Server,
    multipart_request,
    running_server,
)
from benchmarks.timing import Spread, ratios, times_in_turns

METHOD = """\
Fresh processes, the files in the system's cache. `lablr serve` counts from its start
to the first 200 of `/readyz`, `lablr suggest` from its start to its end with one photo
of 1280 x 854 pixels; the bare session is a Python process that imports NumPy, Pillow
and ONNX Runtime, loads the same encoder, decodes that photo and encodes it once.
Memory is the proportional set size of all the server's processes (pages that two of
them share count half for each), after the start and after {n_photos} such photos,
four at a time."""

BARE = """
import sys
import numpy as np, onnxruntime
from PIL import Image
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
shape = [1, *session.get_inputs()[0].shape[1:]]
image = Image.open(sys.argv[2]).convert("RGB").resize(shape[2:])
pixels = np.moveaxis(np.asarray(image, np.float32), -1, 0)[None] / 128 - 1
session.run(["posterior_mean"], {"image": np.ascontiguousarray(pixels)})
"""


def run(*words: str) -> None:
    subprocess.run(
        [sys.executable, *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )


def start_times(n_rounds: int, photo: Path, starts: list[float]) -> list[list[str]]:
    """Rows of the start-up table; the seconds until ready are added to `starts`."""

    def serve() -> None:
        with running_server() as server:
            starts.append(server.start_s)

    encoder = str(ROOT / "artifacts" / "encoder.onnx")
    ways = {
        "`lablr serve`, until ready": serve,
        "`lablr suggest PHOTO`": lambda: run("-m", "lablr", "suggest", str(photo)),
        "bare session": lambda: run("-c", BARE, encoder, str(photo)),
    }
    times = times_in_turns(ways, n_rounds)
    # Not with the time that stopping takes, and without the round that warms up.
    times["`lablr serve`, until ready"] = np.array(starts[-n_rounds:])
    return [
        [name, Spread.of(own).text(), ratios(own, times["bare session"]).text()]
        for name, own in times.items()
    ]


def memory(n_photos: int) -> list[list[str]]:
    """Rows of the memory table."""
    with running_server() as server:
        before = server.resident_mb()
        upload(server, n_photos)
        after = server.resident_mb()
        n_processes = len(server.pids())
    return [
        ["processes", str(n_processes)],
        ["MB after the start", f"{before:.0f}"],
        [f"MB after {n_photos} photos", f"{after:.0f}"],
        ["ratio", f"{after / before:.2f}"],
    ]


def upload(server: Server, n_photos: int, n_at_once: int = 4) -> None:
    """Send photos, so many at a time; every one must be answered with 200."""
    requests = [multipart_request(jpeg) for jpeg in megapixel_jpegs()]
    with ThreadPoolExecutor(n_at_once) as pool:
        answers = pool.map(server.post, islice(cycle(requests), n_photos))
        refused = set(answers) - {200}
    assert not refused, f"answered with {refused}"


def measure(words: argparse.Namespace) -> Report:
    n_photos = 4 if words.quick else 100
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.jpg"
        photo.write_bytes(megapixel_jpegs()[0])
        rows = start_times(1 if words.quick else 9, photo, [])
    return Report(
        title="Start-up and memory",
        method=METHOD.format(n_photos=n_photos),
        tables=[
            Table(("from a fresh process", "s", "/ bare session"), rows),
            Table(("the server's memory", ""), memory(n_photos)),
        ],
    )


if __name__ == "__main__":
    run_as_command(measure)
