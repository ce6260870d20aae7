"""The sums and calibration of a bundle's corpus, which learning starts from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lablr.annotation.update.annotated_photos import (
    Columns,
    Floats,
    columns_of,
    take_rows,
)
from lablr.bundle import Bundle
from lablr.latent_space.calibration import Calibration
from lablr.latent_space.cooccurrence import Cooccurrence
from lablr.latent_space.feedback_statistics import FeedbackStatistics
from lablr.latent_space.gaussians import GaussianStatistics, shrunk_covariances
from lablr.latent_space.moments import Moments
from lablr.ranking.coupling import TagCoupling
from lablr.ranking.reach import Reach
from lablr.system.npz import Arrays


@dataclass(frozen=True)
class TagMoments:
    """The sums of each tag and of its rest, as `TagGaussians` takes them, both (T)."""

    tag: Moments
    rest: Moments

    @property
    def log_prior_odds(self) -> Floats:
        """Return ``log n_t / n_rest`` (T,), minus infinity for a tag without photos."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.tag.n / self.rest.n))


@dataclass(frozen=True)
class CorpusModel:
    """The sums and the calibration of a corpus, by T tags."""

    statistics: GaussianStatistics
    calibration: Calibration
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, bundle: Bundle) -> CorpusModel:
        """Read a bundle as its corpus made it, without what it has learned since."""
        statistics = GaussianStatistics.from_arrays(bundle.gaussians, bundle.tags)
        arrays = dict(bundle.calibration)
        for name in ("slopes", "intercepts"):
            if f"corpus_{name}" in arrays:
                arrays[name] = arrays[f"corpus_{name}"]
        calibration = Calibration.from_arrays(arrays, len(bundle.tags))
        model = cls(statistics, calibration, bundle.settings)
        n_photos = statistics.tag_moments.n
        known = (tag for tag, n in zip(bundle.tags, n_photos, strict=True) if n > 0)
        return model.with_tags(tuple(known))

    @property
    def tags(self) -> tuple[str, ...]:
        """Return the names of the tags."""
        return self.statistics.tags

    def with_tags(self, tags: tuple[str, ...]) -> CorpusModel:
        """Select tags: new ones have no photos and the median calibration."""
        columns = columns_of(tags, self.tags)
        moments = vars(self.statistics.tag_moments).values()
        statistics = dataclasses.replace(
            self.statistics,
            tags=tags,
            tag_moments=Moments(*(take_rows(part, columns) for part in moments)),
            counts=take_rows(self.statistics.counts.T, columns).T,
        )
        calibration = select_calibration(self.calibration, columns)
        return CorpusModel(statistics, calibration, self.settings)

    def covariances(self, groups: Moments, tied: Floats) -> Iterator[Floats]:
        """Yield the shrunk covariance (d, d) of each group; `tied` is of all tags."""
        nu, ridge = float(self.settings["shrinkage"]), float(self.settings["ridge"])
        return shrunk_covariances(groups, tied, nu, ridge)

    def moments(self, feedback: FeedbackStatistics | None = None) -> TagMoments:
        """Return the sums of tags and rests, with those of feedback if given."""
        if feedback is None:
            return self._corpus
        tag, rest = feedback.evidence(float(self.settings["unknown_weight"]))
        return TagMoments(self._corpus.tag + tag, self._corpus.rest + rest)

    @cached_property
    def _corpus(self) -> TagMoments:
        absence = self.statistics.absence(float(self.settings["unknown_weight"]))
        rest = self.statistics.rest(absence)
        return TagMoments(self.statistics.tag_moments, rest)


def select_calibration(calibration: Calibration, columns: Columns) -> Calibration:
    """Return the calibration of other tags; the median where a column is -1."""
    slopes, intercepts = (
        np.where(columns < 0, np.median(numbers), numbers[columns])
        for numbers in (calibration.slopes, calibration.intercepts)
    )
    return Calibration(slopes, intercepts)


def coupling_arrays(
    bundle: Bundle, sources: tuple[str, ...], tags: tuple[str, ...]
) -> Arrays:
    """Return a bundle's arrays of co-occurrence, coupling and reach for other tags.

    Feedback does not change them: few photos were decided on both tags of a pair.
    """
    parts = (
        Cooccurrence.from_arrays(bundle.gaussians, bundle.tags, sources),
        TagCoupling.from_arrays(bundle.gaussians, bundle.tags),
        Reach.from_arrays(bundle.gaussians, bundle.tags),
    )
    arrays: Arrays = {}
    for part in parts:
        if part is not None:
            arrays |= part.with_tags(tags).to_arrays()
    return arrays
