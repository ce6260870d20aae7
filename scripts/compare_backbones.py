#!/usr/bin/env python3
"""Backbones as they are, side by side: a classifier on what each says of the photos.

    python scripts/compare_backbones.py CORPUS --out runs/backbones

Each becomes a run of ``lablr train --method classifier --backbone NAME`` under
``--out``, which takes minutes; one that is there is read and not made again. A row
says "weights not here" where a net's weights are neither on this machine nor to be
had. The accuracy is that of a threshold of .5 over all pairs of a photo and a tag, as
the first taggers counted, beside that of never suggesting anything.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from lablr.cli.report import progress_bar
from lablr.corpus import Corpus
from lablr.errors import TrainingError
from lablr.training.heads.frozen import Frozen
from lablr.training.heads.run import train_head
from lablr.training.heads.settings import ClassifierConfig

BACKBONES = (
    "efficientnet-lite0",
    "efficientnet-lite1",
    "efficientnet-lite2",
    "vgg16",
    "inception_v3",
    "resnet50",
    "mobilenet_v2",
    "mobilenet_v3_large",
)


def main() -> None:
    arguments = _arguments()
    corpus = Corpus.open(arguments.corpus)
    config = ClassifierConfig()
    print("| backbone | macro AP | image MAP | P@5 | accuracy | of no tag |")
    print("|---|---|---|---|---|---|")
    for name in arguments.backbone or BACKBONES:
        run = arguments.out / name
        frozen = Frozen(name, arguments.image_size, pretrained=not arguments.random)
        cache = arguments.cache_folder or arguments.out / "cache"
        try:
            if not (run / "config.json").exists():
                train_head(
                    corpus,
                    run,
                    config,
                    frozen=frozen,
                    cache_folder=cache,
                    progress=progress_bar,
                )
            print(_row(name, run, arguments.source), flush=True)
        except TrainingError as error:
            if "cannot be had" not in str(error):
                raise
            print(f"| {name} | weights not here | | | | |", flush=True)


def _row(name: str, run: Path, source: str) -> str:
    found = json.loads((run / "config.json").read_text("utf-8"))["validation"]
    by_source = {figures["source"]: figures for figures in found}
    figures = by_source[source]
    keys = (
        "macro_average_precision",
        "mean_average_precision",
        "precision_at_5",
        "accuracy",
        "accuracy_of_none",
    )
    return " | ".join([f"| {name}", *(f"{figures[key]:.3f}" for key in keys)]) + " |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=sys.modules[__name__].__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--backbone", action="append", help="instead of all")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--source", default="all", help="of the photos that are judged")
    parser.add_argument("--cache-folder", type=Path)
    parser.add_argument("--random", action="store_true", help="weights, for a try")
    return parser.parse_args()


if __name__ == "__main__":
    main()
