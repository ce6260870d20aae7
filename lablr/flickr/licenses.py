"""Flickr's licences by the numbers its API gives them.

Source: https://www.flickr.com/services/api/flickr.photos.licenses.getInfo.html
"""

from __future__ import annotations

from dataclasses import dataclass

from lablr.errors import DownloadError

__all__ = ["LICENSES", "License", "license_ids"]

_CC = "https://creativecommons.org/"


@dataclass(frozen=True)
class License:
    """A licence: its short name and where it is written."""

    name: str
    url: str


def _cc(kind: str, version: str) -> License:
    name = f"CC {kind.upper()} {version}"
    return License(name, f"{_CC}licenses/{kind}/{version}/")


LICENSES = {
    "0": License("All Rights Reserved", ""),
    **{
        str(number): _cc(kind, "2.0")
        for number, kind in enumerate(
            ("by-nc-sa", "by-nc", "by-nc-nd", "by", "by-sa", "by-nd"), 1
        )
    },
    "7": License(
        "No known copyright restrictions", "https://www.flickr.com/commons/usage/"
    ),
    "8": License(
        "United States Government Work", "https://www.usa.gov/government-copyright"
    ),
    "9": License("CC0 1.0", f"{_CC}publicdomain/zero/1.0/"),
    "10": License("Public Domain Mark 1.0", f"{_CC}publicdomain/mark/1.0/"),
    **{
        str(number): _cc(kind, "4.0")
        for number, kind in enumerate(
            ("by", "by-sa", "by-nd", "by-nc", "by-nc-sa", "by-nc-nd"), 11
        )
    },
}
_GROUPS = {
    "all": tuple(LICENSES),
    "open": tuple(number for number in LICENSES if number != "0"),
    "commercial": ("4", "5", "6", "7", "8", "9", "10", "11", "12", "13"),
}


def license_ids(text: str) -> tuple[str, ...]:
    """Return Flickr's numbers of ``open``, ``commercial``, ``all`` or ``4,5,9``.

    Raises DownloadError for a number that Flickr does not have.
    """
    if text in _GROUPS:
        return _GROUPS[text]
    numbers = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for number in numbers:
        if number not in LICENSES:
            names = ", ".join(f"{n} {known.name}" for n, known in LICENSES.items())
            raise DownloadError(
                f"{number[:20]!r} is no licence: give {', '.join(_GROUPS)} or numbers "
                f"of {names}"
            )
    return numbers
