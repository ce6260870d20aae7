"""The reach of tags: how much their photos are seen, relative to the best.

**From views**, where the corpus's records have them (``views``, and where known the
time of upload, ``uploaded``, in seconds since 1970). Views spread over orders of
magnitude, so their logarithms are averaged. Over the training photos i::

    y_i = log (1 + views_i)            u_i = time of upload
    b   = cov(u, y) / var(u)           over the photos whose u is known
    v_t = mean_t y - b share_t (mean_t u - mean u)
    v_t <- (n_t v_t + k mean y) / (n_t + k)
    reach_t = exp(v_t - max v)

An older photo had more time to be seen; b is what a second of age is worth in this
corpus, and v_t what the tag's photos would have, were they uploaded when the average
photo was. share_t of the tag's photos have a known u; the others count as average. k
photos' worth of the corpus's mean keep a tag of few photos from chance. No clock is
needed.

**From popularity**, where no record has views: in Flickr's list of popular tags
(lablr/tags/data/popular_tags.txt) the first 45 are in order, the others are not. Use of
tags on Flickr follows a power law (Sigurbjornsson & van Zwol, WWW 2008), so::

    reach_t = 1 / rank_t

with the rank of an ordered tag, the mean rank of the rest of the list for any of
those, and the rank after the last for a tag that is not on the list.

A ranking goes by log-score + lambda log reach_t, lambda from 0 to 1, see
`Tagger.rank`: of two tags that are e times as likely and e times less seen, lambda
= 1 takes neither first. So "most seen" is the most expected views, and a tag that does
not fit is not suggested for being popular.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from lablr.corpus.records import Photo
from lablr.errors import BundleError
from lablr.system.arrays import Arrays, Floats

BASES = ("views", "popularity")
N_ORDERED = 45
# How many photos' worth the corpus's mean has in a tag's.
PRIOR_PHOTOS = 10.0
# Seconds since 1970 up to the year 2100: what else a field holds is no such time.
MAX_UPLOADED = 4_102_444_800


@dataclass
class ViewSums:
    """Sums over photos whose views are known; of all of them and of each tag.

    all : n, ``sum y``; and of those whose upload is known their number,
        ``sum u``, ``sum y``, ``sum u^2``, ``sum u y``.
    tags : of each tag n, ``sum y``, and of those with a known upload number, ``sum u``.
    """

    all: Floats = field(default_factory=lambda: np.zeros(7))
    tags: dict[str, Floats] = field(default_factory=dict)

    @classmethod
    def of(cls, photos: Iterable[Photo]) -> ViewSums:
        """Sum over the training photos among `photos`."""
        sums = cls()
        for photo in photos:
            if photo.split == "train" and photo.views is not None:
                sums._add_photo(photo, float(np.log1p(photo.views)))
        return sums

    def _add_photo(self, photo: Photo, y: float) -> None:
        u = _uploaded(photo)
        dated = (0.0,) * 5 if u is None else (1.0, u, y, u * u, u * y)
        self.all += np.array([1.0, y, *dated])
        own = np.array([1.0, y, *dated[:2]])
        for tag in photo.tags:
            self.tags[tag] = self.tags[tag] + own if tag in self.tags else own


@dataclass(frozen=True, eq=False)
class Reach:
    """The reach of T tags.

    Attributes
    ----------
    basis : "views" or "popularity".
    values : (T,), above 0 and at most 1.
    """

    tags: tuple[str, ...]
    basis: str
    values: Floats

    @classmethod
    def fit(cls, tags: tuple[str, ...], views: ViewSums) -> Reach | None:
        """Fit to views where there are any, else to popularity; None without either."""
        if views.all[0]:
            return cls(tags, "views", _from_views(tags, views))
        return cls.from_popularity(tags)

    @classmethod
    def from_popularity(cls, tags: tuple[str, ...]) -> Reach | None:
        """Take it from Flickr's list; None when none of the tags is on it."""
        ranks = _popular_ranks()
        if not set(tags) & ranks.keys():
            return None
        after = len(ranks) + 1
        return cls(
            tags, "popularity", np.array([1 / ranks.get(tag, after) for tag in tags])
        )

    def with_tags(self, tags: tuple[str, ...]) -> Reach:
        """Return the reach of other tags; without views, new ones have the median."""
        if self.basis == "popularity" and (found := self.from_popularity(tags)):
            return found
        known = dict(zip(self.tags, self.values.tolist(), strict=True))
        median = float(np.median(self.values))
        values = np.array([known.get(tag, median) for tag in tags])
        return Reach(tags, self.basis, values)

    def to_arrays(self) -> Arrays:
        """Return arrays for the bundle, beside those of the Gaussians."""
        basis = np.frombuffer(self.basis.encode(), np.uint8)
        return {"reach": self.values, "reach_basis": basis}

    @classmethod
    def from_arrays(cls, arrays: Arrays, tags: tuple[str, ...]) -> Reach | None:
        """Read back `to_arrays`, None where there are none.

        Raises `BundleError` where they do not fit the tags.
        """
        if "reach" not in arrays:
            return None
        values = np.asarray(arrays["reach"], np.float64)
        basis = arrays.get("reach_basis", np.zeros(0, np.uint8)).tobytes()
        names = [name for name in BASES if name.encode() == basis]
        if (
            not names
            or values.shape != (len(tags),)
            or not ((values > 0) & (values <= 1)).all()
        ):
            raise BundleError("gaussians.npz: the reach does not fit its tags")
        return cls(tags, names[0], values)


def _uploaded(photo: Photo) -> float | None:
    """Return when a photo was uploaded, in years since 1970, if its record says so."""
    seconds = photo.others.get("uploaded")
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        return None
    # Years, not seconds: their squares are summed.
    return seconds / 31_556_952 if 0 < seconds < MAX_UPLOADED else None


def _from_views(tags: tuple[str, ...], views: ViewSums) -> Floats:
    n_all, y_all, n_dated, u, y, uu, uy = views.all
    mean_y = y_all / n_all
    spread = uu - u * u / n_dated if n_dated else 0.0
    b = (uy - u * y / n_dated) / spread if spread > 1e-9 * uu else 0.0
    mean_u = u / n_dated if n_dated else 0.0
    sums = np.array([views.tags.get(tag, np.zeros(4)) for tag in tags])
    n, total, dated, total_u = sums.T
    # n v, so that a tag of no photos needs no case of its own.
    adjusted = total - b * (total_u - dated * mean_u)
    v = (adjusted + PRIOR_PHOTOS * mean_y) / (n + PRIOR_PHOTOS)
    reach: Floats = np.exp(v - v.max())
    return reach


def _popular_ranks() -> dict[str, float]:
    """Return the rank of each tag on Flickr's list, see the head of this module."""
    # Here and not above: nothing of the downloader is needed to suggest tags.
    from lablr.tags.lists import popular_tags

    popular = popular_tags()
    mean_of_rest = (N_ORDERED + 1 + len(popular)) / 2
    return {
        tag: rank if rank <= N_ORDERED else mean_of_rest
        for rank, tag in enumerate(popular, start=1)
    }
