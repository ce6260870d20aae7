"""Walk the markers of a JPEG: ISO/IEC 10918-1, annex B."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from lablr.errors import BrokenPhoto
from lablr.photos.header import (
    CORRUPT,
    MAX_BLOCKS,
    TRUNCATED,
    PhotoHeader,
    read_orientation,
)

_MARKER = re.compile(rb"\xff[\x01-\xfe]")  # two bytes, so that a run of FF stays linear
_MARKER_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_SOS, _EOI, _APP0, _APP1, _APP14 = 0xDA, 0xD9, 0xE0, 0xE1, 0xEE
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_HUFFMAN = {0xC0, 0xC1, 0xC2}
_TABLES = {0xC4, 0xCC, 0xDB, 0xDD}
_STANDALONE = {0x01, *range(0xD0, 0xD9)}
# Cameras write about ten scans; up to here the cheap upper bound is good enough.
_SCANS_NOT_WORTH_A_WALK = 20


def _jpeg_segments(
    payload: bytes, position: int, marker_pattern: re.Pattern[bytes]
) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end) of each segment; start is at the marker's FF."""
    for _ in range(MAX_BLOCKS):
        found = marker_pattern.search(payload, position)
        if found is None:
            return
        marker, position = payload[found.end() - 1], found.end()
        if marker not in _STANDALONE and marker != _EOI:
            (length,) = struct.unpack_from(">H", payload, position)
            if length < 2:
                raise BrokenPhoto(CORRUPT)
            position += length
            if position > len(payload):
                raise BrokenPhoto(TRUNCATED)
        yield marker, found.start(), position
    raise BrokenPhoto(CORRUPT)


@dataclass(frozen=True)
class _Frame:
    """A JPEG's frame header; ``sampling`` holds (horizontal, vertical) a component."""

    marker: int
    width: int
    height: int
    sampling: tuple[tuple[int, int], ...]

    @classmethod
    def parse(cls, marker: int, body: bytes) -> _Frame:
        _, height, width, n_components = struct.unpack_from(">BHHB", body)
        if len(body) != 6 + 3 * n_components:
            raise BrokenPhoto(CORRUPT)
        sampling = tuple((byte >> 4, byte & 15) for byte in body[7::3])
        if not all(1 <= factor <= 4 for pair in sampling for factor in pair):
            raise BrokenPhoto(CORRUPT)
        return cls(marker, width, height, sampling)

    def n_blocks(self) -> int:
        """Return the number of 8 x 8 blocks of all components together."""
        widest = max(horizontal for horizontal, _ in self.sampling)
        tallest = max(vertical for _, vertical in self.sampling)
        return sum(
            math.ceil(self.width * horizontal / (8 * widest))
            * math.ceil(self.height * vertical / (8 * tallest))
            for horizontal, vertical in self.sampling
        )


def read_jpeg(payload: bytes) -> PhotoHeader:
    """Return the header of a JPEG; raises BrokenPhoto and struct.error."""
    kept = [b"\xff\xd8"]
    orientation = 0
    frame: _Frame | None = None
    for marker, start, end in _jpeg_segments(payload, 2, _MARKER):
        body = payload[start + 4 : end]
        if marker == _EOI:
            break
        if marker in _FRAMES:
            if frame is not None:  # two readers would believe two different sizes
                raise BrokenPhoto(CORRUPT)
            frame = _Frame.parse(marker, body)
        if marker == _SOS:
            if frame is None:
                raise BrokenPhoto(CORRUPT)
            n_scans = _count_scans(payload, start, frame)
            return PhotoHeader(
                kind="JPEG",
                width=frame.width,
                height=frame.height,
                orientation=orientation or 1,
                n_scans=n_scans or 1,
                slowness=_slowness(frame.marker, n_scans),
                is_cut_short=_is_cut_short(payload, end, frame, n_scans),
                essence=b"".join([*kept, memoryview(payload)[start:]]),
            )
        if marker == _APP1 and not orientation and body.startswith(b"Exif\0\0"):
            orientation = read_orientation(body)
        if _is_needed_by_decoder(marker, body):
            kept.append(payload[start:end])
    raise BrokenPhoto(TRUNCATED)


def _is_cut_short(payload: bytes, end: int, frame: _Frame, n_scans: int) -> bool:
    """Return whether what follows the first scan's header cannot be all the pixels."""
    # A block takes two Huffman codes, of one bit each at least: so a small file that
    # claims a large picture is refused before memory for it is found.
    is_huffman = n_scans == 0 and frame.marker in _HUFFMAN
    if is_huffman and 2 * frame.n_blocks() > 8 * (len(payload) - end):
        return True
    return payload.rfind(b"\xff\xd9", end) < 0


def _is_needed_by_decoder(marker: int, body: bytes) -> bool:
    # These two tell YCbCr from RGB and YCCK from CMYK; libjpeg reads them whole or not.
    if marker == _APP0:
        return body.startswith(b"JFIF\0") and len(body) >= 14
    if marker == _APP14:
        return body.startswith(b"Adobe") and len(body) >= 12
    return marker in _FRAMES or marker in _TABLES


def _slowness(frame_marker: int, n_scans: int) -> float:
    if frame_marker not in _HUFFMAN:
        return 16  # arithmetic coding and lossless: rare, and slow beyond their bytes
    return max(1.0, n_scans / 20) if n_scans else 0.4


def _count_scans(payload: bytes, first_scan: int, frame: _Frame) -> int:
    """Return the number of scans, 0 where the decoder needs but one pass."""
    # With one scan that holds every component, libjpeg reads that scan only.
    n_components = payload[first_scan + 4]
    if frame.marker not in _PROGRESSIVE and n_components >= len(frame.sampling):
        return 0
    # Entropy-coded bytes never hold FF DA, so this bound errs on the high side only.
    n_scans = payload.count(b"\xff\xda", first_scan)
    if n_scans <= _SCANS_NOT_WORTH_A_WALK:
        return n_scans
    n_scans = 0
    for marker, _, _ in _jpeg_segments(payload, first_scan, _MARKER_AFTER_SCAN):
        if marker == _EOI:
            break
        n_scans += marker == _SOS
    return n_scans
