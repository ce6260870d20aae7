"""What is learned from and changed: a corpus's sums, with judgements or without."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lablr.annotation.update.photos import Columns, Floats, columns_of, taken
from lablr.bundle import Bundle
from lablr.latent_space.calibration import Calibration
from lablr.latent_space.cooccurrence import Cooccurrence
from lablr.latent_space.feedback_statistics import FeedbackStatistics
from lablr.latent_space.gaussians import GaussianStatistics, shrunk_covariances
from lablr.latent_space.moments import Moments
from lablr.ranking.coupling import TagCoupling
from lablr.ranking.reach import Reach
from lablr.system.npz import Arrays

__all__ = ["CorpusModel", "Groups", "chosen", "groups_of", "listening_arrays"]


@dataclass(frozen=True)
class Groups:
    """The sums of each tag and of its rest, as `TagGaussians` takes them, both (T)."""

    tag: Moments
    rest: Moments

    @property
    def log_prior_odds(self) -> Floats:
        """``log n_t / n_rest`` (T,); of a tag without photos it is minus infinity."""
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
        """A bundle as its corpus made it: what it has learned since is left out."""
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
        """Their names."""
        return self.statistics.tags

    def with_tags(self, tags: tuple[str, ...]) -> CorpusModel:
        """Other tags: those that are new have no photos and the median calibration."""
        columns = columns_of(tags, self.tags)
        statistics = dataclasses.replace(
            self.statistics,
            tags=tags,
            tag_moments=groups_of(self.statistics.tag_moments, columns),
            counts=taken(self.statistics.counts.T, columns).T,
        )
        calibration = chosen(self.calibration, columns)
        return CorpusModel(statistics, calibration, self.settings)

    def covariances(self, groups: Moments, tied: Floats) -> Iterator[Floats]:
        """The shrunk covariance (d, d) of each group; `tied` is that of all tags."""
        nu, ridge = float(self.settings["shrinkage"]), float(self.settings["ridge"])
        return shrunk_covariances(groups, tied, nu, ridge)

    def groups(self, judged: FeedbackStatistics | None = None) -> Groups:
        """The sums of tags and rests, with those of judgements if given."""
        if judged is None:
            return self._corpus
        tag, rest = judged.evidence(float(self.settings["unknown_weight"]))
        return Groups(self._corpus.tag + tag, self._corpus.rest + rest)

    @cached_property
    def _corpus(self) -> Groups:
        absence = self.statistics.absence(float(self.settings["unknown_weight"]))
        return Groups(self.statistics.tag_moments, self.statistics.rest(absence))


def chosen(calibration: Calibration, columns: Columns) -> Calibration:
    """That of other tags, by their columns here; the median where that is -1."""
    slopes, intercepts = (
        np.where(columns < 0, np.median(numbers), numbers[columns])
        for numbers in (calibration.slopes, calibration.intercepts)
    )
    return Calibration(slopes, intercepts)


def groups_of(moments: Moments, columns: Columns) -> Moments:
    """The sums of these groups; zeros for -1."""
    return Moments(*(taken(part, columns) for part in vars(moments).values()))


def listening_arrays(
    bundle: Bundle, sources: tuple[str, ...], tags: tuple[str, ...]
) -> Arrays:
    """What a bundle knows of pairs of tags and of reach, for other tags.

    Judgements do not change it: few photos were decided on both tags of a pair.
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
