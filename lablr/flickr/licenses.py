"""Flickr's licences, by Flickr's numbers.

The list is fetched, because it changes: in June 2025 Flickr added Creative Commons
4.0. Source: https://www.flickr.com/services/api/flickr.photos.licenses.getInfo.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lablr.errors import DownloadError
from lablr.flickr.session import FlickrSession

GROUPS = ("open", "commercial", "all")
# What Flickr calls them; they are open, and have no address at Creative Commons.
NO_KNOWN_COPYRIGHT, US_GOVERNMENT = "7", "8"
_DEED = re.compile(
    r"https?://creativecommons\.org/(licenses|publicdomain)/([a-z-]+)/([\d.]+)"
)
_PUBLIC_DOMAIN = {"zero": "CC0", "mark": "Public Domain Mark"}


@dataclass(frozen=True)
class License:
    """A licence: its short name and where it is written."""

    name: str
    url: str

    @property
    def terms(self) -> str:
        """Return ``by-nc-sa`` and the like; "" outside Creative Commons."""
        found = _DEED.match(self.url)
        return found[2] if found else ""


def read_licenses(session: FlickrSession) -> dict[str, License]:
    """Ask Flickr which licences it has, by their numbers; raises DownloadError."""
    answer = session.call("flickr.photos.licenses.getInfo")
    try:
        listed = [
            (str(entry["id"]), str(entry["name"]), str(entry["url"] or ""))
            for entry in answer["licenses"]["license"]
        ]
    except (KeyError, TypeError) as error:
        raise DownloadError("Flickr's list of licences holds no licences") from error
    return {number: License(_name(name, url), url) for number, name, url in listed}


def license_numbers(text: str, known: Mapping[str, License]) -> tuple[str, ...]:
    """Return the numbers of ``open``, ``commercial``, ``all`` or ``4,5,9``.

    Raises DownloadError for a number that Flickr does not have.
    """
    if text in GROUPS:
        return tuple(number for number in known if _is_in(text, number, known[number]))
    numbers = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for number in numbers:
        if number not in known:
            names = ", ".join(f"{n} {license.name}" for n, license in known.items())
            raise DownloadError(
                f"{number[:20]!r} is no licence: give {', '.join(GROUPS)} or numbers "
                f"of {names}"
            )
    return numbers


def _is_in(group: str, number: str, license: License) -> bool:
    is_open = license.terms or number in (NO_KNOWN_COPYRIGHT, US_GOVERNMENT)
    if group == "commercial":
        return bool(is_open and "nc" not in license.terms.split("-"))
    return bool(is_open or group == "all")


def _name(name: str, url: str) -> str:
    """Return Creative Commons' own short name: Flickr has changed those it uses."""
    found = _DEED.match(url)
    if not found:
        return name
    kind, terms, version = found.groups()
    if kind == "publicdomain":
        return f"{_PUBLIC_DOMAIN.get(terms, terms)} {version}"
    return f"CC {terms.upper()} {version}"
