"""Photos as a head sees them, drawn around their tags; and small word vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lablr.training.heads.inputs import HeadPhotos

TAGS = ("beach", "cat", "dog", "sea", "snow")
P = 12


def drawn_photos(n_photos: int = 400, seed: int = 0, noise: float = 0.4) -> HeadPhotos:
    """Photos with one or two tags of `TAGS`; a tag adds its own direction to x.

    "sea" comes with "beach" nearly always, as in life.
    """
    generator = np.random.default_rng(seed)
    directions = np.random.default_rng(42).normal(size=(len(TAGS), P))
    directions[3] = directions[0] + 0.6 * directions[3]
    membership = np.zeros((n_photos, len(TAGS)), bool)
    membership[np.arange(n_photos), generator.integers(0, len(TAGS), n_photos)] = True
    membership[:, 3] |= membership[:, 0] & (generator.random(n_photos) < 0.8)
    x = 5 + membership @ directions
    views = x[:, None] + noise * generator.normal(size=(n_photos, 2, P))
    views[:, :, -1] = 7  # never varies
    rows = np.arange(n_photos)
    return HeadPhotos(
        views=views.astype(np.float32),
        membership=membership,
        evidence=np.ones(membership.shape, np.float32),
        sources=np.where(rows % 2, "flickr", "scenes"),
        train_rows=rows[rows % 4 != 0],
        validation_rows=rows[rows % 4 == 0],
        tags=TAGS,
    )


def write_vectors(path: Path) -> Path:
    """Vectors of 8 numbers, as GloVe's, of `TAGS` and other words."""
    generator = np.random.default_rng(1)
    vectors = {tag: generator.normal(size=8) for tag in (*TAGS, "a", "photo", "of")}
    vectors["sea"] = vectors["beach"] + 0.2 * vectors["sea"]
    lines = [" ".join([word, *(f"{n:.5f}" for n in v)]) for word, v in vectors.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
