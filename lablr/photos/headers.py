"""What a photo says of itself: its kind, size, passes and orientation.

The bytes are walked by hand, before any decoder sees them, for two reasons: the
bounds hold before a pixel is allocated, and only what the pixels need (the
*essence*) goes on. Text, profiles, thumbnails, further frames and whatever hides
behind the end of the picture are left out, so they can neither burst nor differ
between two readers.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from lablr.errors import BrokenPhoto, UnsupportedPhoto

__all__ = ["CORRUPT", "PhotoHeader", "read_header"]

_TRUNCATED = "The photo is cut short. Copy or download the original again and retry."
CORRUPT = "The photo is damaged. Open it in an editor, save it again and retry."
_UNSUPPORTED = (
    "This is not a JPEG, PNG, WebP or GIF picture, whatever its name says. "
    "Convert it to JPEG and retry."
)
# A picture of 20 MiB needs a few thousand blocks; a file made to keep this loop busy
# has millions.
_MAX_BLOCKS = 200_000


@dataclass(frozen=True)
class PhotoHeader:
    """A photo as its header describes it, before any pixel is decoded.

    ``width`` and ``height`` are in pixels as stored (not yet upright), ``orientation``
    is EXIF's 1 to 8, ``n_scans`` counts the passes a JPEG decoder makes over the whole
    picture (1 unless progressive), ``slowness`` is the price of a pixel beside one of
    a PNG (see ``docs/safety.md`` for how the figures were measured), ``essence`` the
    bytes of the first frame without anything that is not needed to decode it.
    """

    kind: str
    width: int
    height: int
    orientation: int
    n_scans: int
    slowness: float
    essence: bytes


def read_header(payload: bytes) -> PhotoHeader:
    """Return the header of a JPEG, PNG, WebP or GIF, told by its content alone.

    Raises UnsupportedPhoto for anything else and BrokenPhoto where the structure
    around the pixels is cut short or contradicts itself.
    """
    if not payload:
        raise BrokenPhoto(
            "The photo is empty (0 bytes). Choose another file and retry."
        )
    try:
        if payload[:2] == b"\xff\xd8":
            return _read_jpeg(payload)
        if payload[:4] == b"\x89PNG":
            return _read_png(payload)
        if payload[:4] == b"RIFF" and payload[8:12] == b"WEBP":
            return _read_webp(payload)
        if payload[:6] in (b"GIF87a", b"GIF89a"):
            return _read_gif(payload)
    except (struct.error, IndexError) as error:
        raise BrokenPhoto(_TRUNCATED) from error
    raise UnsupportedPhoto(_UNSUPPORTED)


def _read_orientation(exif: bytes) -> int:
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


# --- JPEG: ISO/IEC 10918-1, annex B ---------------------------------------------------

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
    for _ in range(_MAX_BLOCKS):
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
                raise BrokenPhoto(_TRUNCATED)
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
            _ceil_div(self.width * horizontal, 8 * widest)
            * _ceil_div(self.height * vertical, 8 * tallest)
            for horizontal, vertical in self.sampling
        )


def _ceil_div(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)


def _read_jpeg(payload: bytes) -> PhotoHeader:
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
            n_scans = _check_scans(payload, start, end, frame)
            return PhotoHeader(
                kind="JPEG",
                width=frame.width,
                height=frame.height,
                orientation=orientation or 1,
                n_scans=n_scans or 1,
                slowness=_jpeg_slowness(frame.marker, n_scans),
                essence=b"".join([*kept, memoryview(payload)[start:]]),
            )
        if marker == _APP1 and not orientation and body.startswith(b"Exif\0\0"):
            orientation = _read_orientation(body)
        if _is_needed_by_decoder(marker, body):
            kept.append(payload[start:end])
    raise BrokenPhoto(_TRUNCATED)


def _check_scans(payload: bytes, start: int, end: int, frame: _Frame) -> int:
    """Return the number of scans, 0 where the decoder needs but one pass.

    ``start`` and ``end`` are of the first scan's header. Raises BrokenPhoto where what
    follows it cannot be the whole picture.
    """
    if payload.rfind(b"\xff\xd9", end) < 0:
        raise BrokenPhoto(_TRUNCATED)
    # With one scan that holds every component, libjpeg reads that scan only.
    if frame.marker in _PROGRESSIVE or payload[start + 4] < len(frame.sampling):
        return _count_scans(payload, start)
    # A block takes two Huffman codes, of one bit each at least: a small file that
    # claims a large picture is refused before memory for it is found.
    if frame.marker in _HUFFMAN and 2 * frame.n_blocks() > 8 * (len(payload) - end):
        raise BrokenPhoto(_TRUNCATED)
    return 0


def _is_needed_by_decoder(marker: int, body: bytes) -> bool:
    if marker in (_APP0, _APP14):  # they tell YCbCr from RGB, and YCCK from CMYK
        return body.startswith((b"JFIF\0", b"Adobe"))
    return marker in _FRAMES or marker in _TABLES


def _jpeg_slowness(frame_marker: int, n_scans: int) -> float:
    if frame_marker not in _HUFFMAN:
        return 16  # arithmetic coding and lossless: rare, and slow beyond their bytes
    return max(1.0, n_scans / 20) if n_scans else 0.4


def _count_scans(payload: bytes, first_scan: int) -> int:
    """Return the number of scans from the first one up to the end of the picture."""
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


# --- PNG: W3C Portable Network Graphics, section 5 ------------------------------------


def _png_chunks(payload: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (name, body) of the chunks that matter, their checksums verified."""
    position = 8
    for _ in range(_MAX_BLOCKS):
        length, name = struct.unpack_from(">I4s", payload, position)
        end = position + 8 + length
        (checksum,) = struct.unpack_from(">I", payload, end)
        if name in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"eXIf", b"IEND"):
            if zlib.crc32(memoryview(payload)[position + 4 : end]) != checksum:
                raise BrokenPhoto(CORRUPT)
            yield name, payload[position + 8 : end]
        if name == b"IEND":
            return
        position = end + 4
    raise BrokenPhoto(CORRUPT)


