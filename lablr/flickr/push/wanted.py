"""Photos and their accepted tags to push, from words or JSON lines.

A line is an object of a photo: ``flickr_id``, or its page on Flickr as ``page`` or
``link``; and ``tags``, ``accepted`` or ``typed``, each a list of texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from lablr.errors import CorpusError, PushError, WritingError
from lablr.flickr.push.photo import form_of, text_of
from lablr.metadata import Keyword
from lablr.metadata.keywords import Origin

MAX_LINE_BYTES = 1 << 20
_PHOTO = re.compile(
    r"(?:https?://(?:www\.)?flickr\.com/photos/[^/?#]+/)?([0-9]{1,20})(?:[/?#].*)?"
)


def read_photo_id(text: str) -> str:
    """Return the number of a photo, from it or from its page; raises PushError."""
    found = _PHOTO.fullmatch(text.strip())
    if not found:
        raise PushError(
            f"{text[:80]!r} is no photo of Flickr: give its number, or its page "
            "https://www.flickr.com/photos/NAME/NUMBER"
        )
    return found[1]


def read_tag(text: str, origin: Origin) -> Keyword:
    """Return a tag to push; raises PushError for what Flickr cannot have."""
    try:
        keyword = Keyword(text, origin)
        form_of(text_of(keyword))
    except (WritingError, CorpusError) as error:
        raise PushError(str(error)) from error
    return keyword


def read_wanted(lines: Iterable[bytes], origin: Origin) -> dict[str, list[Keyword]]:
    """Read JSON lines to the end, so that nothing is pushed from a bad list.

    origin : of what stands in ``tags``: "accepted" or "typed".

    Returns the tags of each photo, in the order of the lines. Raises PushError, naming
    the line, for one that is not as it should be.
    """
    wanted: dict[str, list[Keyword]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = _record(line)
            keywords = wanted.setdefault(_photo_of(record), [])
            keywords += _keywords(record, origin)
        except PushError as error:
            raise PushError(f"line {number}: {error}") from error
    return wanted


def _record(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_LINE_BYTES:
        raise PushError("is longer than 1 MiB")
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise PushError("is no JSON") from None
    if not isinstance(record, dict):
        raise PushError('is no object such as {"flickr_id": "5001", "tags": ["sea"]}')
    return record


def _photo_of(record: dict[str, Any]) -> str:
    for name in ("flickr_id", "page", "link"):
        if value := record.get(name):
            return read_photo_id(str(value))
    raise PushError("names no photo: it has neither flickr_id, page nor link")


def _keywords(record: dict[str, Any], origin: Origin) -> Iterator[Keyword]:
    origins: dict[str, Origin]
    origins = {"accepted": "accepted", "typed": "typed", "tags": origin}
    if not origins.keys() & record.keys():
        raise PushError("has no tags: neither accepted, typed nor tags")
    # The first list that names a tag decides its origin.
    for name in origins:
        listed = record.get(name) or []
        if not isinstance(listed, list):
            raise PushError(f"{name} is no list")
        for tag in listed:
            if isinstance(tag, dict):
                raise PushError(
                    f"{name} holds suggestions with probabilities: a person accepts "
                    "them first (docs/push.md says how)"
                )
            if not isinstance(tag, str):
                raise PushError(f"{name} holds {str(tag)[:40]}, which is no text")
            yield read_tag(tag, origins[name])
