"""The nearest of many vectors, exact up to `EXACT_UP_TO` and approximate beyond.

Up to that number every cosine is computed. Above, a graph of neighbours is kept
beside the index (HNSW: Malkov and Yashunin, IEEE PAMI 42(4), 2020) by the
package usearch, in that library's own format, which holds numbers and no code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from lablr.errors import IndexFolderError, MissingExtra

EXACT_UP_TO = 100_000
# Links of a vector, and candidates kept while adding and while searching.
CONNECTIVITY = 32
EXPANSION_ADD = 200
EXPANSION_SEARCH = 256

Floats = npt.NDArray[np.float64]


class Graph:
    """A graph over unit vectors (N, p) that finds the nearest of one.

    Raises `MissingExtra` without the package usearch.
    """

    def __init__(self, n_dimensions: int) -> None:
        try:
            from usearch.index import Index
        except ImportError as error:
            raise MissingExtra(
                "search", f"search more than {EXACT_UP_TO:,} photos"
            ) from error
        self._index: Any = Index(
            ndim=n_dimensions,
            metric="ip",
            dtype="f16",
            connectivity=CONNECTIVITY,
            expansion_add=EXPANSION_ADD,
            expansion_search=EXPANSION_SEARCH,
        )

    @classmethod
    def of(cls, vectors: npt.NDArray[np.floating]) -> Graph:
        """Build the graph of vectors (N, p); minutes for a million."""
        graph = cls(vectors.shape[1])
        graph._index.add(np.arange(len(vectors)), np.asarray(vectors, np.float16))
        return graph

    @classmethod
    def read(cls, path: Path, n_photos: int, n_dimensions: int) -> Graph:
        """Map a graph file; raises `IndexFolderError` for any other file."""
        graph = cls(n_dimensions)
        try:
            graph._index.view(str(path))
        except Exception as error:  # usearch's errors share no other base
            raise IndexFolderError(f"{path} cannot be read: {error}") from error
        if len(graph._index) != n_photos or graph._index.ndim != n_dimensions:
            raise IndexFolderError(f"{path} is of other photos; build the index again")
        return graph

    def write(self, file: BinaryIO) -> None:
        """Write the graph to a file."""
        file.write(self._index.save())

    def nearest(
        self, vector: npt.NDArray[np.floating], k: int
    ) -> npt.NDArray[np.int64]:
        """Return about the `k` nearest to a unit vector (p,), nearest first."""
        found = self._index.search(np.asarray(vector, np.float16), k)
        return np.asarray(found.keys, np.int64)


def largest(numbers: Floats, k: int) -> npt.NDArray[np.int64]:
    """Return the places of the k largest (0: all), largest first, ties in order."""
    n = len(numbers)
    if 0 < k < n:
        # Everything at least as good as the k-th, so that ties stay in order.
        least = np.partition(numbers, n - k)[n - k]
        candidates = np.flatnonzero(numbers >= least)
    else:
        candidates = np.arange(n)
    order = candidates[np.argsort(-numbers[candidates], kind="stable")]
    return np.asarray(order[: k or None], np.int64)
