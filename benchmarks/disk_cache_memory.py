"""Peak memory of training from disk, on a corpus and on the same listed four times."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.photos import write_corpus
from benchmarks.reporting import Report, Table, Target, run_as_command, say
from lablr.corpus import Corpus

METHOD = """\
`lablr.training.train.train` in a process of its own, whose peak resident memory the
system tells (`ru_maxrss`), decoding {n} photos and then the same under four names
({n4}) at {size} px; of the epoch after that, {n_steps} steps and as many batches for
validation. EfficientNet-Lite0, batches of 48. *Images* fine-tunes; *features* freezes
the network, runs it over every photo twice and keeps what it saw; both with `--cache
disk`. The last
row reads the images at once (`--cache memory`), to compare with."""

ROOT = Path(__file__).parent.parent
N_STEPS = 8
BOUND = 1.1

# Run without any of the parent's memory: what it imports is its own.
TRAIN = f"""
import json, resource, sys
from itertools import islice
from pathlib import Path
from lablr.corpus import Corpus
from lablr.training.train import train
from lablr.training.run import TrainingConfig
from lablr.training.vae import VAEConfig

def few(items, total, label):
    short = label.startswith(("epoch", "validation"))
    return islice(items, {N_STEPS}) if short else items

corpus, folder, size, n_frozen, cache = sys.argv[1:]
vae = VAEConfig(
    backbone="efficientnet-lite0", image_size=int(size), n_frozen=int(n_frozen)
)
train(
    Corpus.open(corpus), Path(folder), vae, TrainingConfig(epochs=1),
    cache=cache, cache_folder=Path(corpus + ".cache"), device="cpu", progress=few,
)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps(peak / (2**20 if sys.platform == "darwin" else 2**10)))
"""

# Row -> stages that do not learn, and the cache mode.
KINDS = {
    "images, disk": ("6", "disk"),
    "features, disk": ("-1", "disk"),
    "images, memory": ("6", "memory"),
}


def list_anew(corpus: Corpus, folder: Path) -> tuple[int, Path, Path]:
    """List the photos once and under four names each, as links to one copy.

    Returns how many there are and the two lists.
    """
    (folder / "photos").mkdir()
    once, four = folder / "once.jsonl", folder / "four.jsonl"
    n_photos = 0
    with once.open("w") as one_list, four.open("w") as four_list:
        for photo in corpus.photos():
            names = [f"photos/{n_photos:07}-{copy}.jpg" for copy in range(4)]
            link(photo.path, folder / names[0])
            for name in names[1:]:
                os.link(folder / names[0], folder / name)
            lines = [
                json.dumps(
                    {"file": name, "tags": list(photo.tags), "split": photo.split}
                )
                for name in names
            ]
            one_list.write(lines[0] + "\n")
            four_list.write("\n".join(lines) + "\n")
            n_photos += 1
    return n_photos, once, four


def link(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it to another disk."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def peak_mib(listed: Path, folder: Path, size: int, kind: str) -> float:
    """Train in another process; its peak resident memory in MiB."""
    say(f"{kind}: {listed.stem}")
    words = [listed, folder, size, *KINDS[kind]]
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    return float(json.loads(done.stdout))


def peaks(
    lists: tuple[Path, Path], folder: Path, size: int
) -> Iterator[tuple[str, float, float]]:
    """Of each kind, the peaks of the corpus and of it four times."""
    for number, kind in enumerate(KINDS):
        once, four = (
            peak_mib(listed, folder / f"{listed.stem}-{number}", size, kind)
            for listed in lists
        )
        yield kind, once, four


def measure(words: argparse.Namespace) -> Report:
    size = words.size or (32 if words.quick else 64)
    with tempfile.TemporaryDirectory(dir=words.folder) as name:
        folder = Path(name)
        if words.corpus:
            corpus = Corpus.open(words.corpus)
        else:
            made = folder / "made"
            made.mkdir()
            write_corpus(made, *((40, 8) if words.quick else (900, 100)), side=256)
            corpus = Corpus.open(made)
        n_photos, *lists = list_anew(corpus, folder)
        found = list(peaks((lists[0], lists[1]), folder, size))
    rows = [
        [kind, f"{once:.0f}", f"{four:.0f}", f"{four / once:.3f}"]
        for kind, once, four in found
    ]
    headings = ("cache", f"MiB, {n_photos:,}", f"MiB, {4 * n_photos:,}", "ratio")
    return Report(
        title="Memory of training from disk",
        method=METHOD.format(
            n=f"{n_photos:,}", n4=f"{4 * n_photos:,}", size=size, n_steps=N_STEPS
        ),
        tables=[Table(headings, rows)],
        targets=[
            Target(f"peak memory, four times the photos: {kind}", BOUND, four / once)
            for kind, once, four in found
            if kind.endswith("disk")
        ],
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", type=Path, help="tagged photos to train on")
    parser.add_argument("--size", type=int, help="side of the images, in pixels")
    parser.add_argument(
        "--folder", type=Path, help="where a copy of the photos and the caches may lie"
    )


if __name__ == "__main__":
    run_as_command(measure, add_arguments)
