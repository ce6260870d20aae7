"""Writing what was learned so that it can be undone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from lablr.bundle import Bundle
from lablr.errors import LearningError

__all__ = ["previous_folder", "save_learned", "undo"]


def previous_folder(folder: Path) -> Path:
    """Where the bundle is kept that another took the place of: ``NAME.previous``."""
    place = folder.resolve()
    return place.with_name(f"{place.name}.previous")


def save_learned(bundle: Bundle, folder: Path) -> Bundle:
    """Write a bundle; what lies there is kept beside it first, and named in it.

    Returns the bundle as it was written. Raises `BundleError` when it cannot be.
    """
    previous = None
    if (folder / "manifest.json").exists():
        kept = Bundle.load(folder)
        kept.save(previous_folder(folder))
        previous = kept.digest
    learned = dict(bundle.provenance["learned"]) | {"previous": previous}
    provenance = dict(bundle.provenance) | {"learned": learned}
    named = dataclasses.replace(bundle, provenance=provenance)
    named.save(folder)
    return named


def undo(folder: Path) -> Bundle:
    """Put the previous bundle back in the place of the one that learned.

    Returns the previous one, of which the copy beside it stays. Raises
    `LearningError` when none was kept, `BundleError` when it is broken.
    """
    learned = Bundle.load(folder).provenance.get("learned")
    digest = learned.get("previous") if isinstance(learned, dict) else None
    if not isinstance(digest, str):
        raise LearningError(f"{folder} has taken the place of no other bundle")
    kept = previous_folder(folder)
    previous = Bundle.load(kept)
    if previous.digest != digest:
        raise LearningError(
            f"{kept} is not the bundle of which {folder} took the place: expected "
            f"digest {digest[:12]}, found {previous.digest[:12]}"
        )
    previous.save(folder)
    return previous
