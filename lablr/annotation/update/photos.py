"""Judged photos in the latent space, and what people said of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lablr.latent_space.calibration import folds_of
from lablr.latent_space.feedback_statistics import FeedbackStatistics

__all__ = [
    "Bools",
    "Columns",
    "Floats",
    "JudgedPhotos",
    "columns_of",
    "taken",
]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Columns = npt.NDArray[np.int64]


@dataclass(frozen=True)
class JudgedPhotos:
    """N photos with what was decided of V tags.

    Attributes
    ----------
    names : of the photos, each once.
    latents, mirrored : (N, d), of the photos and (or None) of their mirror images.
    tags : V names in normal form.
    accepted, rejected : (N, V); never both, and neither where nobody said.
    asked : (N, V), decisions that were made whatever the answer, see
        `lablr.annotation.update`.
    """

    names: tuple[str, ...]
    latents: npt.NDArray[np.float32]
    mirrored: npt.NDArray[np.float32] | None
    tags: tuple[str, ...]
    accepted: Bools
    rejected: Bools
    asked: Bools

    @property
    def decided(self) -> Bools:
        """(N, V), accepted or rejected."""
        return self.accepted | self.rejected

    @property
    def folds(self) -> Columns:
        """(N,), the part of each photo, see `calibration.folds_of`."""
        return folds_of(self.names)

    def with_tags(self, tags: tuple[str, ...]) -> JudgedPhotos:
        """The same photos and what was said of these tags."""
        columns = columns_of(tags, self.tags)
        said = {
            name: taken(getattr(self, name).T, columns).T
            for name in ("accepted", "rejected", "asked")
        }
        return dataclasses.replace(self, tags=tags, **said)

    def rows(self, chosen: Bools) -> JudgedPhotos:
        """Those of the photos that are `chosen` (N,)."""
        return JudgedPhotos(
            names=tuple(np.array(self.names, object)[chosen]),
            latents=self.latents[chosen],
            mirrored=None if self.mirrored is None else self.mirrored[chosen],
            tags=self.tags,
            accepted=self.accepted[chosen],
            rejected=self.rejected[chosen],
            asked=self.asked[chosen],
        )

    def sums(self, weight: float) -> FeedbackStatistics:
        """Their sums, each photo counted `weight` times, half as its mirror image."""
        views = [self.latents] + ([] if self.mirrored is None else [self.mirrored])
        accepted, rejected = (
            np.tile(said, (len(views), 1)) for said in (self.accepted, self.rejected)
        )
        latents = np.concatenate(views)
        return FeedbackStatistics.of(
            latents, accepted, rejected, self.tags, weight / len(views)
        )


def columns_of(wanted: tuple[str, ...], there: tuple[str, ...]) -> Columns:
    """Where each of the wanted names is among those there; -1 where it is not."""
    place = {name: number for number, name in enumerate(there)}
    return np.array([place.get(name, -1) for name in wanted], np.int64)


def taken(rows: npt.NDArray[Any], numbers: Columns) -> npt.NDArray[Any]:
    """The rows of these numbers; zeros for -1."""
    found = np.zeros((len(numbers), *rows.shape[1:]), rows.dtype)
    found[numbers >= 0] = rows[numbers[numbers >= 0]]
    return found
