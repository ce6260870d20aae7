"""Write photos that no ordinary program writes: by hand, chunk by chunk."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from PIL import Image


@cache
def photo(width: int = 96, height: int = 64) -> Image.Image:
    """Return a real photo, the roof of a temple in China, at this size."""
    path = Path(sklearn.__file__).parent / "datasets" / "images" / "china.jpg"
    with Image.open(path) as image:
        return image.convert("RGB").resize((width, height))


def save(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return the image as a file of this kind, written by Pillow."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


# --- JPEG -----------------------------------------------------------------------------


def jpeg(image: Image.Image | None = None, **options: Any) -> bytes:
    """Return a JPEG, by default of the real photo at high quality."""
    options = {"quality": 90, **options}
    return save(photo() if image is None else image, "JPEG", **options)


def segment(marker: int, body: bytes) -> bytes:
    """Return one JPEG segment: FF, marker, length, body."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segments(photo_bytes: bytes, *segments: bytes) -> bytes:
    """Put segments right behind a JPEG's first marker."""
    return photo_bytes[:2] + b"".join(segments) + photo_bytes[2:]


def find_segment(photo_bytes: bytes, *markers: int) -> tuple[int, int]:
    """Return (start, end) of the first segment of one of these markers."""
    position = 2
    while photo_bytes[position + 1] not in markers:
        position += 2 + int.from_bytes(photo_bytes[position + 2 : position + 4], "big")
    length = int.from_bytes(photo_bytes[position + 2 : position + 4], "big")
    return position, position + 2 + length


def without_segment(photo_bytes: bytes, *markers: int) -> bytes:
    """Take the first segment of one of these markers out of a JPEG."""
    start, end = find_segment(photo_bytes, *markers)
    return photo_bytes[:start] + photo_bytes[end:]


def patched(photo_bytes: bytes, at: int, replacement: bytes) -> bytes:
    """Overwrite the bytes at this place."""
    return photo_bytes[:at] + replacement + photo_bytes[at + len(replacement) :]


def resized_header(photo_bytes: bytes, width: int, height: int) -> bytes:
    """Forge the size in a JPEG's frame header and leave the pixels as they are."""
    start, _ = find_segment(photo_bytes, 0xC0, 0xC2)
    return patched(photo_bytes, start + 5, struct.pack(">HH", height, width))


def progressive_bomb(width: int, height: int, n_scans: int) -> bytes:
    """Return a black progressive JPEG of a few kB and as many passes as wanted.

    Each refinement scan says "nothing new" for 32,767 blocks in two bytes, yet makes
    the decoder visit every coefficient of one component.
    """

    def huffman(table: int, symbol: int) -> bytes:
        return segment(0xC4, bytes([table, 1, *[0] * 15, symbol]))

    n_blocks = -(-width // 8) * -(-height // 8)
    bits = ("0" + "1" * 14) * (n_blocks // 32_767 + 1)
    bits += "1" * (-len(bits) % 8)
    nothing_new = int(bits, 2).to_bytes(len(bits) // 8, "big")
    nothing_new = nothing_new.replace(b"\xff", b"\xff\0")
    components = b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
    scans = [segment(0xDA, bytes([3, 1, 0, 2, 0, 3, 0, 0, 0, 0]))]
    scans.append(bytes(-(-3 * n_blocks // 8)))
    for scan in range(n_scans - 1):
        scans += [segment(0xDA, bytes([1, scan % 3 + 1, 0, 1, 63, 0x10])), nothing_new]
    return b"".join(
        [
            b"\xff\xd8",
            segment(0xDB, bytes([0, *[1] * 64])),
            segment(0xC2, struct.pack(">BHHB", 8, height, width, 3) + components),
            huffman(0x00, 0x00),
            huffman(0x10, 0xE0),
            *scans,
            b"\xff\xd9",
        ]
    )


def exif(orientation: int, order: str = ">") -> bytes:
    """Return EXIF of one entry, the orientation."""
    mark = b"MM\0*" if order == ">" else b"II*\0"
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0" + mark + struct.pack(order + "IH", 8, 1) + entry + bytes(4)


# --- PNG ------------------------------------------------------------------------------

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, body: bytes) -> bytes:
    """Return one PNG chunk with its checksum."""
    checksum = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)


def png_header(
    width: int, height: int, depth: int = 8, colour: int = 2, interlaced: bool = False
) -> bytes:
    """Return signature and IHDR."""
    body = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return PNG_SIGNATURE + chunk(b"IHDR", body)


def _rows(samples: np.ndarray, depth: int) -> bytes:
    """Return (H, W, C) samples as PNG rows without filter."""
    rows = samples.reshape(len(samples), -1)
    if depth == 16:
        packed = rows.astype(">u2").view(np.uint8)
    elif depth == 8:
        packed = rows.astype(np.uint8)
    else:
        bits = (rows[..., None] >> np.arange(depth)[::-1]) & 1
        packed = np.packbits(bits.reshape(len(rows), -1).astype(np.uint8), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in packed)


_ADAM7 = [
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
]


def png(
    samples: np.ndarray,
    depth: int,
    colour: int,
    *,
    before: bytes = b"",
    after: bytes = b"",
    interlaced: bool = False,
) -> bytes:
    """Return (H, W) or (H, W, C) samples as a PNG, with chunks around its pixels."""
    height, width = samples.shape[:2]
    if interlaced:
        passes = [samples[y::dy, x::dx] for y, x, dy, dx in _ADAM7]
        rows = b"".join(_rows(part, depth) for part in passes if part.size)
    else:
        rows = _rows(samples, depth)
    return (
        png_header(width, height, depth, colour, interlaced)
        + before
        + chunk(b"IDAT", zlib.compress(rows, 6))
        + after
        + chunk(b"IEND", b"")
    )


def palette_chunk(image: Image.Image) -> bytes:
    """Return the PLTE of an image in mode P."""
    return chunk(b"PLTE", bytes(image.getpalette() or []))


def apng(n_frames: int) -> bytes:
    """Return an animated PNG of the real photo and its negatives."""
    frames = [photo(), Image.eval(photo(), lambda value: 255 - value)]
    return save(
        frames[0],
        "PNG",
        save_all=True,
        append_images=[frames[number % 2] for number in range(1, n_frames)],
    )


# --- RIFF and GIF ---------------------------------------------------------------------


def riff(*chunks: tuple[bytes, bytes], form: bytes = b"WEBP") -> bytes:
    """Return a RIFF file of these (name, body) chunks."""
    body = form
    for name, part in chunks:
        body += name + struct.pack("<I", len(part)) + part + b"\0" * (len(part) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def vp8x(width: int, height: int, flags: int = 0) -> tuple[bytes, bytes]:
    """Return the chunk that opens an extended WebP."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X", bytes([flags, 0, 0, 0]) + size


def gif_screen(width: int, height: int) -> bytes:
    """Return a GIF's head with a palette of black and white."""
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", width, height, 0x80, 0, 0)
        + b"\0" * 3
        + (b"\xff" * 3)
    )


def gif_frame(width: int, height: int, left: int = 0, top: int = 0) -> bytes:
    """Return one GIF frame whose pixels are missing: clear code, end code."""
    place = struct.pack("<4HB", left, top, width, height, 0)
    return b"," + place + b"\x02\x02\x4c\x01\0"
