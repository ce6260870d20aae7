"""Read the tags that a photo has, inside it and in its sidecar."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from lablr.errors import MissingExtra, PhotoError, WritingError
from lablr.metadata.embedding import lists_in
from lablr.metadata.files import read_snapshot
from lablr.metadata.keywords import Lists, same, tags_of
from lablr.metadata.sidecars import sidecar_of
from lablr.metadata.xmp import read_lists

__all__ = ["tags_in"]


def tags_in(photo: Path) -> tuple[str, ...]:
    """Return the tags of a photo and of its sidecar, each once.

    What cannot be read holds none, and without the extra "meta" no photo does.
    """
    found: dict[str, str] = {}
    for lists in (_inside(photo), _beside(photo)):
        for tag in tags_of(lists):
            found.setdefault(same(tag), tag)
    return tuple(found.values())


def _inside(photo: Path) -> Lists:
    with suppress(PhotoError, WritingError, MissingExtra, OSError):
        return lists_in(read_snapshot(photo, to_replace=False).content)
    return {}


def _beside(photo: Path) -> Lists:
    with suppress(PhotoError, WritingError, OSError):
        return read_lists(read_snapshot(sidecar_of(photo), to_replace=False).content)
    return {}
