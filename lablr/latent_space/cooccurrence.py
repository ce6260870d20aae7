"""Counts of photos that carry two tags together, by source: they add.

Of the T (T - 1) / 2 pairs of tags most never meet, so only those that do are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from lablr.errors import BundleError
from lablr.system.arrays import Arrays, Bools, Floats, Ints, Names


@dataclass(frozen=True, eq=False)
class Cooccurrence:
    """Photos that carry two tags, by source; M pairs that occur.

    Attributes
    ----------
    tags, sources : names, sorted.
    places : (M, 3) int64, the numbers of a source, a tag and a later tag, in order.
    n : (M,) photos.
    """

    tags: tuple[str, ...]
    sources: tuple[str, ...]
    places: Ints
    n: Floats

    @classmethod
    def of(
        cls, membership: Bools, sources: Names, tags: tuple[str, ...]
    ) -> Cooccurrence:
        """Count photos with membership (N, T) and sources (N,)."""
        names = tuple(sorted({str(source) for source in sources}))
        counts: Counter[tuple[str, str, str]] = Counter()
        for name in names:
            own = membership[sources == name].astype(np.float64)
            together = own.T @ own
            for one, two in np.argwhere(np.triu(together, 1)):
                counts[name, tags[one], tags[two]] = together[one, two]
        return cls._of_names(counts, names, tags)

    @classmethod
    def total(cls, parts: Iterable[Cooccurrence]) -> Cooccurrence:
        """Add the counts of all parts; their tags and sources are united."""
        counts: Counter[tuple[str, str, str]] = Counter()
        tags: set[str] = set()
        sources: set[str] = set()
        for part in parts:
            tags.update(part.tags)
            sources.update(part.sources)
            counts.update(part._by_names())
        return cls._of_names(counts, sorted(sources), sorted(tags))

    @classmethod
    def _of_names(
        cls,
        counts: Mapping[tuple[str, str, str], float],
        sources: Iterable[str],
        tags: Iterable[str],
    ) -> Cooccurrence:
        """Count by names; counts of tags that are not among `tags` are left out."""
        sources, tags = tuple(sources), tuple(tags)
        row = {name: number for number, name in enumerate(sources)}
        column = {name: number for number, name in enumerate(tags)}
        placed = sorted(
            (row[source], *sorted((column[one], column[two])), n)
            for (source, one, two), n in counts.items()
            if one in column and two in column
        )
        places = np.array([place[:3] for place in placed], np.int64).reshape(-1, 3)
        return cls(tags, sources, places, np.array([n for *_, n in placed], np.float64))

    def together(self, source: int) -> Floats:
        """Return a source's photos (T, T) with each two tags; the diagonal is 0."""
        table = np.zeros((len(self.tags), len(self.tags)))
        own = self.places[:, 0] == source
        one, two = self.places[own, 1], self.places[own, 2]
        table[one, two] = table[two, one] = self.n[own]
        return table

    def with_tags(self, tags: tuple[str, ...]) -> Cooccurrence:
        """Return the counts of these tags; those that are new have met no other."""
        return self._of_names(self._by_names(), self.sources, tags)

    def _by_names(self) -> dict[tuple[str, str, str], float]:
        """Return the counts by source, tag and tag."""
        counts = zip(self.places.tolist(), self.n.tolist(), strict=True)
        return {
            (self.sources[source], self.tags[one], self.tags[two]): n
            for (source, one, two), n in counts
        }

    def to_arrays(self) -> Arrays:
        """Return arrays for the bundle, beside those of the Gaussians."""
        return {"pair_places": self.places, "pair_n": self.n}

    @classmethod
    def from_arrays(
        cls, arrays: Arrays, tags: tuple[str, ...], sources: tuple[str, ...]
    ) -> Cooccurrence | None:
        """Read back `to_arrays`, None where there are none.

        Raises `BundleError` where they do not fit the tags and sources.
        """
        if "pair_places" not in arrays:
            return None
        places = np.asarray(arrays["pair_places"], np.int64)
        n = np.asarray(arrays.get("pair_n", np.zeros(0)), np.float64)
        bounds = (len(sources), len(tags), len(tags))
        if (
            places.shape != (len(n), 3)
            or (places < 0).any()
            or (places >= bounds).any()
            or not np.isfinite(n).all()
        ):
            raise BundleError("gaussians.npz: the pairs do not fit its tags")
        return cls(tags, sources, places, n)
