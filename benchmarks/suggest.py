#!/usr/bin/env python3
"""How long suggesting takes: from a cold start, one photo, and many (``make bench``).

The photos are the two JPEGs that scikit-learn ships, 640 x 427 pixels. Each part
runs in a process of its own, so that nothing is warm that would be cold.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

N_PHOTOS = 200

COLD = """
import time
start = time.perf_counter()
from lablr import Tagger
tagger = Tagger.load()
loaded = time.perf_counter()
tagger.suggest(photos[0])
first = time.perf_counter()
figures = {"load the model (s)": loaded - start, "first photo (s)": first - loaded}
"""

ONE = """
import statistics, time
from lablr import Tagger
tagger = Tagger.load()
seconds = []
for photo in photos[:60]:
    start = time.perf_counter()
    tagger.suggest(photo)
    seconds.append(time.perf_counter() - start)
figures = {"one photo, median (s)": statistics.median(seconds),
           "one photo, slowest (s)": max(seconds)}
"""

MANY = """
import resource, time
from lablr import Tagger
tagger = Tagger.load()
start = time.perf_counter()
n_photos = sum(1 for _ in tagger.suggest_many(photos))
figures = {"many photos (photos/s)": n_photos / (time.perf_counter() - start),
           "memory at most (MB)":
           resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
"""


def photos() -> list[str]:
    """Return ``N_PHOTOS`` paths of real photos, two files in turn."""
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise SystemExit("scikit-learn, whose photos are used, is not installed")
    folder = Path(spec.origin).parent / "datasets" / "images"
    return [str(folder / name) for name in ("china.jpg", "flower.jpg")] * (
        N_PHOTOS // 2
    )


def measure(code: str) -> dict[str, float]:
    """Run ``code`` in a fresh interpreter and return its ``figures``."""
    program = f"photos = {photos()!r}\n{code}\nimport json; print(json.dumps(figures))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main() -> None:
    for code in (COLD, ONE, MANY):
        for name, figure in measure(code).items():
            print(f"{name:24} {figure:10.3f}")


if __name__ == "__main__":
    main()
