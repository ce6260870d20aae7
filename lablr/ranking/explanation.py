"""Reasons for a tag: typicality, the nearest training photos, where it was seen.

All three look at the tag's Gaussian or at latents, whatever ranking put the tag where
it is.

**How typical.** The percentile of the photo's squared Mahalanobis distance among
those of the tag's own training photos P_t that the bundle keeps::

    percentile_t(x) = 100 / |P_t| sum_i ([d_i < d] + [d_i = d] / 2)
    d = D2_t(x),  d_i = D2_t(x_i)

the midrank of SciPy's ``percentileofscore(..., kind="mean")``. 5 is more typical than
nearly all of them, 95 less. docs/method.md says how even the percentiles of photos
are that the model has not seen, and those of a chi-square distribution are not.

**Where.** See `lablr.ranking.saliency`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from lablr.errors import UnknownTag
from lablr.ranking.methods.neighbours import Neighbour
from lablr.ranking.saliency import GRID, N_PATCHES, Saliency, covered
from lablr.ranking.tagger import Tagger
from lablr.system.arrays import Float32s, Pixels
from lablr.system.cpu import available_threads
from lablr.system.progress import Progress, silent
from lablr.system.threads import map_in_order

# Among fewer photos a percentile says little: its steps are wider than five.
MIN_PHOTOS = 20
N_NEIGHBOURS = 5
# Encoded side by side: more threads help little, and others want to be served.
MAX_THREADS = 2
PATCHES_AT_ONCE = 4
LABEL = "covering the photo"


@dataclass(frozen=True)
class Typicality:
    """The place of a photo among a tag's training photos.

    Attributes
    ----------
    percentile : 0 to 100, the share of them that is nearer to the tag's mean.
    n_photos : how many it was compared with.
    """

    percentile: float
    n_photos: int


@dataclass(frozen=True)
class Explanation:
    """The reasons for a tag of a photo, or against it.

    Attributes
    ----------
    squared_mahalanobis, log_likelihood_ratio : as in `TagScore`.
    typicality : None where the bundle keeps fewer than `MIN_PHOTOS` of the tag.
    because : the nearest training photos with the tag, best first; none where the
        bundle keeps none.
    saliency : where the tag was seen, if asked for.
    """

    tag: str
    squared_mahalanobis: float
    log_likelihood_ratio: float
    typicality: Typicality | None
    because: tuple[Neighbour, ...]
    saliency: Saliency | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return its JSON form; the saliency only where it was asked for."""
        found: dict[str, Any] = {
            "tag": self.tag,
            "squared_mahalanobis": self.squared_mahalanobis,
            "log_likelihood_ratio": self.log_likelihood_ratio,
            "typicality": vars(self.typicality) if self.typicality else None,
            "because": [one.to_dict() for one in self.because],
        }
        if self.saliency is not None:
            found["saliency"] = self.saliency.to_dict()
        return found


def explain(
    tagger: Tagger,
    image: Pixels,
    tags: Sequence[str],
    saliency: bool = False,
    progress: Progress = silent,
) -> list[Explanation]:
    """Explain each of the `tags` for an image (S, S, 3), as `Tagger.read` gives it.

    With `saliency` the photo is encoded `N_PATCHES` times more, once for all tags.
    Raises `UnknownTag` for one that the model does not know.
    """
    known = {tag: number for number, tag in enumerate(tagger.tags)}
    for tag in tags:
        if tag not in known:
            raise UnknownTag(f"the model does not know the tag {tag[:60]!r}")
    latent = tagger.encoder.encode(image[np.newaxis])
    hidden = _latents_without_parts(tagger, image, progress) if saliency else None
    return [_explain(tagger, known[tag], latent, hidden) for tag in tags]


def percentile(distance: float, others: npt.ArrayLike) -> float:
    """Return the percentage of `others` (n,) below a distance, ties counted half."""
    among = np.asarray(others, np.float64)
    below, ties = (among < distance).mean(), (among == distance).mean()
    return float(100 * (below + ties / 2))


def _explain(
    tagger: Tagger, tag: int, latent: Float32s, hidden: Float32s | None
) -> Explanation:
    gaussians, name = tagger.ranker.gaussians, tagger.tags[tag]
    every = latent if hidden is None else np.concatenate([latent, hidden])
    squares, ratios = gaussians.score_of(tag, every)
    drops = None if hidden is None else ratios[0] - ratios[1:]
    neighbours = tagger.neighbours
    return Explanation(
        tag=name,
        squared_mahalanobis=float(squares[0]),
        log_likelihood_ratio=float(ratios[0]),
        typicality=_typicality(tagger, tag, float(squares[0])),
        because=()
        if neighbours is None
        else tuple(neighbours.nearest(latent[0], N_NEIGHBOURS, name)),
        saliency=None if drops is None else Saliency(drops.reshape(GRID, GRID)),
    )


def _typicality(tagger: Tagger, tag: int, square: float) -> Typicality | None:
    neighbours = tagger.neighbours
    if neighbours is None:
        return None
    own = neighbours.latents_with(tagger.tags[tag])
    if len(own) < MIN_PHOTOS:
        return None
    others = tagger.ranker.gaussians.squared_mahalanobis_of(tag, own)
    return Typicality(percentile(square, others), len(own))


def _latents_without_parts(
    tagger: Tagger, image: Pixels, progress: Progress
) -> Float32s:
    """Encode an image with a patch on it, row by row: (N_PATCHES, d).

    Whatever `progress` raises ends it within a few encodings.
    """
    red, green, blue = (round(mean) for mean in tagger.encoder.preprocessing.mean)
    images = covered(image, (red, green, blue))
    # iter() ends at the first batch that is empty.
    batches = map(np.stack, iter(lambda: list(islice(images, PATCHES_AT_ONCE)), []))
    n_threads = min(MAX_THREADS, available_threads())
    found = map_in_order(tagger.encoder.encode, batches, n_threads, n_threads + 1)
    n_batches = -(-N_PATCHES // PATCHES_AT_ONCE)
    try:
        return np.concatenate(list(progress(found, n_batches, LABEL)))
    finally:
        found.close()
