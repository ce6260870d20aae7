"""Read what a photo says of itself: its kind, size, passes and orientation.

The bytes are walked by hand, before any decoder sees them, for two reasons: the
bounds hold before a pixel is allocated, and only what the pixels need (the
*essence*) goes on. Text, profiles, thumbnails, further frames and whatever hides
behind the end of the picture are left out, so they can neither burst nor differ
between two readers.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from lablr.errors import BrokenPhoto, UnsupportedPhoto
from lablr.photos.header import (
    CORRUPT,
    MAX_BLOCKS,
    TRUNCATED,
    PhotoHeader,
    read_orientation,
)
from lablr.photos.jpeg import read_jpeg

_UNSUPPORTED = (
    "This is not a JPEG, PNG, WebP or GIF picture, whatever its name says. "
    "Convert it to JPEG and retry."
)
_OTHER_KIND = (
    "This is {}; JPEG, PNG, WebP and GIF are accepted. "
    "Save or export it as JPEG and retry."
)
# ISO/IEC 23008-12, the brands of pictures in HEIF; AVIF's own are avif and avis.
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")


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
            return read_jpeg(payload)
        if payload[:4] == b"\x89PNG":
            return _read_png(payload)
        if payload[:4] == b"RIFF" and payload[8:12] == b"WEBP":
            return _read_webp(payload)
        if payload[:6] in (b"GIF87a", b"GIF89a"):
            return _read_gif(payload)
    except (struct.error, IndexError) as error:
        raise BrokenPhoto(TRUNCATED) from error
    kind = _other_kind(payload)
    raise UnsupportedPhoto(_OTHER_KIND.format(kind) if kind else _UNSUPPORTED)


def _other_kind(payload: bytes) -> str | None:
    """Name what people take for a photo of theirs, so that they know what to do."""
    if payload[:4] in (b"II*\0", b"MM\0*"):
        return "a TIFF picture or a camera's raw file"
    if payload[4:8] != b"ftyp":
        return None
    if payload[8:12] in (b"avif", b"avis"):
        return "an AVIF picture"
    if payload[8:12] in _HEIF_BRANDS:
        return "a HEIC picture, as phones take them"
    return "a video or another picture of a camera"


# --- PNG: W3C Portable Network Graphics, section 5 ------------------------------------


def _png_chunks(payload: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (name, body) of the chunks that matter, their checksums verified."""
    position = 8
    for _ in range(MAX_BLOCKS):
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
        orientation=read_orientation(chunks.get(b"eXIf", b"")),
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
        raise BrokenPhoto(TRUNCATED)
    chunks: dict[bytes, bytes] = {}
    position = 12
    for _ in range(MAX_BLOCKS):
        if position + 8 > end:
            return chunks
        name, length = struct.unpack_from("<4sI", payload, position)
        following = position + 8 + length + length % 2
        if position + 8 + length > end:
            raise BrokenPhoto(TRUNCATED)
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
        orientation=read_orientation(chunks.get(b"EXIF", b"")[8:]),
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
        self.blocks_left = MAX_BLOCKS

    @staticmethod
    def _palette_size(flags: int) -> int:
        return 3 << (flags & 7) + 1 if flags & 0x80 else 0

    def skip(self, n_bytes: int) -> bytes:
        """Return so many bytes and the blocks behind them."""
        start = self.position
        self.position += n_bytes
        while length := self.payload[self.position]:
            self.position += 1 + length
            self.blocks_left -= 1
            if self.blocks_left < 0:
                raise BrokenPhoto(CORRUPT)
        self.position += 1
        return self.payload[start : self.position]

    def skip_frame(self) -> bytes:
        return self.skip(11 + self._palette_size(self.payload[self.position + 9]))


def _read_gif(payload: bytes) -> PhotoHeader:
    width, height = struct.unpack_from("<HH", payload, 6)
    walk = _GifWalk(payload)
    head = payload[: walk.position]
    control = frame = b""
    while (introducer := payload[walk.position]) != 0x3B:
        if introducer == 0x21:
            extension = walk.skip(2)
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
