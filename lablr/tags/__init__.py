"""Words for tags: in Flickr's normal form, cleaned, renamed and translated.

``normal_form`` is what Flickr makes of a writing, ``hygiene`` makes one tag of many
writings, ``vocabulary`` holds a person's own words and the languages, ``lists`` the
popular tags. What a suggestion looks like in these words is in `lablr.ranking.shown`.
"""

from lablr.tags.hygiene import Hygiene, split_words
from lablr.tags.normal_form import normalize
from lablr.tags.vocabulary import Vocabulary

__all__ = ["Hygiene", "Vocabulary", "normalize", "split_words"]