def _png_chunk(name: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(body, zlib.crc32(name))
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)


def _read_png(payload: bytes) -> PhotoHeader:
    if payload[:8] != b"\x89PNG\r\n\x1a\n":
        raise BrokenPhoto(CORRUPT)
    chunks: dict[bytes, bytes] = {}
    pixels: list[bytes] = []
    for name, body in _png_chunks(payload):
        if not chunks and (name != b"IHDR" or len(body) != 13):
            raise BrokenPhoto(CORRUPT)
        if name == b"IDAT":
            pixels.append(body)
        else:
            chunks.setdefault(name, body)
    width, height, depth, colour = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    if len(chunks.get(b"PLTE", b"")) > 768 or len(chunks.get(b"tRNS", b"")) > 256:
        raise BrokenPhoto(CORRUPT)
    if (depth, colour) == (16, 2) and len(chunks.get(b"tRNS", b"")) == 6:
        # Pillow keeps the high byte of each sample but compares it with the whole key.
        key = struct.unpack(">3H", chunks[b"tRNS"])
        chunks[b"tRNS"] = struct.pack(">3H", *(sample >> 8 for sample in key))
    kept = [b"IHDR", *(name for name in (b"PLTE", b"tRNS") if name in chunks)]
    return PhotoHeader(
        kind="PNG",
        width=width,
        height=height,
        orientation=_read_orientation(chunks.get(b"eXIf", b"")),
        n_scans=1,
        slowness=1,
        essence=b"".join(
            [
                payload[:8],
                *(_png_chunk(name, chunks[name]) for name in kept),
                _png_chunk(b"IDAT", b"".join(pixels)),
                _png_chunk(b"IEND", b""),
            ]
        ),
    )


# --- WebP: RFC 9649, section 2 --------------------------------------------------------


