"""A Gaussian for each tag in the latent space, and how far a photo is from it.

Everything follows from sums over photos that add: of each tag, and of each
source of photos, the count ``n``, the sum ``sum x`` and the sum of outer products
``sum x x^T``. Two halves of a corpus merge by adding, so a cluster or a person's
later judgements only add to them.

For tag t, with mean m_t and empirical covariance S_t of its photos::

    Sigma_t = (1 - alpha_t) S_t + alpha_t S_w + ridge I,   alpha_t = nu / (n_t + nu)
    D2_t(x) = (x - m_t)^T Sigma_t^-1 (x - m_t)

S_w is the tied within-tag covariance, the mean of all S_t weighted by n_t: a tag
with few photos borrows its shape from all tags (Friedman, "Regularized
Discriminant Analysis", JASA 1989). The *rest* of t is every photo without it;
its statistics are totals minus the tag's. The tag-versus-rest log-likelihood
ratio, with the prior odds, is::

    log N(x; m_t, Sigma_t) - log N(x; m_rest, Sigma_rest) + log n_t / n_rest

One background for all tags could not reorder the tags of a photo; the rest can.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lablr.corpus.label_weights import absence_weights
from lablr.errors import BundleError, FitError
from lablr.latent_space.mahalanobis import ManyGaussians
from lablr.latent_space.moments import Moments, pack_moments, unpack_moments
from lablr.system.arrays import Arrays, Bools, Floats, Names, Reals

MIN_PHOTOS = 5


@dataclass(frozen=True)
class GaussianStatistics:
    """The sufficient statistics of a corpus: of its T tags and its S sources.

    Attributes
    ----------
    tags, sources : names, in the order of the arrays.
    tag_moments : sums over the photos with each tag.
    source_moments : sums over all photos of each source.
    counts : (S, T), photos of a source with a tag.
    """

    tags: tuple[str, ...]
    sources: tuple[str, ...]
    tag_moments: Moments
    source_moments: Moments
    counts: Floats

    @classmethod
    def of(
        cls, latents: Reals, membership: Bools, sources: Names, tags: tuple[str, ...]
    ) -> GaussianStatistics:
        """Sum `latents` (N, d) by `membership` (N, T) and `sources` (N,)."""
        points = latents.astype(np.float64)
        names = tuple(sorted({str(source) for source in sources}))
        in_source = sources[:, None] == np.array(names, np.str_)[None, :]
        return cls(
            tags=tags,
            sources=names,
            tag_moments=Moments.of(points, membership),
            source_moments=Moments.of(points, in_source),
            counts=in_source.T.astype(np.float64) @ membership,
        )

    def __add__(self, other: GaussianStatistics) -> GaussianStatistics:
        """Add two corpora: their tags and sources are united."""
        together = StatisticsSum()
        together.add(self)
        together.add(other)
        return together.total()

    def scaled(self, factor: float) -> GaussianStatistics:
        """Return the same photos, each counted `factor` times."""
        return dataclasses.replace(
            self,
            tag_moments=self.tag_moments.scaled(factor),
            source_moments=self.source_moments.scaled(factor),
            counts=self.counts * factor,
        )

    def absence(self, unknown: float) -> Floats:
        """Return the weight (S, T) of a missing tag in each source: `label_weights`."""
        return absence_weights(self.counts, unknown)

    def rest(self, absence: Reals) -> Moments:
        """Return the sums over the photos without each tag, by its `absence` (S, T)."""
        weights = absence.T.astype(np.float64)
        return self.source_moments.weighted(weights) - self.tag_moments

    def to_arrays(
        self, products: type[np.float32] | type[np.float64] = np.float32
    ) -> Arrays:
        """Return arrays for the bundle: symmetric matrices as packed triangles.

        Counts and sums are exact; each sum of products is rounded to the type
        `products`: for float32 that is by 2^-24 (6e-8) of its size at most.
        """
        arrays: Arrays = {
            "sources": np.frombuffer("\n".join(self.sources).encode(), np.uint8),
            "counts": self.counts,
        }
        arrays |= pack_moments(self.tag_moments, "tag", products)
        arrays |= pack_moments(self.source_moments, "source", products)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays, tags: tuple[str, ...]) -> GaussianStatistics:
        """Read back `to_arrays`; raises `BundleError` where the shapes disagree."""
        try:
            names = arrays["sources"].tobytes().decode()
            sources = tuple(names.split("\n")) if names else ()
            statistics = cls(
                tags=tags,
                sources=sources,
                tag_moments=unpack_moments(arrays, "tag", len(tags)),
                source_moments=unpack_moments(arrays, "source", len(sources)),
                counts=np.asarray(arrays["counts"], np.float64),
            )
            expected = (len(sources), len(tags))
            if statistics.counts.shape != expected:
                raise ValueError(f"counts {statistics.counts.shape}, not {expected}")
            of_tags, of_sources = (
                moments.total.shape[1]
                for moments in (statistics.tag_moments, statistics.source_moments)
            )
            if of_tags != of_sources:
                raise ValueError(f"latents of {of_tags} and {of_sources} numbers")
        except (KeyError, ValueError, IndexError) as error:
            raise BundleError(
                f"gaussians.npz does not fit its tags: {error}"
            ) from error
        return statistics


class StatisticsSum:
    """Statistics of one part of a corpus after another, added in place.

    A part need only have the tags and sources of its own photos: memory is that of
    the total and of the part at hand, and adding a part costs what the part holds.
    """

    def __init__(self) -> None:
        self._tags: dict[str, Moments] = {}
        self._sources: dict[str, Moments] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._n_latent = 0

    def add(self, part: GaussianStatistics) -> None:
        """Add what another part of the corpus gave."""
        self._n_latent = part.tag_moments.total.shape[1]
        _add_groups(self._tags, part.tags, part.tag_moments)
        _add_groups(self._sources, part.sources, part.source_moments)
        for source, tag in np.argwhere(part.counts):
            names = part.sources[source], part.tags[tag]
            self._counts[names] += part.counts[source, tag]

    @property
    def n_photos(self) -> float:
        """Return how many photos have been added."""
        return float(sum(moments.n.item() for moments in self._sources.values()))

    def total(self) -> GaussianStatistics:
        """Return the statistics of all parts together; there must have been one."""
        tags, sources = tuple(sorted(self._tags)), tuple(sorted(self._sources))
        counts = [self._counts[source, tag] for source in sources for tag in tags]
        d = self._n_latent
        return GaussianStatistics(
            tags=tags,
            sources=sources,
            tag_moments=Moments.stacked([self._tags[tag] for tag in tags], d),
            source_moments=Moments.stacked([self._sources[s] for s in sources], d),
            counts=np.array(counts, np.float64).reshape(len(sources), len(tags)),
        )


def _add_groups(sums: dict[str, Moments], names: Sequence[str], part: Moments) -> None:
    """Add each group of `part` to the sums of its name, in place."""
    for row, name in enumerate(names):
        own = part.group(row)
        if name in sums:
            sums[name].add_in_place(own)
        else:
            sums[name] = own.scaled(1.0)


class TagGaussians:
    """The Gaussians of all tags and of their rests, ready to score latents.

    Parameters
    ----------
    statistics : sums of the training photos.
    absence : (S, T), how much a missing tag says in each source
        (`lablr.corpus.label_weights`); the rest of a tag counts each source with it.
    shrinkage : nu, the number of photos at which a tag's own covariance and the
        tied one weigh the same.
    ridge : added to the diagonals, as a share of the tied mean variance.
    judged : sums to add to those of each tag and of each rest, each (T), from
        people's judgements (`lablr.latent_space.feedback_statistics`).

    Attributes
    ----------
    n_photos_ : (T,), means_ : (T, d), log_determinants_ : (T,) of the shrunk
    covariances, log_prior_odds_ : (T,), ``log n_t / n_rest``.

    Raises `FitError` naming the tags with fewer than five photos, or when a
    covariance is not positive definite.
    """

    def __init__(
        self,
        statistics: GaussianStatistics,
        absence: Reals,
        shrinkage: float,
        ridge: float,
        judged: tuple[Moments, Moments] | None = None,
    ) -> None:
        tag, rest = statistics.tag_moments, statistics.rest(absence)
        if judged is not None:
            tag, rest = tag + judged[0], rest + judged[1]
        _refuse_rare_tags(statistics.tags, tag.n)
        if not (rest.n > 0).all():
            raise FitError("every photo has the same tag: there is nothing to compare")
        tied = tag.within_covariance()
        self.n_photos_ = tag.n
        self.means_ = tag.means
        self._rest, self._tag = (
            ManyGaussians(own.means, shrunk_covariances(own, tied, shrinkage, ridge))
            for own in (rest, tag)
        )
        self.log_determinants_ = self._tag.log_determinants
        self.log_prior_odds_ = np.log(tag.n / rest.n)

    def squared_mahalanobis(self, latents: Reals) -> Floats:
        """Return ``D2_t(x)`` of latents (N, d) to every tag's Gaussian: (N, T)."""
        return self._tag.squared_mahalanobis(latents)

    def log_likelihood_ratio(self, latents: Reals) -> Floats:
        """Log odds that photos with latents (N, d) have each tag: (N, T), in nats."""
        return self.score(latents)[1]

    def score(self, latents: Reals) -> tuple[Floats, Floats]:
        """Return squared Mahalanobis and log-likelihood ratio at once, each (N, T)."""
        to_tag = self._tag.squared_mahalanobis(latents)
        to_rest = self._rest.squared_mahalanobis(latents)
        return to_tag, self._ratio(to_tag, to_rest, slice(None))

    def squared_mahalanobis_of(self, tag: int, latents: Reals) -> Floats:
        """Return ``D2_t(x)`` of latents (N, d) to one tag, by its number: (N,)."""
        return self._tag.squared_mahalanobis_of(tag, latents)

    def score_of(self, tag: int, latents: Reals) -> tuple[Floats, Floats]:
        """Return what `score` gives for the tag of one number, each (N,).

        A hundred photos and one tag are a few milliseconds, all tags ten times that.
        """
        to_tag = self.squared_mahalanobis_of(tag, latents)
        to_rest = self._rest.squared_mahalanobis_of(tag, latents)
        return to_tag, self._ratio(to_tag, to_rest, tag)

    def _ratio(self, to_tag: Floats, to_rest: Floats, tags: slice | int) -> Floats:
        tag_log_density = -0.5 * (to_tag + self._tag.log_determinants[tags])
        rest_log_density = -0.5 * (to_rest + self._rest.log_determinants[tags])
        ratio: Floats = tag_log_density - rest_log_density + self.log_prior_odds_[tags]
        return ratio


def shrunk_covariances(
    groups: Moments, tied: Floats, shrinkage: float, ridge: float
) -> Iterator[Floats]:
    """Yield ``(1 - alpha) S + alpha S_w + ridge I`` (d, d) of each group."""
    floor = ridge * np.trace(tied) / len(tied) * np.eye(len(tied))
    alphas = shrinkage / (groups.n + shrinkage)
    for alpha, covariance in zip(alphas, groups.covariances(), strict=True):
        yield (1 - alpha) * covariance + alpha * tied + floor


def _refuse_rare_tags(tags: Iterable[str], n_photos: Floats) -> None:
    rare = [
        f"{tag} ({int(n)})"
        for tag, n in zip(tags, n_photos, strict=True)
        if n < MIN_PHOTOS
    ]
    if rare:
        raise FitError(
            f"a tag needs at least {MIN_PHOTOS} photos; too few of: " + ", ".join(rare)
        )
