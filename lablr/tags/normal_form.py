"""Tags in Flickr's normal form: what a tag is called, however a person wrote it."""

from __future__ import annotations

import re
import unicodedata

from lablr.errors import CorpusError

# Marks that only pick a glyph, as the one after an emoji does.
SELECTOR = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def normalize(tag: str) -> str:
    """Return Flickr's normal form of a tag: lower case, letters and digits only.

    ``"New York!"`` and ``"new-york"`` are both ``"newyork"``; Unicode letters are
    kept (``"Zürich"`` is ``"zürich"``), in compatibility composition (NFKC), and
    so are the marks that many scripts write their vowels with. The normal form
    of a normal form is itself.

    Raises CorpusError when nothing is left, as of ``"!!!"`` or an emoji.
    Source: Flickr API, ``flickr.photos.getInfo``, ``raw`` tag against its content.
    """
    form = tag
    # Dropping a hyphen may put an accent beside its letter, which composes in the
    # next round; every tag that people write is stable after the second.
    while (simpler := _letters_and_digits(form)) != form:
        form = simpler
    if not form:
        raise CorpusError(f"the tag {tag[:60]!r} holds no letter and no digit")
    return form


def _letters_and_digits(text: str) -> str:
    """Compose, lower and keep letters (L), numbers (N) and marks (M) on them."""
    composed = unicodedata.normalize("NFKC", text)
    lowered = unicodedata.normalize("NFKC", composed.lower())
    kept: list[str] = []
    for character in lowered:
        kind = unicodedata.category(character)[0]
        if kind in "LN" or (kind == "M" and kept and not SELECTOR.match(character)):
            kept.append(character)
    return "".join(kept)
