"""Weights of labels: the evidence of a missing tag, source by source.

A corpus is put together from sources that tag different things: a photo of one
source may show a beach and not say so, because nobody there tags beaches. So a
missing tag is full evidence against it only where the source uses that tag at
all; elsewhere it is worth `unknown`, between 0 (nothing) and 1 (as much).

The training loss weighs its terms by it, and each Gaussian's *rest* is gathered
with it, so one number says the same thing in both places.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def absence_weights(
    counts: npt.NDArray[np.floating], unknown: float
) -> npt.NDArray[np.float64]:
    """Return the weight of a missing tag in each source: (S, T).

    `counts` (S, T) are the photos of each source with each tag.
    """
    return np.where(counts > 0, 1.0, unknown)


def evidence(
    membership: npt.NDArray[np.bool_],
    sources: npt.NDArray[np.str_],
    unknown: float,
) -> npt.NDArray[np.float32]:
    """Return the weight (N, T) of each photo's evidence on each tag, 1 for its own.

    `membership` (N, T) is True where a photo has a tag, `sources` (N,) name the
    source of each photo.
    """
    names, source_of = np.unique(sources, return_inverse=True)
    in_source = source_of == np.arange(len(names))[:, None]
    counts = in_source.astype(np.float64) @ membership
    absent = absence_weights(counts, unknown)[source_of]
    return np.where(membership, 1.0, absent).astype(np.float32)
