"""Tags inside photos, by Exiv2: the only module that imports pyexiv2.

pyexiv2 is licensed under the GPL, Lablr under the BSD licence; so it is the extra
``meta``, which nothing else needs (docs/write.md says what that means). Exiv2 is
given the bytes of a photo and returns others; what it returns is believed only when
everything but the lists of tags is unchanged.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lablr.errors import MissingExtra, WritingError
from lablr.metadata.integrity import kind_of, untouched
from lablr.metadata.keywords import IPTC, MADE, Additions, Keyword, Lists, additions
from lablr.metadata.xmp import EMPTY_PACKET, add_to_lists, read_lists
from lablr.photos.formats import read_header

_KEYWORDS = "Iptc.Application2.Keywords"
_CHARACTER_SET = "Iptc.Envelope.CharacterSet"
# ISO 2022's escape sequence for UTF-8, as IPTC-IIM 1:90 wants it.
_UTF_8 = "\x1b%G"
_MUTE = 4


# Offsets of EXIF parts in the file may change; their contents may not.
_OFFSETS = (
    "Exif.Image.ExifTag",
    "Exif.Image.GPSTag",
    "Exif.Image.SubIFDs",
    "Exif.MakerNote.Offset",
    "Exif.Photo.InteroperabilityTag",
    "Exif.Thumbnail.JPEGInterchangeFormat",
)

# Adobe's XMP toolkit, which is inside Exiv2, is made for one thread.
_one_at_a_time = threading.Lock()


def load_exiv2() -> Any:
    """Return the module pyexiv2; raises MissingExtra where it is not installed."""
    try:
        return importlib.import_module("pyexiv2")
    except ImportError as error:
        what = "write tags into photos; sidecars need nothing"
        raise MissingExtra("meta", what) from error


def lists_in(photo: bytes) -> Lists:
    """Return the lists of tags inside a photo of any kind that Exiv2 reads.

    Raises WritingError where it reads none, and MissingExtra.
    """
    with _opened(photo) as image:
        return _lists(image, _iptc(image))


def embed(photo: bytes, wanted: Sequence[Keyword]) -> tuple[bytes, Lists, Additions]:
    """Return the photo with these tags in it, the lists it had, and what they got.

    The bytes are the given ones where nothing is lacking. Raises PhotoError for a
    photo that is damaged or cut short; WritingError for kinds of files that hold no
    tags, and where tags cannot be written without altering something else.
    """
    kind = kind_of(photo)
    if read_header(photo).is_cut_short:
        raise WritingError("The photo is cut short; its tags are left alone.")
    before = untouched(photo)
    with _opened(photo) as image:
        iptc = _iptc(image)
        found = _lists(image, iptc)
        # IPTC has its place in a JPEG; in a PNG it is a habit of some programs, and
        # WebP has no room for it.
        may_make = (IPTC, *MADE) if kind == "JPEG" else MADE
        more = additions(found, wanted, may_make)
        if not more.to_lists:
            return photo, found, more
        others = _other_values(image, iptc)
        _add(image, iptc, found, more.to_lists)
        written = bytes(image.get_bytes())
    with _opened(written) as image:
        iptc = _iptc(image)
        if _lists(image, iptc) != _joined(found, more.to_lists):
            raise _refused("the tags")
        if _other_values(image, iptc) != others:
            raise _refused("other notes in it")
    if untouched(written) != before:
        raise _refused("its picture or what the camera wrote")
    return written, found, more


def _refused(what: str) -> WritingError:
    return WritingError(
        f"Exiv2 cannot write into this file without altering {what}: "
        "nothing was changed. Write a sidecar."
    )


@contextmanager
def _opened(photo: bytes) -> Iterator[Any]:
    """Yield the photo as Exiv2 sees it; turn its errors into WritingError."""
    exiv2 = load_exiv2()
    with _one_at_a_time:
        exiv2.set_log_level(_MUTE)
        try:
            image = exiv2.ImageData(photo)
            try:
                yield image
            finally:
                image.close()
        # pyexiv2 has no error of its own; text that is not UTF-8 is a ValueError.
        except (RuntimeError, ValueError) as error:
            raise WritingError(f"Exiv2 cannot use this file: {error}") from error


def _iptc(image: Any) -> dict[str, str | list[str]]:
    """Return every IPTC value as text, decoded as its writer meant it."""
    # Latin-1 gives each byte as the character of its number.
    found: dict[str, str | list[str]] = image.read_iptc("latin-1")
    return {
        key: [_decoded(item) for item in value]
        if isinstance(value, list)
        else _decoded(value)
        for key, value in found.items()
    }


def _decoded(value: str) -> str:
    """Decode as UTF-8 where valid, whatever the file declares, else as Windows does."""
    raw = value.encode("latin-1")
    for encoding in ("utf-8", "cp1252"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return value


def _lists(image: Any, iptc: Mapping[str, Any]) -> Lists:
    packet = image.read_raw_xmp()
    lists = dict(read_lists(packet.encode())) if packet else {}
    if _KEYWORDS in iptc:
        lists[IPTC] = tuple(iptc[_KEYWORDS])
    return lists


def _add(image: Any, iptc: Mapping[str, Any], found: Lists, to_lists: Lists) -> None:
    packet = image.read_raw_xmp().encode() or EMPTY_PACKET
    merged = add_to_lists(packet, to_lists)
    if merged != packet:
        image.modify_raw_xmp(merged.decode())
    if IPTC in to_lists:
        # With the character set, every text in IPTC becomes UTF-8, not the tags only.
        texts = {
            key: value for key, value in iptc.items() if not "".join(value).isascii()
        }
        keywords = [*found.get(IPTC, ()), *to_lists[IPTC]]
        image.modify_iptc({**texts, _CHARACTER_SET: _UTF_8, _KEYWORDS: keywords})


def _joined(found: Lists, to_lists: Lists) -> Lists:
    return {
        name: (*found.get(name, ()), *to_lists.get(name, ()))
        for name in {*found, *to_lists}
    }


def _other_values(image: Any, iptc: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return every value outside the lists, to compare before and after."""
    names = ("dc.subject", "lr.hierarchicalSubject", "digiKam.TagsList", "lablr.")
    ours = tuple(f"Xmp.{name}" for name in names)
    xmp = image.read_xmp()
    exif = image.read_exif("latin-1")
    return (
        {key: value for key, value in xmp.items() if not key.startswith(ours)},
        {k: v for k, v in iptc.items() if k not in (_KEYWORDS, _CHARACTER_SET)},
        {key: value for key, value in exif.items() if key not in _OFFSETS},
    )
