"""The tags of the photos at a desk by their numbers on Flickr.

Flickr names what is downloaded from it ``TITLE_NUMBER_o.jpg``, and its images
``NUMBER_SECRET_b.jpg`` (https://www.flickr.com/services/api/misc.urls.html); a number
that a camera gave is followed by no such size, and no secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from lablr.annotation.desk.desk import DeskPhoto
from lablr.errors import PushError
from lablr.flickr.push.wanted import read_tag
from lablr.metadata import Keyword

_SIZES = "[sqtmnwzcbhkfo]|[3-6]k"
_NAME = re.compile(
    rf"(?:.*_)?([0-9]{{7,20}})_(?:[0-9a-f]{{10}}(?:_(?:{_SIZES}))?|(?:{_SIZES}))",
    re.DOTALL,
)


def flickr_number(name: str) -> str | None:
    """Return a photo's number on Flickr from the name that Flickr gave its file."""
    found = _NAME.fullmatch(PurePosixPath(name).stem)
    return found[1] if found else None


def flickr_tags(
    photos: Iterable[DeskPhoto],
) -> tuple[dict[str, list[Keyword]], list[str]]:
    """Return the tags of photos by number, and the names of photos without a number.

    Photos without tags are in neither. Raises `PushError`, naming the photo, for a tag
    that Flickr cannot store.
    """
    tags_by_number: dict[str, list[Keyword]] = {}
    unnumbered: list[str] = []
    for photo in photos:
        if not photo.keywords:
            continue
        number = flickr_number(photo.name)
        if number is None:
            unnumbered.append(photo.name)
            continue
        try:
            tags = [read_tag(one.tag, one.origin) for one in photo.keywords]
        except PushError as error:
            raise PushError(f"{photo.name}: {error}") from error
        tags_by_number.setdefault(number, []).extend(tags)
    return tags_by_number, unnumbered
