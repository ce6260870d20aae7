"""Untrusted bytes in, an upright RGB image out: the one door for photos.

Whoever has a photo from outside (an upload, a folder, the network) goes through
``read_image``. It accepts JPEG (with the phones' multi-picture MPO), PNG, WebP and GIF
by content, holds ``PhotoLimits`` before a pixel is decoded, and raises PhotoError and
nothing else whatever the bytes are. ``docs/safety.md`` gives the bounds and why.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lablr.errors import BrokenPhoto, PhotoError, PhotoTooLarge, UnsupportedPhoto
from lablr.photos.formats import read_header
from lablr.photos.guard import decode_guarded
from lablr.photos.header import CORRUPT, TRUNCATED, PhotoHeader
from lablr.photos.pixels import DECODER_ERRORS, decode_pixels, shrunk

PhotoSource = bytes | os.PathLike[str] | str | BinaryIO


_NOT_A_FILE = "This is a directory, pipe or device. Give a photo's file and retry."


@dataclass(frozen=True)
class PhotoLimits:
    """The bounds of the door; ``max_side_ratio`` is long side over short side."""

    max_bytes: int = 10 << 20
    max_pixels: int = 40_000_000
    max_side_ratio: float = 50
    max_scans: int = 100
    max_decode_s: float = 5.0
    max_decode_bytes: int = 1 << 30


FITS = ("crop", "letterbox")
FOLDER_LIMITS = PhotoLimits(max_bytes=20 << 20)
_DEFAULT_LIMITS = PhotoLimits()

# Up to this many pixels of a PNG, or what costs as much (40 million of a baseline
# JPEG), a decode is bounded by its input: 0.2 s as a rule, 1.3 s at worst. Above it,
# the 0.05 s that a child takes to start no longer show.
_MAX_PIXELS_IN_PROCESS = 16_000_000


def read_image(
    source: PhotoSource,
    size: int | None = None,
    limits: PhotoLimits = _DEFAULT_LIMITS,
    fit: str = "crop",
) -> np.ndarray:
    """Return the photo upright as (H, W, 3) uint8 RGB, or as a (size, size, 3) square.

    With ``size`` this is the one preprocessing of training and serving: the centre
    crop of side ratio at most 2:1, stretched to size x size pixels by Pillow's bicubic.
    With ``fit`` "letterbox" it is the whole photo instead, scaled down where it is
    larger, never up, and laid on the middle of a black square.
    ``source`` is the photo's bytes, a path (see ``read_bytes``) or a binary stream.
    Raises UnsupportedPhoto, PhotoTooLarge or BrokenPhoto, and PhotoError for a path
    that cannot be read.
    """
    if size is not None and size < 1:
        raise ValueError(f"size must be at least 1 pixel, got {size}")
    if fit not in FITS:
        raise ValueError(f"fit must be one of {', '.join(FITS)}, got {fit!r}")
    return _read(source, size, limits, fit)


def _read(
    source: PhotoSource, size: int | None, limits: PhotoLimits, fit: str
) -> np.ndarray:
    header = read_header(_read_source(source, limits))
    _check(header, limits)
    try:
        return _decode(header, size, limits, fit)
    except DECODER_ERRORS as error:
        raise BrokenPhoto(CORRUPT) from error
    except MemoryError as error:
        raise PhotoTooLarge(
            "There is not enough memory to decode the photo. "
            "Save it with fewer pixels and retry."
        ) from error


def bounded_image(
    source: PhotoSource, side: int, limits: PhotoLimits = FOLDER_LIMITS
) -> np.ndarray:
    """Return the whole photo upright as (H, W, 3) uint8 RGB, H and W at most ``side``.

    Scaled down where it is larger, never up, with nothing around it: for showing.
    ``source`` and the errors are those of ``read_image``.
    """
    return _read(source, side, limits, "inside")


def read_bytes(
    path: str | os.PathLike[str], limits: PhotoLimits = FOLDER_LIMITS
) -> bytes:
    """Return the bytes of the regular file at ``path``, at most ``limits.max_bytes``.

    A link, directory, pipe or device is not opened, or is closed unread. Raises
    UnsupportedPhoto for those, PhotoTooLarge (413), and PhotoError where the system
    refuses; no message holds the path.
    """
    descriptor = _open(path)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnsupportedPhoto(_NOT_A_FILE)
        check_size(status.st_size, limits)
        with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as stream:
            return _read_stream(stream, limits)
    finally:
        os.close(descriptor)


def photo_kind(payload: bytes) -> str:
    """Return ``"JPEG"``, ``"PNG"``, ``"WEBP"`` or ``"GIF"``, told by the content.

    Raises UnsupportedPhoto or BrokenPhoto, as ``read_image`` does.
    """
    return read_header(payload).kind


def check_size(n_bytes: int, limits: PhotoLimits = _DEFAULT_LIMITS) -> None:
    """Raise PhotoTooLarge (413) as reading so many bytes would.

    For who is told how large a photo is before it is fetched.
    """
    if n_bytes > limits.max_bytes:
        raise PhotoTooLarge(
            f"The photo has more than {limits.max_bytes / (1 << 20):g} MiB. "
            "Save it smaller, or as a JPEG of lower quality, and retry.",
            http_status=413,
        )


def _open(path: str | os.PathLike[str]) -> int:
    """Open without following a link, and without waiting for a pipe's other end."""
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        if not hasattr(os, "O_NOFOLLOW") and Path(path).is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        return os.open(path, flags)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _cannot_open(error) from error


