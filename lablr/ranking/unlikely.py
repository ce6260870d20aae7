"""A photo's own tags that the model finds very unlikely, and why.

A tag is proposed for removal when three things hold:

1. the model knows it: what a person wrote is the tag, its label in the chosen language,
   a synonym or another number of it (`Vocabulary.readings`); with several readings all
   of them must be unlikely;
2. its probability is below `MAX_PROBABILITY`;
3. its percentile, the share of the model's tags that fit this photo less, is below
   `MAX_PERCENTILE`.

The third keeps a photo that the model does not understand, where no tag is likely, from
losing its tags. A tag that the model does not know is never proposed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lablr.ranking.suggestion import Suggestion, TagScore
from lablr.tags.vocabulary import Vocabulary

# On flickr8k's 998 validation photos these name 0.3 % of the tags that people gave, and
# 32 % of all tags that they did not give (docs/vocabulary.md).
MAX_PROBABILITY = 0.005
MAX_PERCENTILE = 30.0


@dataclass(frozen=True)
class UnlikelyTag:
    """A tag of a photo that the model finds very unlikely.

    Attributes
    ----------
    written : the tag as the person has it on the photo.
    score : the model's numbers of the tag, of its likeliest reading.
    percentile : of its probability among those of all tags for this photo, 0 to 100.
    reason : why it might go, in a sentence.
    """

    written: str
    score: TagScore
    percentile: float
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return its JSON form."""
        return {
            "written": self.written,
            "tag": self.score.tag,
            "probability": self.score.probability,
            "percentile": self.percentile,
            "reason": self.reason,
        }


def unlikely_tags(
    suggestion: Suggestion,
    existing: Iterable[str],
    vocabulary: Vocabulary | None = None,
    *,
    max_probability: float = MAX_PROBABILITY,
    max_percentile: float = MAX_PERCENTILE,
) -> tuple[UnlikelyTag, ...]:
    """List the tags to consider removing from a photo, the least likely first.

    suggestion: with all tags (``k=0``), since a percentile is among all of them;
    existing: the photo's tags as they were written. Nothing is removed here.
    """
    scores = {score.tag: score for score in suggestion.tags}
    tags = tuple(scores)
    words = vocabulary or Vocabulary()
    found = []
    for written in dict.fromkeys(existing):
        readings = [scores[tag] for tag in words.readings(written, tags)]
        if not readings:
            continue
        score = max(readings, key=lambda reading: reading.probability)
        n_less = sum(s.probability < score.probability for s in suggestion.tags)
        percentile = 100 * n_less / len(tags)
        if score.probability < max_probability and percentile < max_percentile:
            n_better = sum(s.probability > score.probability for s in suggestion.tags)
            reason = _reason(written, score, n_better, len(tags))
            found.append(UnlikelyTag(written, score, percentile, reason))
    return tuple(sorted(found, key=lambda tag: tag.score.probability))


def _reason(written: str, score: TagScore, n_better: int, n_tags: int) -> str:
    known_as = "" if written == score.tag else f" (its word is {score.tag})"
    share = 100 * score.probability
    chance = f"{share:.1f} %" if share >= 0.1 else "less than 0.1 %"
    return (
        f"The model gives “{written}”{known_as} a probability of {chance},"
        f" and {n_better} of its {n_tags} tags fit the photo better."
    )
