"""Words for tags: cleaned, renamed, translated, and doubted.

``hygiene`` makes one tag of many writings, ``vocabulary`` shows a suggestion in a
person's own words and language, ``unlikely`` says which of a photo's tags the model
doubts. Nothing here changes a number of the model.
"""

from lablr.vocabulary.check import Check, check_vocabulary
from lablr.vocabulary.hygiene import (
    CleanTag,
    CleanTags,
    Hygiene,
    Written,
    split_words,
)
from lablr.vocabulary.shown import ShownSuggestion, ShownTag
from lablr.vocabulary.translations import ENGLISH, LANGUAGES, translations
from lablr.vocabulary.unlikely import (
    MAX_PERCENTILE,
    MAX_PROBABILITY,
    UnlikelyTag,
    unlikely_tags,
)
from lablr.vocabulary.vocabulary import Vocabulary

__all__ = [
    "ENGLISH",
    "LANGUAGES",
    "MAX_PERCENTILE",
    "MAX_PROBABILITY",
    "Check",
    "CleanTag",
    "CleanTags",
    "Hygiene",
    "ShownSuggestion",
    "ShownTag",
    "UnlikelyTag",
    "Vocabulary",
    "Written",
    "check_vocabulary",
    "split_words",
    "translations",
    "unlikely_tags",
]