def _cannot_open(error: OSError | ValueError) -> PhotoError:
    number = getattr(error, "errno", None)
    if number in (errno.ELOOP, errno.EMLINK):
        return UnsupportedPhoto(
            "This is a symbolic link, and links are not followed. "
            "Give the file it points to and retry."
        )
    if number in (errno.ENXIO, errno.EISDIR, errno.ENODEV):
        return UnsupportedPhoto(_NOT_A_FILE)
    reason = os.strerror(number) if number else "its name is not a file name"
    return PhotoError(f"The file cannot be opened: {reason}. Check its name and retry.")


def _read_source(source: PhotoSource, limits: PhotoLimits) -> bytes:
    if isinstance(source, (bytes, bytearray, memoryview)):
        check_size(len(source), limits)
        return bytes(source)
    if isinstance(source, (str, os.PathLike)):
        return read_bytes(source, limits)
    return _read_stream(source, limits)


def _read_stream(stream: BinaryIO | io.FileIO, limits: PhotoLimits) -> bytes:
    """Return what is left in a stream; one byte more than allowed is read at most."""
    parts: list[bytes] = []
    n_left = limits.max_bytes + 1
    try:
        while n_left > 0 and (part := stream.read(n_left)):
            parts.append(part)
            n_left -= len(part)
    except OSError as error:
        raise PhotoError("The photo could not be read to its end. Retry.") from error
    check_size(limits.max_bytes + 1 - n_left, limits)
    return b"".join(parts)


def _check(header: PhotoHeader, limits: PhotoLimits) -> None:
    """Raise PhotoTooLarge or BrokenPhoto where the header is out of bounds."""
    width, height = header.width, header.height
    if width == 0 or height == 0:
        raise BrokenPhoto(
            f"The photo is {width} x {height} pixels: it has no picture. "
            "Choose another and retry."
        )
    if width * height > limits.max_pixels:
        raise PhotoTooLarge(
            f"The photo is {width} x {height} pixels; at most "
            f"{limits.max_pixels / 1e6:g} megapixels are accepted. "
            "Save it smaller and retry."
        )
    if max(width, height) > limits.max_side_ratio * min(width, height):
        raise PhotoTooLarge(
            f"The photo is {width} x {height} pixels; its long side may be at most "
            f"{limits.max_side_ratio:g} times its short side. Crop it and retry."
        )
    if header.n_scans > limits.max_scans:
        raise PhotoTooLarge(
            f"The photo is a JPEG of {header.n_scans} scans; at most "
            f"{limits.max_scans} are accepted. "
            "Save it as an ordinary (not progressive) JPEG and retry."
        )
    if header.is_cut_short:
        raise BrokenPhoto(TRUNCATED)


def _decode(
    header: PhotoHeader, size: int | None, limits: PhotoLimits, fit: str
) -> np.ndarray:
    """Return the pixels; a decode that may have to be stopped is left to a child."""
    if header.width * header.height * header.slowness > _MAX_PIXELS_IN_PROCESS:
        return decode_guarded(
            header.essence,
            header.kind,
            header.orientation,
            size,
            _shape(header, size, fit),
            limits.max_decode_s,
            limits.max_decode_bytes,
            fit,
        )
    image = decode_pixels(header.essence, header.kind, header.orientation, size, fit)
    return np.array(image)


def _shape(header: PhotoHeader, size: int | None, fit: str) -> tuple[int, int, int]:
    width, height = header.width, header.height
    if size is not None and fit == "inside":
        width, height = shrunk(width, height, size)
    elif size is not None:
        return size, size, 3
    return (width, height, 3) if header.orientation >= 5 else (height, width, 3)
