"""Words for tags: in Flickr's normal form, cleaned, renamed and translated.

``normal_form`` is what Flickr makes of a writing, ``hygiene`` makes one tag of many
writings, ``vocabulary`` holds a person's own words and the languages, ``lists`` the
popular tags. What a suggestion looks like in these words is in `lablr.ranking.shown`.
"""

from lablr.tags.check import Check, check_vocabulary
from lablr.tags.hygiene import CleanTag, CleanTags, Hygiene, WrittenTag, split_words
from lablr.tags.lists import popular_tags
from lablr.tags.normal_form import normalize
from lablr.tags.translations import ENGLISH, LANGUAGES, translations
from lablr.tags.vocabulary import Vocabulary

__all__ = [
    "ENGLISH",
    "LANGUAGES",
    "Check",
    "CleanTag",
    "CleanTags",
    "Hygiene",
    "Vocabulary",
    "WrittenTag",
    "check_vocabulary",
    "normalize",
    "popular_tags",
    "split_words",
    "translations",
]
