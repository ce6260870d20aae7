"""Lablr suggests tags for a photo, out of the tags that people use on Flickr.

>>> from lablr import Tagger
>>> suggestion = Tagger.load().suggest("photo.jpg", k=10)  # doctest: +SKIP

Importing ``lablr`` loads nothing heavy: a name below is imported when it is
first used.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
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

# Names of earlier versions, which warn and go on working; and the modules that its
# pages named, each with where it is now and what is called otherwise there.
_FORMER = {"Wishes": "Feedback"}
_FORMER_MODULES: dict[str, tuple[str, dict[str, str]]] = {
    "lablr.conse_making": ("lablr.training.conse", {}),
    "lablr.judging": ("lablr.annotation", {}),
    "lablr.judging.records": (
        "lablr.annotation.database.records",
        {"Model": "ModelRecord"},
    ),
    "lablr.labelling": ("lablr.annotation.labelling", {}),
    "lablr.text": ("lablr.encoders.text", {}),
    "lablr.vae": ("lablr.training.vae", {}),
    "lablr.vocabulary": ("lablr.tags", {}),
    "lablr.writing": ("lablr.metadata", {}),
}


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


class _FormerModules(MetaPathFinder, Loader):
    """Imports a module by its former name, with a warning."""

    def find_spec(
        self, fullname: str, path: Any = None, target: Any = None
    ) -> ModuleSpec | None:
        if fullname not in _FORMER_MODULES:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        place, renamed = _FORMER_MODULES[module.__name__]
        warnings.warn(
            f"{module.__name__} is {place} now", DeprecationWarning, stacklevel=2
        )
        present = importlib.import_module(place)

        def find(name: str) -> Any:
            return getattr(present, renamed.get(name, name))

        vars(module)["__getattr__"] = find


sys.meta_path.append(_FormerModules())