def _webp_chunks(payload: bytes) -> dict[bytes, bytes]:
    """Return the first chunk of each kind, whole with its eight bytes of header."""
    end = 8 + struct.unpack_from("<I", payload, 4)[0]
    if end > len(payload):
        raise BrokenPhoto(_TRUNCATED)
    chunks: dict[bytes, bytes] = {}
    position = 12
    for _ in range(_MAX_BLOCKS):
        if position + 8 > end:
            return chunks
        name, length = struct.unpack_from("<4sI", payload, position)
        following = position + 8 + length + length % 2
        if position + 8 + length > end:
            raise BrokenPhoto(_TRUNCATED)
        if name not in chunks:
            chunks[name] = payload[position:following].ljust(
                following - position, b"\0"
            )
        position = following
    raise BrokenPhoto(CORRUPT)


def _read_webp(payload: bytes) -> PhotoHeader:
    chunks = _webp_chunks(payload)
    if b"VP8X" in chunks:
        extended = chunks[b"VP8X"]
        flags = extended[8] & 0x12  # transparency and animation; no profile, no notes
        width = int.from_bytes(extended[12:15], "little") + 1
        height = int.from_bytes(extended[15:18], "little") + 1
        chunks[b"VP8X"] = extended[:8] + bytes([flags]) + extended[9:]
        names = [b"ANIM", b"ANMF"] if flags & 2 else [b"ALPH", b"VP8 ", b"VP8L"]
        kept = [b"VP8X", *(name for name in names if name in chunks)]
    elif b"VP8L" in chunks:
        (bits,) = struct.unpack_from("<I", chunks[b"VP8L"], 9)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        kept = [b"VP8L"]
    elif b"VP8 " in chunks:
        width, height = struct.unpack_from("<HH", chunks[b"VP8 "], 14)
        width, height = width & 0x3FFF, height & 0x3FFF
        kept = [b"VP8 "]
    else:
        raise BrokenPhoto(CORRUPT)
    body = b"WEBP" + b"".join(chunks[name] for name in kept)
    return PhotoHeader(
        kind="WEBP",
        width=width,
        height=height,
        orientation=_read_orientation(chunks.get(b"EXIF", b"")[8:]),
        n_scans=1,
        slowness=2,  # more in memory than in time
        essence=b"RIFF" + struct.pack("<I", len(body)) + body,
    )


# --- GIF: CompuServe GIF89a, sections 17 to 27 ----------------------------------------


class _GifWalk:
    """A position in a GIF that moves block by block and never past the end."""

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.position = 13 + self._palette_size(payload[10])
        self.blocks_left = _MAX_BLOCKS

    @staticmethod
    def _palette_size(flags: int) -> int:
        return 3 << (flags & 7) + 1 if flags & 0x80 else 0

    def skip_blocks(self) -> None:
        while length := self.payload[self.position]:
            self.position += 1 + length
            self.blocks_left -= 1
            if self.blocks_left < 0:
                raise BrokenPhoto(CORRUPT)
        self.position += 1

    def skip_extension(self) -> bytes:
        start = self.position
        self.position += 2
        self.skip_blocks()
        return self.payload[start : self.position]

    def skip_frame(self) -> bytes:
        start = self.position
        self.position += 11 + self._palette_size(self.payload[start + 9])
        self.skip_blocks()
        return self.payload[start : self.position]


def _read_gif(payload: bytes) -> PhotoHeader:
    width, height = struct.unpack_from("<HH", payload, 6)
    walk = _GifWalk(payload)
    head = payload[: walk.position]
    control = frame = b""
    while (introducer := payload[walk.position]) != 0x3B:
        if introducer == 0x21:
            extension = walk.skip_extension()
            if extension[1] == 0xF9 and not frame:
                control = extension
        elif introducer == 0x2C:
            this_frame = walk.skip_frame()
            frame = frame or this_frame
        elif frame:
            break  # rubbish after a whole picture is as harmless as trailing bytes
        else:
            raise BrokenPhoto(CORRUPT)
    if not frame:
        raise BrokenPhoto(CORRUPT)
    left, top, frame_width, frame_height = struct.unpack_from("<4H", frame, 1)
    return PhotoHeader(
        kind="GIF",
        # A frame may reach beyond the screen it is drawn on; Pillow then grows it.
        width=max(width, left + frame_width),
        height=max(height, top + frame_height),
        orientation=1,
        n_scans=1,
        slowness=1,
        essence=head + control + frame + b";",
    )
