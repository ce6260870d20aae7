"""The parts of a photo's file that must not change when tags are written into it.

The file is cut into its segments or chunks, and those that hold tags are left out.
What remains has to be equal, byte for byte, before and after: all of a JPEG from its
first scan on, every picture chunk of a PNG or WebP, profiles, thumbnails, EXIF.
Among themselves they keep their order, too, but for what stands beside a JPEG's
picture: a comment or an application's segment may be anywhere before the frame
(T.81, B.2.4). Exiv2 moves those that it does not know, and ends a comment with NUL.

Sources: ITU T.81, annex B; W3C PNG, section 5 and 11; RFC 9649; CIPA DC-007 (MPF).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from lablr.errors import BrokenPhoto, WritingError

_SOS = 0xDA
_APP1, _APP2, _APP13 = 0xE1, 0xE2, 0xED
_COMMENT = 0xFE
_BESIDE = {*range(0xE0, 0xF0), _COMMENT}  # what applications put there
_XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"
_PHOTOSHOP_SEGMENT = b"Photoshop 3.0\0"

# Where PNG keeps XMP and what ImageMagick's way of keeping IPTC and EXIF is.
_PNG_TAGS = (b"XML:com.adobe.xmp\0", b"Raw profile type ")
_PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_XMP_FLAG, _EXIF_FLAG = 0x04, 0x08


def kind_of(photo: bytes) -> str:
    """Return "JPEG", "PNG" or "WebP", the kinds of files that tags are written into.

    Raises WritingError for every other.
    """
    if photo[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if photo[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if photo[:4] == b"RIFF" and photo[8:12] == b"WEBP":
        return "WebP"
    raise WritingError(
        "Tags go into JPEG, PNG and WebP files only. Write a sidecar for this one."
    )


def untouched(photo: bytes) -> tuple[bytes, ...]:
    """Return the parts of a photo that no writing of tags may alter, in their order.

    Raises BrokenPhoto where the structure of the file is damaged.
    """
    parts = {"JPEG": _of_jpeg, "PNG": _of_png, "WebP": _of_webp}[kind_of(photo)]
    try:
        return tuple(parts(photo))
    except (struct.error, IndexError, zlib.error, ValueError) as error:
        raise BrokenPhoto("The photo is damaged; its tags are left alone.") from error


def _of_jpeg(photo: bytes) -> Iterator[bytes]:
    """Yield the picture in its order, then what stands beside it, kind by kind."""
    beside: list[tuple[int, bytes]] = []
    position = 2
    while True:
        if photo[position] != 0xFF:
            raise ValueError("no marker")
        marker = photo[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker == _SOS:
            yield photo[position:]
            # Of one kind they keep their order: a profile may lie in several.
            for kind, part in sorted(beside, key=lambda one: one[0]):
                yield bytes([kind]) + part
            return
        (length,) = struct.unpack_from(">H", photo, position + 2)
        body = photo[position + 4 : position + 2 + length]
        if marker == _APP2 and body.startswith(b"MPF\0"):
            # It says where the file's other pictures are, counted from itself.
            yield str(len(photo) - position).encode()
        if marker not in _BESIDE:
            yield bytes([marker]) + body
        elif not (marker == _APP1 and body.startswith(_XMP_SEGMENT)) and not (
            marker == _APP13 and body.startswith(_PHOTOSHOP_SEGMENT)
        ):
            end = b"\0" if marker == _COMMENT else b""
            beside.append((marker, body.removesuffix(end)))
        position += 2 + length


def _of_png(photo: bytes) -> Iterator[bytes]:
    """Yield the picture's chunks in their order, then the texts and the profile."""
    beside: list[bytes] = []
    position = 8
    while True:
        length, name = struct.unpack_from(">I4s", photo, position)
        body = photo[position + 8 : position + 8 + length]
        position += 12 + length
        if len(photo) < position:
            raise ValueError("cut short")
        if name == b"iCCP":
            # Exiv2 writes it anew: its name and compression may change.
            packed = body[body.index(b"\0") + 2 :]
            beside.append(zlib.decompressobj().decompress(packed, 64 << 20))
        elif name in _PNG_TEXTS:
            if not body.startswith(_PNG_TAGS):
                beside.append(name + body)
        elif name != b"eXIf":  # written anew, too: its values are compared instead
            yield name + body
        if name == b"IEND":
            yield photo[position:]
            yield from sorted(beside)
            return


def _of_webp(photo: bytes) -> Iterator[bytes]:
    end = 8 + struct.unpack_from("<I", photo, 4)[0]
    if end > len(photo):
        raise ValueError("cut short")
    position = 12
    while position + 8 <= end:
        name, length = struct.unpack_from("<4sI", photo, position)
        body = photo[position + 8 : position + 8 + length]
        # VP8X says which other chunks there are; a plain file has none.
        if name == b"VP8X" and (flags := body[0] & ~(_XMP_FLAG | _EXIF_FLAG)):
            yield name + bytes([flags]) + body[4:]
        if name not in (b"XMP ", b"EXIF", b"VP8X"):
            yield name + body
        position += 8 + length + length % 2
    yield photo[end:]
