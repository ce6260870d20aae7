"""The latent space on paper: its first two principal components.

Tags are circles at the place of their mean, as wide as their Gaussian, and training
photos are dots. This is plain data; lablr/figures/charts.py draws it. N photos, T tags,
d latent size, M dots. The plane follows from sums over the photos, so that none of
them need be at hand.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from lablr.errors import BundleError, FitError
from lablr.latent_space.arrays import checked
from lablr.latent_space.dots import MapDots
from lablr.latent_space.moments import Moments
from lablr.system.arrays import Arrays, Float32s, Floats, Ints

# Of a mean square, what may be left of a variance of nothing after adding.
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class LatentMap:
    """A plane through the latents, and what lies where on it, in latent units.

    Parameters
    ----------
    mean : (d,), the latent at the plane's origin.
    axes : (2, d), orthonormal, the larger variance first.
    explained_variance_ratio : (2,), of the whole variance, each in [0, 1].
    centroids : (T, 2), the tags' means.
    dispersion_radii : (T,), the geometric-mean standard deviation of each tag's
        Gaussian, det(Σ_t)^(1/2d).
    photo_positions : (M, 2) float32, up to 200 training photos of each tag.
    photo_starts : (T + 1,) int64, tag t's photos are the positions from
        ``photo_starts[t]`` up to ``photo_starts[t + 1]``.
    """

    mean: Floats
    axes: Floats
    explained_variance_ratio: Floats
    centroids: Floats
    dispersion_radii: Floats
    photo_positions: Float32s
    photo_starts: Ints

    @classmethod
    def fit(
        cls,
        photos: Moments,
        dots: MapDots,
        means: ArrayLike,
        log_determinants: ArrayLike,
    ) -> LatentMap:
        """Lay the plane through photos and put the tags' Gaussians on it.

        ``photos`` are the sums of all training photos, in groups that do not
        overlap, and ``dots`` those shown; ``means`` (T, d) and ``log_determinants``
        (T,) are of the tags' Gaussians in the same space. Raises FitError for fewer
        than two photos or dimensions, or photos all alike.
        """
        mean, axes, ratio = _principal_plane(photos)
        # The seed of this project drew det(Σ_t) itself, which overflows (2^d for
        # standard deviations of √2) and has the unit of length^2d. Its 2d-th root,
        # from the logarithm, is a length and fits on the plane.
        log_det = np.asarray(log_determinants, dtype=np.float64)
        places = (dots.latents.astype(np.float64) - mean) @ axes.T
        return cls(
            mean=mean,
            axes=axes,
            explained_variance_ratio=ratio,
            centroids=(np.asarray(means, dtype=np.float64) - mean) @ axes.T,
            dispersion_radii=np.exp(log_det / (2 * len(mean))),
            photo_positions=places.astype(np.float32),
            photo_starts=dots.starts,
        )

    def locate(self, latents: ArrayLike) -> Floats:
        """Return (N, 2): where latents (N, d) lie on the plane."""
        located: Floats = (np.asarray(latents, np.float64) - self.mean) @ self.axes.T
        return located

    def photos_of(self, tag: int) -> Float32s:
        """Return (m, 2), m at most 200: where training photos of tag number t lie."""
        return self.photo_positions[self.photo_starts[tag] : self.photo_starts[tag + 1]]

    def to_arrays(self) -> Arrays:
        """Return the fields by their names, as a bundle keeps them."""
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> LatentMap:
        """Read what `to_arrays` gave; raises BundleError naming the array."""
        names = [field.name for field in fields(cls)]
        if sorted(arrays) != sorted(names):
            odd = sorted(set(arrays) ^ set(names))
            raise BundleError(f"map: arrays missing or unknown: {', '.join(odd)}")
        _check_shapes(arrays)
        _check_values(arrays)
        return cls(**arrays)


def _principal_plane(photos: Moments) -> tuple[Floats, Floats, Floats]:
    """Return mean (d,), axes (2, d) and explained variance ratio (2,) of all groups.

    Principal component analysis by the eigenvectors of the covariance. An
    eigenvector and its opposite are as good: the one is taken whose component
    of largest magnitude is positive, so that a map does not flip from fit to fit.
    """
    n_photos, n_latent = photos.n.sum(), photos.total.shape[1]
    if n_photos < 2 or n_latent < 2:
        raise FitError(
            "a map needs two photos and two dimensions,"
            f" not {n_photos:g} and {n_latent}"
        )
    mean = photos.total.sum(axis=0) / n_photos
    square = photos.outer.sum(axis=0) / n_photos
    covariance = square - np.outer(mean, mean)
    total = np.trace(covariance)
    if not (total > ROUNDING * np.trace(square) and np.isfinite(total)):
        raise FitError("a map needs photos whose latents are finite and differ")
    variances, vectors = np.linalg.eigh(covariance)  # smallest first
    axes = vectors[:, :-3:-1].T
    largest = axes[np.arange(2), np.abs(axes).argmax(axis=1)]
    axes = axes * np.sign(largest)[:, None]
    # Rounding may leave a variance of nothing a hair below 0.
    return mean, axes, np.clip(variances[:-3:-1] / total, 0, 1)


def _check_shapes(arrays: Arrays) -> None:
    n_latent, n_tags = arrays["mean"].size, arrays["dispersion_radii"].size
    n_dots = arrays["photo_positions"].size // 2
    shapes: dict[str, tuple[int, ...]] = {
        "mean": (n_latent,),
        "axes": (2, n_latent),
        "explained_variance_ratio": (2,),
        "centroids": (n_tags, 2),
        "dispersion_radii": (n_tags,),
        "photo_positions": (n_dots, 2),
        "photo_starts": (n_tags + 1,),
    }
    kinds: dict[str, type[np.generic]] = {
        "photo_positions": np.float32,
        "photo_starts": np.int64,
    }
    for name, shape in shapes.items():
        checked(arrays, name, shape, "map", kinds.get(name, np.float64))


def _check_values(arrays: Arrays) -> None:
    starts, axes = arrays["photo_starts"], arrays["axes"]
    ratio = arrays["explained_variance_ratio"]
    if np.abs(axes @ axes.T - np.eye(2)).max() > 1e-6:
        raise BundleError("map: axes are not orthonormal")
    if (ratio < 0).any() or (ratio > 1).any():
        raise BundleError("map: explained_variance_ratio is not in [0, 1]")
    if (arrays["dispersion_radii"] < 0).any():
        raise BundleError("map: dispersion_radii holds a negative radius")
    n_dots = len(arrays["photo_positions"])
    if starts[0] != 0 or starts[-1] != n_dots or (np.diff(starts) < 0).any():
        raise BundleError(f"map: photo_starts do not rise from 0 to {n_dots}")
