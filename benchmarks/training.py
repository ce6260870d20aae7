"""Photos a second in training, and how much of a step is the network's."""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.photos import write_corpus
from benchmarks.reporting import Report, Table, run_as_command, say
from benchmarks.timing import Spread
from lablr.corpus import Corpus
from lablr.training.run import TrainingConfig
from lablr.training.train import train
from lablr.training.vae import VAEConfig

METHOD = """\
A few steps of the real `lablr.training.train.train` on {n_train} crops of the photos
that scikit-learn and scikit-image ship, on all cores. A step takes a batch (crops,
flips, colours, tags) and then descends once. The ratio is the whole step over its
second half: 1 would be a step that never waits for its photos. The first step of each
epoch, which
warms up, is left out."""

T = TypeVar("T")


@dataclass
class Steps:
    """A `Progress` that takes the time of each training step, in its two halves."""

    waiting_s: list[float] = field(default_factory=list)
    descending_s: list[float] = field(default_factory=list)

    def __call__(
        self, items: Iterable[T], total: int | None, label: str
    ) -> Iterable[T]:
        return self._timed(items) if label.startswith("epoch") else items

    def _timed(self, items: Iterable[T]) -> Iterator[T]:
        remaining = iter(items)
        n_steps = 0
        while True:
            start = time.perf_counter()
            try:
                item = next(remaining)
            except StopIteration:
                return
            ready = time.perf_counter()
            yield item
            if n_steps:
                self.waiting_s.append(ready - start)
                self.descending_s.append(time.perf_counter() - ready)
            n_steps += 1


def row(
    name: str, vae: VAEConfig, config: TrainingConfig, corpus: Corpus, folder: Path
) -> list[str]:
    """Train, and lay out what the steps took."""
    say(f"training {name}")
    steps = Steps()
    train(corpus, folder / name, vae, config, progress=steps)
    waiting, descending = np.array(steps.waiting_s), np.array(steps.descending_s)
    whole = waiting + descending
    return [
        name,
        str(len(whole)),
        Spread.of(config.batch_size / whole).text(1),
        Spread.of(whole / descending).text(),
    ]


def measure(words: argparse.Namespace) -> Report:
    logging.disable(logging.WARNING)  # so few photos carry a tag
    n_train, batch_size = (32, 8) if words.quick else (480, 48)
    epochs = 1 if words.quick else 2
    config = TrainingConfig(epochs=epochs, batch_size=batch_size, train_size=192)
    whole_size = TrainingConfig(epochs=epochs, batch_size=batch_size)
    runs = {
        "scratch VAE, 128 px": (VAEConfig.scratch(), whole_size),
        "seed VAE, 128 px": (VAEConfig.seed(), whole_size),
        "EfficientNet-Lite2, heads": (VAEConfig(n_frozen=-1), whole_size),
        "EfficientNet-Lite2, fine-tuned at 192 px": (VAEConfig(), config),
    }
    if words.quick:
        runs = {name: runs[name] for name in ("scratch VAE, 128 px",)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_corpus(folder, n_train, n_train // 8, 256)
        corpus = Corpus.open(folder)
        rows = [
            row(name, vae, config, corpus, folder / "runs")
            for name, (vae, config) in runs.items()
        ]
    headings = ("network", "steps", "photos/s", "step / descending")
    return Report(
        title="Training",
        method=METHOD.format(n_train=n_train),
        tables=[Table(headings, rows)],
    )


if __name__ == "__main__":
    run_as_command(measure)
