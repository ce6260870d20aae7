"""Suggestions that listen: what an accepted or rejected tag says of the others.

A photo's own score p_t(x) knows nothing of what a person has just decided. The tags
that people gave the training photos know which go together, but most of that the
photo shows anyway: *beach* and *sea* meet often because both are seen. So what is
learned is how much more often two tags meet **than the photos explain**::

    J_ta = log (n_ta + kappa) / (e_ta + kappa)
    n_ta = sum_s n_s,ta           e_ta = sum_s n_s mean p_t(x) p_a(x)

n_s,ta counts the training photos of source s with both tags, n_s all of them; the
mean is over the source's validation photos x, whose probabilities p are honest.
Sources that never use one of the two tags say nothing of the pair and are left out
(`lablr.evidence`), and so are those without validation photos. kappa draws pairs that
are rarely expected toward 0, which is: the photo says it all.

With the tags A accepted and R rejected::

    logit p(t | x, A, R) = logit p_t(x) + sum_a J_ta / |A|^beta - sum_r p_r(x) J_tr

exp(J_ta) is how many of the photos with a carry t, over how many their own scores
lead one to expect, so the first term is right on the mean of the photos where a is
accepted. Accepted tags tell much the same thing (*man* and *boy*, then *people*), so
each further one adds less. Rejecting is mean field: a tag that the photo did not
show anyway, p_r near 0, tells nothing new.

All of it follows from sums that add and from the validation photos; a bundle holds
the counts and J. To listen costs one product of |A| + |R| rows of J.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lablr.errors import BundleError
from lablr.pair_counts import PairCounts

__all__ = ["Listening"]

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# Chosen on validation, see docs/method.md.
KAPPA = 3.0
BETA = 0.5


@dataclass(frozen=True, eq=False)
class Listening:
    """The coupling J of T tags: (T, T), symmetric, in nats, 0 on the diagonal."""

    tags: tuple[str, ...]
    coupling: Array

    @classmethod
    def fit(
        cls,
        pairs: PairCounts,
        counts: Array,
        n_photos: Array,
        probability: Array,
        sources: npt.NDArray[np.str_],
    ) -> Listening:
        """Compare pairs that met with those that the photos explain.

        Parameters
        ----------
        pairs : of the training photos, by S sources.
        counts : (S, T), training photos of each source with each tag.
        n_photos : (S,), training photos of each source.
        probability, sources : (N, T) and (N,), of the validation photos.
        """
        met = np.zeros((len(pairs.tags),) * 2)
        explained = met.copy()
        for number, name in enumerate(pairs.sources):
            own = probability[sources == name]
            if not len(own):
                continue
            used = counts[number] > 0
            both = np.outer(used, used)
            met += np.where(both, pairs.together(number), 0.0)
            expected = n_photos[number] * (own.T @ own) / len(own)
            explained += np.where(both, expected, 0.0)
        coupling = np.log((met + KAPPA) / (explained + KAPPA))
        np.fill_diagonal(coupling, 0.0)
        return cls(pairs.tags, coupling)

    def shift(self, probability: Array, accepted: Bools, rejected: Bools) -> Array:
        """What to add to the log odds of each tag: (N, T), in nats.

        `probability` (N, T) is the photos' own; `accepted` and `rejected` are (N, T),
        or (T,) for all photos alike.
        """
        n_accepted = accepted.sum(axis=-1, keepdims=True)
        said = accepted / np.maximum(n_accepted, 1) ** BETA - rejected * probability
        # Few tags are decided: only their rows are needed.
        decided = (accepted | rejected).reshape(-1, len(self.tags)).any(axis=0)
        shift: Array = said[..., decided] @ self.coupling[decided]
        return shift

    def with_tags(self, tags: tuple[str, ...]) -> Listening:
        """The same of other tags; those that are new say nothing of others."""
        place = {tag: number for number, tag in enumerate(self.tags)}
        columns = np.array([place.get(tag, -1) for tag in tags], np.int64)
        known = columns >= 0
        coupling = np.zeros((len(tags), len(tags)))
        coupling[np.ix_(known, known)] = self.coupling[
            np.ix_(columns[known], columns[known])
        ]
        return Listening(tags, coupling)

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Arrays for the bundle, beside those of the Gaussians: a packed triangle."""
        rows, columns = np.tril_indices(len(self.tags), -1)
        return {"coupling": self.coupling[rows, columns].astype(np.float32)}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, npt.NDArray[np.generic]], tags: tuple[str, ...]
    ) -> Listening | None:
        """Read back `to_arrays`, None where there are none.

        Raises `BundleError` where they do not fit the tags or are not finite.
        """
        if "coupling" not in arrays:
            return None
        packed = np.asarray(arrays["coupling"], np.float64)
        expected = (len(tags) * (len(tags) - 1) // 2,)
        if packed.shape != expected or not np.isfinite(packed).all():
            raise BundleError(
                f"gaussians.npz: expected the coupling {expected}, finite, "
                f"found {packed.shape}"
            )
        coupling = np.zeros((len(tags), len(tags)))
        rows, columns = np.tril_indices(len(tags), -1)
        coupling[rows, columns] = coupling[columns, rows] = packed
        return cls(tags, coupling)
