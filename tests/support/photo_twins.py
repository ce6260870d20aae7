"""One real photo in every colour mode, each beside the RGB image it has to equal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from photo_makers import (
    chunk,
    exif,
    find_segment,
    jpeg,
    palette_chunk,
    patched,
    photo,
    png,
    save,
    segment,
    with_segments,
    without_segment,
)
from PIL import Image


@dataclass(frozen=True)
class Twin:
    """A photo and its RGB twin; ``tolerance`` is in grey levels, 0 where lossless."""

    name: str
    payload: bytes
    rgb: np.ndarray
    tolerance: int = 0


def _lay_on_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return what a person sees: alpha is (H, W), 0 to 255."""
    share = alpha[..., None] / 255
    return np.rint(rgb * share + 255 * (1 - share)).astype(np.uint8)


def _grey_as_rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def _alpha() -> np.ndarray:
    """Return a gradient from transparent on the left to opaque on the right."""
    return np.repeat(np.linspace(0, 255, 96).astype(np.uint8)[None], 64, axis=0)


def _grey_twins() -> Iterator[Twin]:
    grey = np.asarray(photo().convert("L"))
    as_rgb = _grey_as_rgb(grey)
    yield Twin("grey-8", save(photo().convert("L"), "PNG"), as_rgb)
    for depth in (1, 2, 4):
        low = grey >> (8 - depth)
        scaled = _grey_as_rgb(low * (255 // (2**depth - 1)))
        yield Twin(f"grey-{depth}", png(low, depth, 0), scaled)
    wide = grey.astype(np.uint16) * 257
    yield Twin("grey-16", png(wide, 16, 0), as_rgb)
    yield Twin("grey-16-interlaced", png(wide, 16, 0, interlaced=True), as_rgb)
    noisy = wide & 0xFF00 | np.arange(96, dtype=np.uint16)
    yield Twin("grey-16-low-byte-differs", png(noisy, 16, 0), as_rgb)
    dark = wide >> 4  # naively clipped at 255, this turns white
    yield Twin("grey-16-dark", png(dark, 16, 0), _grey_as_rgb(dark >> 8))
    key = chunk(b"tRNS", wide[30, 40].tobytes()[::-1])
    keyed = np.where(wide == wide[30, 40], 255, grey)
    yield Twin("grey-16-key", png(wide, 16, 0, before=key), _grey_as_rgb(keyed))
    key = chunk(b"tRNS", bytes([0, grey[30, 40]]))
    keyed = np.where(grey == grey[30, 40], 255, grey)
    yield Twin("grey-8-key", png(grey, 8, 0, before=key), _grey_as_rgb(keyed))
    both = np.dstack([grey, _alpha()])
    on_white = _lay_on_white(as_rgb, _alpha())
    yield Twin("grey-alpha", png(both, 8, 4), on_white, 1)
    yield Twin("grey-alpha-16", png(both.astype(int) * 257, 16, 4), on_white, 1)
    bits = photo().convert("1")
    yield Twin("one-bit-dithered", save(bits, "PNG"), np.asarray(bits.convert("RGB")))


def _rgb_twins() -> Iterator[Twin]:
    rgb = np.asarray(photo())
    yield Twin("rgb", save(photo(), "PNG"), rgb)
    yield Twin("rgb-interlaced", png(rgb, 8, 2, interlaced=True), rgb)
    yield Twin("rgb-16", png(rgb.astype(int) * 257, 16, 2), rgb)
    keyed = rgb.copy()
    keyed[(rgb == rgb[30, 40]).all(axis=2)] = 255
    key = chunk(b"tRNS", rgb[30, 40].astype(">u2").tobytes())
    yield Twin("rgb-key", png(rgb, 8, 2, before=key), keyed)
    key = chunk(b"tRNS", (rgb[30, 40].astype(np.uint16) * 257).astype(">u2").tobytes())
    yield Twin("rgb-16-key", png(rgb.astype(int) * 257, 16, 2, before=key), keyed)
    opaque = np.dstack([rgb, np.full((64, 96), 255)])
    yield Twin("rgba-opaque", png(opaque, 8, 6), rgb)
    both = np.dstack([rgb, _alpha()])
    on_white = _lay_on_white(rgb, _alpha())
    yield Twin("rgba", png(both, 8, 6), on_white, 1)
    yield Twin("rgba-16", png(both.astype(int) * 257, 16, 6), on_white, 1)
    white = np.full_like(rgb, 255)
    yield Twin("rgba-clear", png(np.dstack([rgb, 0 * _alpha()]), 8, 6), white)
    yield Twin("webp-lossless", save(photo(), "WEBP", lossless=True), rgb)
    image = Image.fromarray(both.astype(np.uint8))
    exact = save(image, "WEBP", lossless=True, exact=True)
    yield Twin("webp-alpha", exact, on_white, 1)


def _palette_twins() -> Iterator[Twin]:
    for n_colours, depth in ((2, 1), (4, 2), (16, 4), (256, 8)):
        image = photo().quantize(n_colours)
        indices, rgb = np.asarray(image), np.asarray(image.convert("RGB"))
        plte = palette_chunk(image)
        yield Twin(f"palette-{n_colours}", png(indices, depth, 3, before=plte), rgb)
        clear = indices == indices[30, 40]
        alpha = np.where(clear, 0, 255)
        on_white = _lay_on_white(rgb, alpha)
        entries = bytes(0 if i == indices[30, 40] else 255 for i in range(n_colours))
        keyed = png(indices, depth, 3, before=plte + chunk(b"tRNS", entries))
        yield Twin(f"palette-{n_colours}-clear-entry", keyed, on_white)
        entries = bytes(255 * i // n_colours for i in range(n_colours))
        alpha = np.frombuffer(entries, np.uint8)[indices]
        graded = png(indices, depth, 3, before=plte + chunk(b"tRNS", entries))
        name = f"palette-{n_colours}-graded"
        yield Twin(name, graded, _lay_on_white(rgb, alpha), 1)
        yield Twin(f"gif-{n_colours}", save(image, "GIF"), rgb)
        clear_gif = save(
            image, "GIF", transparency=int(indices[30, 40]), optimize=False
        )
        yield Twin(f"gif-{n_colours}-clear", clear_gif, on_white)
    plain = save(photo().quantize(16), "GIF", interlace=0)
    yield Twin("gif-plain", plain, np.asarray(photo().quantize(16).convert("RGB")))
    grey = photo().convert("L")
    yield Twin("gif-grey", save(grey, "GIF"), np.asarray(grey.convert("RGB")))


def _ycck() -> bytes:
    """Return the photo as Adobe's YCCK: inverted, then turned to YCbCr beside K.

    Pillow writes CMYK only, so it is handed channels that are YCbCr already, and the
    marker that tells the one from the other is changed afterwards.
    """
    inverted = Image.eval(photo(), lambda value: 255 - value).convert("YCbCr")
    stored = Image.eval(inverted, lambda value: 255 - value)  # undone by the writer
    image = Image.merge("CMYK", [*stored.split(), Image.new("L", photo().size, 0)])
    cmyk = jpeg(image, quality=100, subsampling=0)
    _, end = find_segment(cmyk, 0xEE)
    return patched(cmyk, end - 1, b"\x02")


def _jpeg_twins() -> Iterator[Twin]:
    rgb = np.asarray(photo())
    best: dict[str, Any] = {"quality": 100, "subsampling": 0}
    yield Twin("jpeg-rgb", jpeg(**best), rgb, 4)
    yield Twin("jpeg-progressive", jpeg(**best, progressive=True), rgb, 4)
    kept = save(photo(), "JPEG", quality=100, keep_rgb=True)
    yield Twin("jpeg-stored-as-rgb", kept, rgb, 4)
    grey = photo().convert("L")
    yield Twin("jpeg-grey", jpeg(grey, **best), np.asarray(grey.convert("RGB")), 3)
    cmyk = jpeg(photo().convert("CMYK"), **best)
    yield Twin("jpeg-cmyk-adobe-inverted", cmyk, rgb, 4)
    yield Twin("jpeg-cmyk-unmarked", without_segment(cmyk, 0xEE), rgb, 4)
    yield Twin("jpeg-ycck", _ycck(), rgb, 6)
    profile = segment(0xE2, b"ICC_PROFILE\0\x01\x01" + bytes(500))
    yield Twin("jpeg-with-profile", with_segments(jpeg(**best), profile), rgb, 4)
    upright = with_segments(jpeg(**best), segment(0xE1, exif(1)))
    yield Twin("jpeg-with-exif", upright, rgb, 4)


def twins() -> Iterator[Twin]:
    """Yield the photo in every colour mode of every accepted kind."""
    yield from _grey_twins()
    yield from _rgb_twins()
    yield from _palette_twins()
    yield from _jpeg_twins()
