"""A suggestion as a person wants to see it: the model's numbers under their words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lablr.ranking.suggestion import Suggestion, TagScore
from lablr.tags.vocabulary import Vocabulary

NUMBERS = ("probability", "squared_mahalanobis", "log_likelihood_ratio")


@dataclass(frozen=True)
class ShownTag:
    """One tag under the word that is shown for it.

    Attributes
    ----------
    tag : the model's word; of a tag that the model does not know, the person's.
    label : what to show and copy.
    score : the model's, as it came; None where it does not know the tag.
    always : whether the vocabulary adds it to every photo.
    broader : labels of the tags above it, the broadest first.
    """

    tag: str
    label: str
    score: TagScore | None
    always: bool = False
    broader: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return its JSON form; a number that the model has not got is null."""
        shown: dict[str, Any] = {"tag": self.tag, "label": self.label}
        shown |= {name: getattr(self.score, name, None) for name in NUMBERS}
        if self.score is not None and self.score.reach is not None:
            shown["reach"] = self.score.reach
        if self.always:
            shown["always"] = True
        if self.broader:
            shown["broader"] = list(self.broader)
        return shown


@dataclass(frozen=True)
class ShownSuggestion:
    """The tags of a photo as they are shown: the model's best first, then those added.

    ``suggestion`` is what the model said, unchanged.
    """

    tags: tuple[ShownTag, ...]
    suggestion: Suggestion
    language: str

    @property
    def sure(self) -> bool:
        """Tell whether the model finds any of the shown tags likely enough."""
        return any(self.is_good(shown) for shown in self.tags)

    def is_good(self, shown: ShownTag) -> bool:
        """Tell whether the model finds a tag likely enough to suggest."""
        score = shown.score
        return score is not None and score.probability >= self.suggestion.threshold

    def to_dict(self) -> dict[str, Any]:
        """Return its JSON form: as `Suggestion.to_dict`, with labels."""
        return {
            "tags": [shown.to_dict() for shown in self.tags],
            "sure": self.sure,
            "threshold": self.suggestion.threshold,
            "ranking": self.suggestion.ranking,
            "language": self.language,
            **self.suggestion.feedback.to_dict(),
        }


def show(suggestion: Suggestion, vocabulary: Vocabulary, k: int = 0) -> ShownSuggestion:
    """Return the suggestion as the person wants to see it; no number is changed.

    k: how many of the model's tags to show (0: all) once those that are never
    shown are out. Tags that are always added keep their place among the `k`, or
    follow. Tags that the file calls synonyms are shown once, at the best. Give
    a suggestion with all tags, or what is left out cannot move up.
    """
    tags: dict[str, ShownTag] = {}
    for score in suggestion.tags:
        entry = vocabulary.entry(score.tag)
        word = entry.tag if entry else score.tag
        if word in tags or (entry and entry.use == "never"):
            continue
        tags[word] = ShownTag(
            score.tag,
            vocabulary.label(score.tag),
            score,
            always=entry is not None and entry.use == "always",
            broader=vocabulary.broader(score.tag),
        )
    chosen = list(tags)[: k or None]
    added = [entry.tag for entry in vocabulary.entries if entry.use == "always"]
    chosen += [word for word in added if word not in chosen]
    shown = tuple(
        tags.get(word)
        or ShownTag(word, vocabulary.label(word), None, True, vocabulary.broader(word))
        for word in chosen
    )
    return ShownSuggestion(shown, suggestion, vocabulary.language)
