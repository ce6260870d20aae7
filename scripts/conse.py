#!/usr/bin/env python3
"""Make ConSE for a corpus's tags, judge it on validation, and keep it in a folder.

    scripts/conse.py CORPUS FOLDER [BACKBONE]

writes ``conse.onnx`` and ``conse.npz``; no photo of the corpus teaches it anything.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lablr.archive import pack_arrays
from lablr.conse_making import make_conse
from lablr.corpus import Corpus, membership
from lablr.evaluation import evaluate
from lablr.imagenet import SIZE
from lablr.photo_records import Photo
from lablr.photos import FOLDER_LIMITS, read_image
from lablr.text import SentenceEncoder

N_PHOTOS = 200  # show the network its ranges


def images_of(photos: list[Photo]) -> Iterator[NDArray[np.uint8]]:
    """Yield each photo as (S, S, 3)."""
    for photo in photos:
        yield read_image(photo.path, SIZE, FOLDER_LIMITS)


def main(corpus_path: str, folder: str, backbone: str = "efficientnet-lite0") -> None:
    corpus = Corpus.open(corpus_path)
    photos = list(corpus.photos())
    training = [photo for photo in photos if photo.split == "train"]
    some = training[:: max(1, len(training) // N_PHOTOS)][:N_PHOTOS]
    tags = sorted(corpus.tag_counts("train"))
    conse = make_conse(tags, backbone, SentenceEncoder.load(), images_of(some))
    Path(folder).mkdir(exist_ok=True)
    (Path(folder) / "conse.onnx").write_bytes(conse.network)
    arrays = pack_arrays(conse.to_arrays(), "conse.npz")
    (Path(folder) / "conse.npz").write_bytes(arrays)
    print(f"conse.onnx {len(conse.network):,} bytes, conse.npz {len(arrays):,}")
    judged = [photo for photo in photos if photo.split == "val"]
    scores = np.concatenate(
        [conse.logits(image[np.newaxis]) for image in images_of(judged)]
    )
    sources = [photo.source for photo in judged]
    for report in evaluate(membership(judged, tags), scores, None, sources):
        print(
            f"{report.source:10} {report.n_photos:5} photos: "
            f"macro AP {report.macro_average_precision:.3f}, "
            f"image MAP {report.mean_average_precision:.3f}, "
            f"P@5 {report.precision_at_5:.3f}"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
