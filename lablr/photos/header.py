"""A photo as it is known before its pixels are decoded."""

from __future__ import annotations

import struct
from dataclasses import dataclass

TRUNCATED = "The photo is cut short. Copy or download the original again and retry."
CORRUPT = "The photo is damaged. Open it in an editor, save it again and retry."
# A picture of 20 MiB needs a few thousand blocks; a file made to keep this loop busy
# has millions.
MAX_BLOCKS = 200_000


@dataclass(frozen=True)
class PhotoHeader:
    """A photo as its header describes it, before any pixel is decoded.

    ``width`` and ``height`` are in pixels as stored (not yet upright), ``orientation``
    is EXIF's 1 to 8, ``n_scans`` counts the passes a JPEG decoder makes over the whole
    picture (1 unless progressive), ``slowness`` is the price of a pixel beside one of
    a PNG (measured: ``docs/safety.md``), ``essence`` the bytes of the first frame
    without anything that is not needed to decode it, ``is_cut_short`` whether they are
    too few for the size they claim.
    """

    kind: str
    width: int
    height: int
    orientation: int
    n_scans: int
    slowness: float
    essence: bytes
    is_cut_short: bool = False


def read_orientation(exif: bytes) -> int:
    """Return EXIF's orientation, 1 to 8, and 1 where it is absent or nonsense."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (offset,) = struct.unpack_from(order + "I", tiff, 4)
        (n_entries,) = struct.unpack_from(order + "H", tiff, offset)
        for entry in range(min(n_entries, 1000)):
            at = offset + 2 + 12 * entry
            tag, kind = struct.unpack_from(order + "HH", tiff, at)
            if tag == 0x0112 and kind in (1, 3, 4):
                form = {1: "B", 3: "H", 4: "I"}[kind]
                (orientation,) = struct.unpack_from(order + form, tiff, at + 8)
                return int(orientation) if 1 <= orientation <= 8 else 1
    except struct.error:
        pass  # a damaged note beside the picture is no reason to refuse the picture
    return 1
