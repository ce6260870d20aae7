"""Lablr suggests tags for a photo, out of the tags that people use on Flickr.

>>> from lablr import Tagger
>>> suggestion = Tagger.load().suggest("photo.jpg", k=10)  # doctest: +SKIP

Importing ``lablr`` loads nothing heavy: a name below is imported when it is
first used.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lablr.bundle import Bundle
    from lablr.corpus import Corpus
    from lablr.errors import (
        BrokenPhoto,
        BundleError,
        CorpusError,
        FitError,
        LablrError,
        MissingExtra,
        NotInBundle,
        PhotoError,
        PhotoTooLarge,
        ResizeError,
        TrainingError,
        UnsupportedPhoto,
    )
    from lablr.photos import PhotoLimits
    from lablr.ranking.feedback import Feedback
    from lablr.ranking.tagger import Suggestion, Tagger, TagScore

__version__ = "0.1.0"

__all__ = [
    "BrokenPhoto",
    "Bundle",
    "BundleError",
    "Corpus",
    "CorpusError",
    "Feedback",
    "FitError",
    "LablrError",
    "MissingExtra",
    "NotInBundle",
    "PhotoError",
    "PhotoLimits",
    "PhotoTooLarge",
    "ResizeError",
    "Suggestion",
    "TagScore",
    "Tagger",
    "TrainingError",
    "UnsupportedPhoto",
]

# Where each public name that is not an error lives.
_HOMES = {
    "Bundle": "lablr.bundle",
    "Corpus": "lablr.corpus",
    "PhotoLimits": "lablr.photos",
    "Suggestion": "lablr.ranking.tagger",
    "TagScore": "lablr.ranking.tagger",
    "Tagger": "lablr.ranking.tagger",
    "Feedback": "lablr.ranking.feedback",
}

# Names of earlier versions, which warn and go on working.
_FORMER = {"Wishes": "Feedback"}


def __getattr__(name: str) -> Any:
    """Import the public name ``name`` on its first use (PEP 562)."""
    if name in _FORMER:
        warnings.warn(
            f"lablr.{name} is lablr.{_FORMER[name]} now",
            DeprecationWarning,
            stacklevel=2,
        )
        name = _FORMER[name]
    if name not in __all__:
        raise AttributeError(f"module 'lablr' has no attribute {name!r}")
    home = importlib.import_module(_HOMES.get(name, "lablr.errors"))
    value = globals()[name] = getattr(home, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
