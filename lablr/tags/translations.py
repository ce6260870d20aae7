"""The names of tags in other languages: the files that come with Lablr.

``lablr/tags/data/translations/LANGUAGE.csv`` has two columns, ``tag`` and ``label``. It
covers the tags of the bundled model and those of Flickr's popular ones whose meaning is
plain; a tag that it leaves out is shown as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from lablr.errors import VocabularyError
from lablr.tags.rows import label_of, read_rows

ENGLISH = "en"
# Code -> what the language calls itself.
LANGUAGES: Mapping[str, str] = MappingProxyType(
    {
        ENGLISH: "English",
        "de": "Deutsch",
        "es": "Español",
        "fa": "فارسی",
        "fr": "Français",
    }
)
FOLDER = Path(__file__).parent / "data" / "translations"


@cache
def translations(language: str) -> Mapping[str, str]:
    """Return tag -> label for a language; for English nothing, a tag is its label.

    Raises VocabularyError for a language that is not in `LANGUAGES`.
    """
    if language not in LANGUAGES:
        raise VocabularyError(
            f"Lablr has no translation into {language!r}, only {', '.join(LANGUAGES)}"
        )
    if language == ENGLISH:
        return MappingProxyType({})
    rows = read_rows(FOLDER / f"{language}.csv")
    return MappingProxyType(
        {row.fields["tag"]: label_of(row.fields["label"]) for row in rows}
    )
