"""A photo as Flickr has it now: its owner and its tags.

Sources: https://www.flickr.com/services/api/flickr.photos.getInfo.html and, on machine
tags, https://www.flickr.com/groups/api/discuss/72157594497877875/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lablr.errors import CorpusError, DownloadError
from lablr.flickr.session import FlickrSession
from lablr.metadata import Keyword
from lablr.tags import normalize

_MACHINE = re.compile(r"([a-z][a-z0-9_]*):([a-z][a-z0-9_]*)=(.+)", re.I | re.S)


@dataclass(frozen=True)
class FlickrTag:
    """A tag of a photo.

    id : Flickr's number of this tag on this photo.
    raw : as its author wrote it.
    forms : what it is the same as, in normal form.
    """

    id: str
    author: str
    raw: str
    forms: frozenset[str]


@dataclass(frozen=True)
class FlickrPhoto:
    """A photo, its owner's number and name, and its tags in Flickr's order."""

    id: str
    owner: str
    owner_name: str
    title: str
    tags: tuple[FlickrTag, ...]

    def lacking(self, keywords: Iterable[Keyword]) -> list[Keyword]:
        """Return the keywords that the photo lacks, each once, in their order."""
        known = {form for tag in self.tags for form in tag.forms}
        new: dict[str, Keyword] = {}
        for keyword in keywords:
            new.setdefault(form_of(text_of(keyword)), keyword)
        return [keyword for form, keyword in new.items() if form not in known]

    def tags_since(
        self, before: Iterable[str], forms: Iterable[str], author: str
    ) -> dict[str, FlickrTag]:
        """Return by their form the tags of an author that were not there before.

        before : the numbers of the tags that were there.
        """
        there, wanted = {*before}, {*forms}
        return {
            form: tag
            for tag in self.tags
            if tag.id not in there and tag.author == author
            for form in tag.forms & wanted
        }


def fetch_photo(session: FlickrSession, photo_id: str) -> FlickrPhoto:
    """Ask Flickr for a photo; raises RefusedByFlickr or DownloadError."""
    answer = session.call("flickr.photos.getInfo", photo_id=photo_id)
    try:
        info = answer["photo"]
        owner, tags = info["owner"], info["tags"]["tag"]
        return FlickrPhoto(
            id=str(info["id"]),
            owner=str(owner["nsid"]),
            owner_name=str(owner.get("username", "")),
            title=_content(info.get("title")),
            tags=tuple(_tag(tag) for tag in tags),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise DownloadError(
            "Flickr's answer to flickr.photos.getInfo is not as documented"
        ) from error


def text_of(keyword: Keyword) -> str:
    """Return a keyword as Flickr has it: of a hierarchy the narrowest word."""
    return keyword.path[-1]


def form_of(tag: str) -> str:
    """Return a tag's normal form; a machine tag (``geo:lat=52``) keeps its three parts.

    Raises CorpusError when nothing is left of it.
    """
    if machine := _MACHINE.fullmatch(tag.strip()):
        space, name, value = machine.groups()
        return f"{space}:{name}=".lower() + normalize(value)
    return normalize(tag)


def quoted(tags: Iterable[str]) -> str:
    """Return tags as ``addTags`` takes them: spaces between, and quotes where needed.

    A quotation mark cannot be part of a tag, whose normal form is the same without.
    """
    return " ".join(_quoted(tag.replace('"', "")) for tag in tags)


def _quoted(tag: str) -> str:
    is_one_word = not any(c.isspace() or c == "," for c in tag)
    return tag if is_one_word else f'"{" ".join(tag.split())}"'


def _tag(tag: Mapping[str, Any]) -> FlickrTag:
    raw = str(tag["raw"])
    forms = set()
    for text in (raw, _content(tag)):
        with suppress(CorpusError):  # signs only, which nothing of ours is the same as
            forms.add(form_of(text))
    return FlickrTag(str(tag["id"]), str(tag["author"]), raw, frozenset(forms))


def _content(value: object) -> str:
    return str(value.get("_content", "")) if isinstance(value, dict) else ""
