"""Whether a bundle that has learned tags a corpus's validation photos as well."""

from __future__ import annotations

import math

import numpy as np

from lablr.annotation.update.photos import Floats
from lablr.annotation.update.report import Comparison
from lablr.bundle import Bundle
from lablr.corpus import Corpus
from lablr.encoders.encoder import Encoder, Preprocessing
from lablr.encoders.encoding import EncodedPhotos, encode_corpus
from lablr.fitting.metrics import average_precision
from lablr.ranking.ranker import Ranker
from lablr.system.progress import Progress, silent

__all__ = ["judged_on_validation"]


def judged_on_validation(
    before: Bundle, after: Bundle, corpus: Corpus, progress: Progress = silent
) -> Comparison:
    """Macro AP over the tags that both bundles have and the split "val" shows.

    Raises `FitError` when the corpus has no validation photo that can be read.
    """
    tags = tuple(tag for tag in before.tags if tag in set(after.tags))
    encoder = Encoder(
        before.encoder_onnx, Preprocessing.from_dict(before.preprocessing)
    )
    photos = encode_corpus(
        corpus, encoder, splits=["val"], tags=tags, progress=progress
    )
    return Comparison.of(
        "macro AP of validation photos",
        _precisions(before, photos),
        _precisions(after, photos),
        higher_is_better=True,
    )


def _precisions(bundle: Bundle, photos: EncodedPhotos) -> Floats:
    """Average precision (T,) of each tag; nan of one that no photo has."""
    probability = Ranker(bundle).scores(photos.latents).probability
    columns = [bundle.tags.index(tag) for tag in photos.tags]
    found = [
        average_precision(right, score) if right.any() else math.nan
        for right, score in zip(
            photos.membership.T, probability[:, columns].T, strict=True
        )
    ]
    return np.array(found)
