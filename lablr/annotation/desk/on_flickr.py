"""Which photos of Flickr the files at a desk are, and the tags that people gave them.

Flickr names what is downloaded from it ``TITLE_NUMBER_o.jpg``, and its images
``NUMBER_SECRET_b.jpg`` (https://www.flickr.com/services/api/misc.urls.html); a camera's
own number stands before no such size, and no secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from lablr.annotation.desk.desk import DeskPhoto
from lablr.errors import PushError
from lablr.flickr.push import read_tag
from lablr.metadata import Keyword

__all__ = ["number_in", "wanted_on_flickr"]

_SIZES = "[sqtmnwzcbhkfo]|[3-6]k"
_NAME = re.compile(
    rf"(?:.*_)?([0-9]{{7,20}})_(?:[0-9a-f]{{10}}(?:_(?:{_SIZES}))?|(?:{_SIZES}))",
    re.DOTALL,
)


def number_in(name: str) -> str | None:
    """Return a photo's number on Flickr by the name that Flickr gave its file."""
    found = _NAME.fullmatch(PurePosixPath(name).stem)
    return found[1] if found else None


def wanted_on_flickr(
    photos: Iterable[DeskPhoto],
) -> tuple[dict[str, list[Keyword]], list[str]]:
    """Return the tags of each photo that has some, by number, and what has no number.

    The latter are names. Raises `PushError`, naming the photo, for a tag that Flickr
    cannot have.
    """
    wanted: dict[str, list[Keyword]] = {}
    unknown: list[str] = []
    for photo in photos:
        if not photo.keywords:
            continue
        number = number_in(photo.name)
        if number is None:
            unknown.append(photo.name)
            continue
        try:
            tags = [read_tag(one.tag, one.origin) for one in photo.keywords]
        except PushError as error:
            raise PushError(f"{photo.name}: {error}") from error
        wanted.setdefault(number, []).extend(tags)
    return wanted, unknown
