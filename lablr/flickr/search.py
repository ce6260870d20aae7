"""Search Flickr's photos by tag, and list its hot tags.

Sources: https://www.flickr.com/services/api/flickr.photos.search.html and
https://www.flickr.com/services/api/flickr.tags.getHotList.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lablr.errors import CorpusError, DownloadError
from lablr.flickr.licenses import License, license_numbers
from lablr.flickr.session import FlickrSession
from lablr.tags import normalize

EXTRAS = ("date_upload", "license", "owner_name", "tags", "views")
# Suffix of Flickr's url_ fields, from small to large; "o" is the original.
SIZES = ("t", "s", "n", "m", "z", "c", "l", "o")
MAX_PER_TAG = 4000  # "Flickr will return at most the first 4,000 results"
_SORTS = {"relevance": "relevance", "interestingness": "interestingness-desc"}


@dataclass(frozen=True)
class SearchConfig:
    """The photos to search for: how many a tag, their order, licences and size.

    licenses : numbers with commas between them, or a group of
        `lablr.flickr.licenses.GROUPS`, which `resolved` turns into numbers.
    """

    per_tag: int = 100
    sort: str = "relevance"
    licenses: str = "open"
    size: str = "c"
    per_page: int = 500  # the most that Flickr gives

    def resolved(self, known: Mapping[str, License]) -> SearchConfig:
        """Return this with the numbers of licences; raises DownloadError."""
        return replace(self, licenses=",".join(license_numbers(self.licenses, known)))


@dataclass(frozen=True)
class FoundPhoto:
    """A photo as the search describes it; ``url`` is its picture, "" without one.

    ``uploaded`` is in seconds since 1970, 0 where Flickr does not say it.
    """

    id: str
    url: str
    tags: tuple[str, ...]
    title: str = ""
    owner: str = ""
    owner_name: str = ""
    license: str = ""
    views: int = 0
    uploaded: int = 0
    n_pixels: int = 0


@dataclass(frozen=True)
class Page:
    """One page of the photos of a tag; ``total`` is how many Flickr says it has."""

    photos: tuple[FoundPhoto, ...]
    total: int


def search_page(
    session: FlickrSession, tag: str, page: int, config: SearchConfig
) -> Page:
    """Return a page, counted from 1, of the public photos that carry a tag.

    Beyond the last page Flickr gives an empty one or the last again; how many it
    says there are changes from page to page, so that is not asked.
    Records that are not as documented are passed over. Raises DownloadError.
    """
    answer = session.call(
        "flickr.photos.search",
        tags=tag,
        tag_mode="all",
        media="photos",
        content_type=1,
        safe_search=1,
        sort=_SORTS[config.sort],
        license=config.licenses,
        extras=",".join([*EXTRAS, *(f"url_{size}" for size in SIZES)]),
        per_page=min(config.per_tag, config.per_page),
        page=page,
    ).get("photos")
    if not isinstance(answer, dict) or not isinstance(answer.get("photo"), list):
        raise DownloadError("Flickr's answer to flickr.photos.search has no photos")
    records = (_found(record, tag, config.size) for record in answer["photo"])
    return Page(
        tuple(photo for photo in records if photo),
        _number(answer.get("total")),
    )


def hot_tags(session: FlickrSession, count: int = 20) -> list[str]:
    """Return the tags that are hot on Flickr this week; raises DownloadError."""
    answer = session.call("flickr.tags.getHotList", period="week", count=count)
    try:
        names = [entry["_content"] for entry in answer["hottags"]["tag"]]
    except (KeyError, TypeError) as error:
        raise DownloadError("Flickr's list of hot tags holds no tags") from error
    return _normal(str(name) for name in names)


def _found(record: object, tag: str, size: str) -> FoundPhoto | None:
    if not isinstance(record, dict):
        return None
    photo_id = str(record.get("id", ""))
    # The number becomes a file's name.
    if not (photo_id.isascii() and photo_id.isdecimal() and len(photo_id) <= 20):
        return None
    suffix = _best_size(record, size)
    width = _number(record.get(f"width_{suffix}"))
    return FoundPhoto(
        id=photo_id,
        url=str(record.get(f"url_{suffix}", "")),
        tags=tuple(sorted({tag, *_normal(_text(record, "tags").split())})),
        title=_text(record, "title"),
        owner=_text(record, "owner"),
        owner_name=_text(record, "ownername"),
        license=_text(record, "license"),
        views=_number(record.get("views")),
        uploaded=_number(record.get("dateupload")),
        n_pixels=width * _number(record.get(f"height_{suffix}")),
    )


def _best_size(record: dict[str, Any], size: str) -> str:
    """Return the size that was asked for, else the next smaller, else larger."""
    wanted = SIZES.index(size)
    order = [*SIZES[wanted::-1], *SIZES[wanted + 1 :]]
    for suffix in order:
        url = record.get(f"url_{suffix}")
        if isinstance(url, str) and url.startswith(("http://", "https://")):
            return suffix
    return "none"


def _normal(tags: Iterable[str]) -> list[str]:
    """Return tags in normal form, without machine tags (``geo:lat=52``)."""
    kept: dict[str, None] = {}
    for tag in tags:
        if ":" in tag and "=" in tag:
            continue
        try:
            kept[normalize(tag)] = None
        except CorpusError:
            continue
    return list(kept)


def _text(record: dict[str, Any], key: str) -> str:
    """Return a text that any file can hold, lone surrogates replaced."""
    value = record.get(key, "")
    if isinstance(value, dict):
        value = value.get("_content", "")
    return str(value).encode("utf-8", "replace").decode("utf-8")[:10_000]


def _number(value: object) -> int:
    try:
        return max(0, int(str(value)[:18]))
    except ValueError:
        return 0
