"""Sums over groups of photos that add: counts, sums and sums of outer products.

They are all that a Gaussian needs to know of its photos, and two parts of a corpus
merge by adding theirs. In a bundle each symmetric matrix is a packed triangle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lablr.system.arrays import Arrays, Bools, Floats


@dataclass(frozen=True)
class Moments:
    """Sums over groups of photos: ``n`` (G,), ``total`` (G, d), ``outer`` (G, d, d)."""

    n: Floats
    total: Floats
    outer: Floats

    @classmethod
    def of(cls, latents: Floats, groups: Bools) -> Moments:
        """Sum `latents` (N, d) over the photos of each group, `groups` (N, G)."""
        n_groups, d = groups.shape[1], latents.shape[1]
        total, outer = np.empty((n_groups, d)), np.empty((n_groups, d, d))
        for group, members in enumerate(groups.T):
            own = latents[members]
            total[group], outer[group] = own.sum(axis=0), own.T @ own
        return cls(groups.sum(axis=0).astype(np.float64), total, outer)

    def __add__(self, other: Moments) -> Moments:
        return Moments(*(mine + theirs for mine, theirs in self._pairs(other)))

    def __sub__(self, other: Moments) -> Moments:
        return Moments(*(mine - theirs for mine, theirs in self._pairs(other)))

    def _pairs(self, other: Moments) -> Iterator[tuple[Floats, Floats]]:
        yield from zip(vars(self).values(), vars(other).values(), strict=True)

    def add_in_place(self, other: Moments) -> None:
        """Add the photos of the same groups to these sums."""
        for mine, theirs in self._pairs(other):
            mine += theirs

    def group(self, number: int) -> Moments:
        """Return the sums of one group alone, as views."""
        return Moments(*(sums[number : number + 1] for sums in vars(self).values()))

    @classmethod
    def stacked(cls, groups: Sequence[Moments], n_latent: int) -> Moments:
        """Stack the groups of all, in their order; there may be none."""
        none = (np.zeros((0, *(n_latent,) * n_axes)) for n_axes in range(3))
        parts = [cls(*none), *groups]
        alike = zip(*(vars(part).values() for part in parts), strict=True)
        return cls(*map(np.concatenate, alike))

    def scaled(self, factor: float) -> Moments:
        """Return the same photos, each counted `factor` times."""
        return Moments(*(factor * sums for sums in vars(self).values()))

    def weighted(self, weights: Floats) -> Moments:
        """Sum over the groups, each counted with `weights` (G', G)."""
        return Moments(
            weights @ self.n,
            weights @ self.total,
            np.tensordot(weights, self.outer, axes=1),
        )

    @property
    def means(self) -> Floats:
        """Return the mean of each group (G, d)."""
        return self.total / self.n[:, None]

    def covariances(self) -> Iterator[Floats]:
        """Yield the empirical covariance (d, d) of each group, divided by n."""
        for n, mean, outer in zip(self.n, self.means, self.outer, strict=True):
            yield outer / n - np.outer(mean, mean)

    def within_covariance(self) -> Floats:
        """Return the mean of the groups' covariances (d, d), weighted by their n."""
        scatter = self.outer.sum(axis=0) - self.total.T @ self.means
        within: Floats = scatter / self.n.sum()
        return within


def pack_moments(
    moments: Moments,
    name: str,
    products: type[np.float32] | type[np.float64] = np.float32,
) -> Arrays:
    """Pack moments for a bundle, each sum of products rounded to `products`."""
    rows, columns = np.tril_indices(moments.total.shape[1])
    return {
        f"{name}_n": moments.n,
        f"{name}_total": moments.total,
        f"{name}_outer": moments.outer[:, rows, columns].astype(products),
    }


def unpack_moments(arrays: Arrays, name: str, n_groups: int) -> Moments:
    """Read back `pack_moments`; raises KeyError, ValueError or IndexError."""
    n = np.asarray(arrays[f"{name}_n"], np.float64)
    total = np.asarray(arrays[f"{name}_total"], np.float64)
    packed = np.asarray(arrays[f"{name}_outer"])
    d = total.shape[-1]
    expected = (n_groups,), (n_groups, d), (n_groups, d * (d + 1) // 2)
    found = n.shape, total.shape, packed.shape
    if found != expected:
        raise ValueError(f"expected {name} of shapes {expected}, found {found}")
    outer = np.empty((n_groups, d, d))
    rows, columns = np.tril_indices(d)
    outer[:, rows, columns] = packed
    outer[:, columns, rows] = packed
    return Moments(n, total, outer)
