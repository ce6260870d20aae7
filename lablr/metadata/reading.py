"""Read the tags that a photo has, inside it and in its sidecar."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from lablr.errors import MissingExtra, PhotoError, WritingError
from lablr.metadata.embedding import lists_in
from lablr.metadata.files import read_snapshot
from lablr.metadata.keywords import same, tags_of
from lablr.metadata.sidecars import sidecar_of
from lablr.metadata.xmp import read_lists

__all__ = ["tags_in"]


def tags_in(photo: Path) -> tuple[str, ...]:
    """Return the tags of a photo and of its sidecar, each once.

    What cannot be read holds none, and without the extra "meta" no photo does.
    """
    found: dict[str, str] = {}
    for path, read in ((photo, lists_in), (sidecar_of(photo), read_lists)):
        with suppress(PhotoError, WritingError, MissingExtra, OSError):
            for tag in tags_of(read(read_snapshot(path, to_replace=False).content)):
                found.setdefault(same(tag), tag)
    return tuple(found.values())
