"""Tags in a sidecar, ``photo.jpg.xmp``, for photos of every kind, raw ones too.

Nothing but the standard library is needed. The photo itself is not changed; where the
extra ``meta`` is installed, a new sidecar starts with the tags inside the photo, since
programs that read the one often look no further.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lablr.errors import MissingExtra, PhotoError, WritingError
from lablr.metadata.exiv2 import lists_in
from lablr.metadata.files import read_snapshot
from lablr.metadata.keywords import (
    MADE,
    Additions,
    Keyword,
    Lists,
    additions,
    same,
    tags_of,
)
from lablr.metadata.xmp import EMPTY_PACKET, add_to_lists, read_lists

# Adobe's programs write into these, and keep a ``photo.xmp`` for raw photos only.
_WRITTEN_INTO = {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".tif", ".tiff"}


def sidecar_of(photo: Path) -> Path:
    """Return the path of a photo's sidecar, whether it exists or not.

    That is ``photo.cr2.xmp``, as digiKam and darktable name it; or ``photo.xmp``, as
    Adobe's programs do, where that one is there, the other is not, and the photo is of
    a kind whose tags Adobe does not write into the file.
    """
    own, short = photo.with_name(f"{photo.name}.xmp"), photo.with_suffix(".xmp")
    is_raw = photo.suffix.lower() not in _WRITTEN_INTO
    if is_raw and short.is_file() and not own.exists():
        return short
    return own


def beside(
    sidecar: bytes | None, photo: bytes | None, wanted: Sequence[Keyword]
) -> tuple[bytes, Lists, Additions]:
    """Return the sidecar with these tags in it, the lists it had, and what they got.

    sidecar : the one that is there, if one is.
    photo : the bytes of the photo, for a new sidecar.

    Raises WritingError where the sidecar is no XMP that Lablr can add to.
    """
    found = read_lists(sidecar) if sidecar is not None else {}
    inside, notes = ({}, ()) if photo is None else _inside(photo)
    more = additions(found, wanted, MADE, inside)
    if not more.to_lists:
        return sidecar or b"", found, more
    written = add_to_lists(sidecar or EMPTY_PACKET, more.to_lists)
    for name, items in more.to_lists.items():
        if read_lists(written)[name] != (*found.get(name, ()), *items):
            raise WritingError(
                f"its XMP keeps {name} in a way that Lablr cannot add to"
            )
    return written, found, Additions(more.to_lists, (*notes, *more.notes))


def _inside(photo: bytes) -> tuple[Lists, tuple[str, ...]]:
    try:
        return lists_in(photo), ()
    except (MissingExtra, WritingError) as error:
        return {}, (f"the tags inside the photo were not looked at: {error}",)


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
