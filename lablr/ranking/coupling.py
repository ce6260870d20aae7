"""Reranking by feedback: what an accepted or rejected tag says of the others.

A photo's own score p_t(x) knows nothing of what a person has just decided. The tags
that people gave the training photos know which go together, but most of that the
photo shows anyway: *beach* and *sea* meet often because both are seen. So what is
learned is how much more often tags meet, or are missing together, **than the photos
explain**: J of t with a, J' of t without r ::

    J_at  = log (n_at + kappa) / (e_at + kappa)
    J'_rt = log (n_t - n_rt + kappa) / (e_t - e_rt + kappa)

    n_at = sum_s n_s,at      e_at = sum_s n_s mean p_a(x) p_t(x)
    n_t  = sum_s n_s,t       e_t  = sum_s n_s mean p_t(x)

n_s,at counts the training photos of source s with both tags, n_s all of them; the
mean is over the source's validation photos x, whose probabilities p are honest.
Sources that never use one of the two tags say nothing of the pair and are left out of
all four (`lablr.corpus.label_weights`), and so are those without validation photos.
kappa draws pairs that are rarely expected toward 0, which is: the photo says it all.

With the tags A accepted and R rejected::

    logit p(t | x, A, R) = logit p_t(x) + sum_a J_at / |A|^(1/2) + sum_r J'_rt / |R|

exp(J_at) is how many of the photos with a carry t, over how many their own scores
lead one to expect, and exp(J'_rt) the same of those without r: each term is right on
the mean of such photos. Accepted tags tell much the same thing (*man* and *boy*, then
*people*), so each further one adds less; what rejected ones tell is averaged.

All of it follows from sums that add and from the validation photos; a bundle holds
the counts, J and J'. Reranking costs one product of |A| + |R| rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lablr.latent_space.arrays import checked
from lablr.latent_space.cooccurrence import Cooccurrence
from lablr.system.arrays import Arrays, Bools, Floats, Names

# Chosen on validation, see docs/method.md.
KAPPA = 3.0
BETA = 0.5
BETA_REJECTED = 1.0


@dataclass(frozen=True, eq=False)
class TagCoupling:
    """The evidence of T tags on each other: (T, T), in nats, 0 on the diagonal.

    Attributes
    ----------
    given : J, row a is what an accepted a says of each tag; symmetric.
    without : J', row r is what a rejected r says of each tag.
    """

    tags: tuple[str, ...]
    given: Floats
    without: Floats

    @classmethod
    def fit(
        cls,
        pairs: Cooccurrence,
        counts: Floats,
        n_photos: Floats,
        probability: Floats,
        sources: Names,
    ) -> TagCoupling:
        """Compare pairs that met with those that the photos explain.

        `pairs`, `counts` (S, T) by tag and `n_photos` (S,) are those of S sources'
        training photos; `probability` (N, T) and `sources` (N,) of validation photos.
        """
        met, explained, alone, expected = np.zeros((4, *(len(pairs.tags),) * 2))
        for number, name in enumerate(pairs.sources):
            own = probability[sources == name]
            if not len(own):
                continue
            used = counts[number] > 0
            both = np.outer(used, used)
            met += both * pairs.together(number)
            explained += both * n_photos[number] * (own.T @ own) / len(own)
            alone += both * counts[number]
            expected += both * n_photos[number] * own.mean(axis=0)
        given = np.log((met + KAPPA) / (explained + KAPPA))
        # Less than nothing is met or expected only by rounding.
        rest, rest_expected = (
            np.maximum(part, 0.0) for part in (alone - met, expected - explained)
        )
        without = np.log((rest + KAPPA) / (rest_expected + KAPPA))
        for table in (given, without):
            np.fill_diagonal(table, 0.0)
        return cls(pairs.tags, given, without)

    def shift(self, probability: Floats, accepted: Bools, rejected: Bools) -> Floats:
        """Return what to add to each tag's log odds: of the shape of `probability`.

        `accepted` and `rejected` are (N, T), or (T,) for all photos alike.
        """
        shift = np.zeros_like(probability)
        for decided, says, beta in (
            (accepted, self.given, BETA),
            (rejected, self.without, BETA_REJECTED),
        ):
            n_decided = np.maximum(decided.sum(axis=-1, keepdims=True), 1)
            # Few tags are decided: only their rows are needed.
            rows = decided.reshape(-1, len(self.tags)).any(axis=0)
            shift += decided[..., rows] / n_decided**beta @ says[rows]
        return shift

    def with_tags(self, tags: tuple[str, ...]) -> TagCoupling:
        """Return the same of other tags; those that are new say nothing of others."""
        place = {tag: number for number, tag in enumerate(self.tags)}
        columns = np.array([place.get(tag, -1) for tag in tags], np.int64)
        known = columns >= 0
        moved = np.zeros((2, len(tags), len(tags)))
        for table, old in zip(moved, (self.given, self.without), strict=True):
            chosen = old[np.ix_(columns[known], columns[known])]
            table[np.ix_(known, known)] = chosen
        return TagCoupling(tags, *moved)

    def to_arrays(self) -> Arrays:
        """Return arrays for the bundle, beside those of the Gaussians; J packed."""
        rows, columns = np.tril_indices(len(self.tags), -1)
        return {
            "coupling": self.given[rows, columns].astype(np.float32),
            "coupling_without": self.without.astype(np.float32),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays, tags: tuple[str, ...]) -> TagCoupling | None:
        """Read back `to_arrays`, None where there are none.

        Raises `BundleError` where they do not fit the tags or are not finite.
        """
        if "coupling" not in arrays:
            return None
        n, file = len(tags), "gaussians.npz"
        packed = checked(arrays, "coupling", (n * (n - 1) // 2,), file)
        without = checked(arrays, "coupling_without", (n, n), file)
        given = np.zeros((n, n))
        rows, columns = np.tril_indices(n, -1)
        given[rows, columns] = given[columns, rows] = packed
        return cls(tags, given, without)
