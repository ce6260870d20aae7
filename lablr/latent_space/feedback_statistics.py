"""Sums over people's judgements, for the Gaussians: they add, as a corpus's do.

Judged photos are a source of their own. Of such a photo and a tag t a person may
have *accepted* t, *rejected* it, or said nothing, and then t is unknown there, even
if other judged photos have it. So no one number for the source
(`lablr.corpus.label_weights`) says what a missing tag is worth; sums over the photos
that were *decided*, accepted or rejected, do. With A_t the accepted, D_t the decided
and J all judged photos, each standing for its sums n, ``sum x``, ``sum x x^T``, and u
the weight of the unknown::

    tag t:   M_t + A_t
    rest:    sum_s a_st M_s - M_t  +  (D_t - A_t) + u (J - D_t)

A rejected tag is full evidence in the rest, an undecided one u. When everything was
decided (D_t = J), the rest gains J - A_t: what a corpus's source gives it that uses
the tag. A weight w counts each judged photo w times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lablr.errors import BundleError
from lablr.latent_space.moments import Moments, pack_moments, unpack_moments
from lablr.system.arrays import Arrays, Bools, Floats, Reals

PARTS = ("accepted", "decided", "judged")


@dataclass(frozen=True)
class FeedbackStatistics:
    """Sums over judged photos, by T tags.

    Attributes
    ----------
    accepted, decided : of each tag (T), over the photos where it was accepted, and
        where it was accepted or rejected.
    judged : over all judged photos, one group.
    """

    tags: tuple[str, ...]
    accepted: Moments
    decided: Moments
    judged: Moments

    @classmethod
    def of(
        cls,
        latents: Reals,
        accepted: Bools,
        rejected: Bools,
        tags: tuple[str, ...],
        weight: float = 1.0,
    ) -> FeedbackStatistics:
        """Sum `latents` (N, d); `accepted` and `rejected` are (N, T).

        Each photo counts `weight` times.
        """
        points = latents.astype(np.float64)
        everything = np.ones((len(points), 1), np.bool_)
        return cls(
            tags,
            *(
                _weighted(points, groups, weight)
                for groups in (accepted, accepted | rejected, everything)
            ),
        )

    def __sub__(self, other: FeedbackStatistics) -> FeedbackStatistics:
        """Take away the judgements of `other`, by the same tags and among them."""
        if self.tags != other.tags:
            raise ValueError("judgements of different tags cannot be taken away")
        parts = (getattr(self, part) - getattr(other, part) for part in PARTS)
        return FeedbackStatistics(self.tags, *parts)

    def evidence(self, unknown: float) -> tuple[Moments, Moments]:
        """Return what to add to the sums of each tag and of each rest, both (T)."""
        rest = [(1 - unknown) * decided for decided in vars(self.decided).values()]
        # In place: these arrays are large, and learning makes them once a part.
        for sums, judged, accepted in zip(
            rest,
            vars(self.judged).values(),
            vars(self.accepted).values(),
            strict=True,
        ):
            sums += unknown * judged
            sums -= accepted
        return self.accepted, Moments(*rest)

    def to_arrays(self) -> Arrays:
        """Return arrays for the bundle, beside those of the corpus's statistics."""
        arrays: Arrays = {}
        for part in PARTS:
            arrays |= pack_moments(getattr(self, part), f"judgements_{part}")
        return arrays

    @classmethod
    def from_arrays(
        cls, arrays: Arrays, tags: tuple[str, ...]
    ) -> FeedbackStatistics | None:
        """Read back `to_arrays`, None where there are none.

        Raises `BundleError` where the shapes disagree.
        """
        if "judgements_judged_n" not in arrays:
            return None
        sizes = (len(tags), len(tags), 1)
        try:
            parts = [
                unpack_moments(arrays, f"judgements_{part}", size)
                for part, size in zip(PARTS, sizes, strict=True)
            ]
            d = {part.total.shape[1] for part in parts}
            d.add(arrays["tag_total"].shape[1])
            if len(d) != 1:
                raise ValueError(f"latents of {sorted(d)} numbers")
        except (KeyError, ValueError, IndexError) as error:
            raise BundleError(
                f"gaussians.npz: the judgements do not fit its tags: {error}"
            ) from error
        return cls(tags, *parts)


def _weighted(points: Floats, groups: Bools, weight: float) -> Moments:
    """Sum points (N, d) over groups (N, G), each counted `weight` times."""
    # To weigh the points is quicker than to weigh the (G, d, d) sums of products.
    root = np.sqrt(weight)
    sums = Moments.of(points * root, groups)
    return Moments(sums.n * weight, sums.total * root, sums.outer)
