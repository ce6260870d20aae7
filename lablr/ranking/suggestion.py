"""The answer for one photo: its tags, best first, and their numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lablr.ranking.feedback import Feedback
from lablr.system.arrays import Float32s

NO_FEEDBACK = Feedback()


@dataclass(frozen=True)
class TagScore:
    """The fit of one tag to a photo.

    Attributes
    ----------
    probability : that the photo carries the tag, 0 to 1, as the ranking has it and
        given what was decided.
    squared_mahalanobis : from the photo's latent to the tag's Gaussian.
    log_likelihood_ratio : of the tag against its rest, with prior odds, in nats.
    reach : how much it is seen, relative to the best, 0 to 1 (`lablr.ranking.reach`);
        None where the bundle does not know.
    """

    tag: str
    probability: float
    squared_mahalanobis: float
    log_likelihood_ratio: float
    reach: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return its JSON form; the reach only where it is known."""
        return {name: v for name, v in vars(self).items() if v is not None}


@dataclass(frozen=True)
class Suggestion:
    """The tags of one photo, best first.

    Attributes
    ----------
    latent : (d,) posterior mean.
    position : (x, y) on the latent map.
    threshold : the probability from which a tag is worth suggesting.
    ranking : one of `Tagger.rankings`.
    feedback : what a person said; tags that were decided are not among the `tags`.
    features : (F,) what the encoder's heads saw; methods beside the Gaussians use it.
    """

    tags: tuple[TagScore, ...]
    latent: Float32s = field(compare=False)
    position: tuple[float, float]
    threshold: float
    ranking: str
    feedback: Feedback = NO_FEEDBACK
    features: Float32s = field(
        default_factory=lambda: np.zeros(0, np.float32), compare=False
    )

    @property
    def sure(self) -> bool:
        """Tell whether any of the tags clears the threshold."""
        return any(tag.probability >= self.threshold for tag in self.tags)

    def to_dict(self) -> dict[str, Any]:
        """Return its JSON form."""
        return {
            "tags": [tag.to_dict() for tag in self.tags],
            "sure": self.sure,
            "threshold": self.threshold,
            "ranking": self.ranking,
            **self.feedback.to_dict(),
        }
