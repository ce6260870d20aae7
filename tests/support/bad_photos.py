"""The photos every entry has to survive: over 200 files, each with what it deserves.

``bad_photos()`` yields them for the tests of every entry (library, web, API, command,
folder). ``expected`` is None for those that look wrong and must be accepted.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from photo_makers import (
    PNG_SIGNATURE,
    apng,
    chunk,
    exif,
    find_segment,
    gif_frame,
    gif_screen,
    jpeg,
    patched,
    photo,
    png,
    png_header,
    progressive_bomb,
    resized_header,
    riff,
    save,
    segment,
    vp8x,
    with_segments,
    without_segment,
)
from photo_twins import twins
from PIL import Image

from lablr.errors import BrokenPhoto, PhotoError, PhotoTooLarge, UnsupportedPhoto

__all__ = ["BadPhoto", "a_few_bad_photos", "bad_photos", "twins"]


@dataclass(frozen=True)
class BadPhoto:
    """A payload and the error it must raise, None where it must be accepted."""

    name: str
    payload: bytes
    expected: type[PhotoError] | None
    status: int | None

    def __repr__(self) -> str:
        return f"BadPhoto({self.name!r}, {len(self.payload)} bytes)"


Named = Iterator[tuple[str, bytes]]


def bad_photos() -> Iterator[BadPhoto]:
    """Yield every case, made once a session; about 80 MB in all."""
    yield from _all_cases()


def a_few_bad_photos() -> list[BadPhoto]:
    """Return a case of each kind, for entries whose photos go through the one door."""
    return [
        BadPhoto(*next(cases), expected, status)
        for cases, expected, status in _groups()
    ]


@cache
def _all_cases() -> tuple[BadPhoto, ...]:
    return tuple(
        BadPhoto(name, payload, expected, status)
        for cases, expected, status in _groups()
        for name, payload in cases
    )


def _groups() -> list[tuple[Named, type[PhotoError] | None, int | None]]:
    return [
        (_foreign(), UnsupportedPhoto, 415),
        (_cut_short(), BrokenPhoto, 422),
        (_corrupt_jpegs(), BrokenPhoto, 422),
        (_corrupt_pngs(), BrokenPhoto, 422),
        (_corrupt_gifs_and_webps(), BrokenPhoto, 422),
        (_too_many_bytes(), PhotoTooLarge, 413),
        (_too_large(), PhotoTooLarge, 422),
        (_odd_but_good(), None, None),
        (_noted(), None, None),
        (_animated(), None, None),
        (((twin.name, twin.payload) for twin in twins()), None, None),
    ]


def _foreign() -> Named:
    """Files of other kinds, as they come when somebody renames them to .jpg."""
    image = photo()
    for kind in ("BMP", "ICO", "PPM", "TIFF", "TGA", "PCX", "DDS", "SGI", "AVIF"):
        yield f"foreign-{kind.lower()}", save(image, kind)
    for kind in ("EPS", "PDF", "QOI", "JPEG2000", "ICNS"):
        yield f"foreign-{kind.lower()}", save(image, kind)
    yield "foreign-tiff-big-endian", b"MM\0*" + bytes(100)
    yield "foreign-html", b"<!doctype html><img src=x onerror=alert(1)>"
    yield "foreign-html-with-jpeg", b"<html><!--" + jpeg() + b"--></html>"
    yield "foreign-svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="9"/>'
    yield "foreign-xml-bomb", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]>'
    yield "foreign-text", "just text, ça va, 写真\n".encode() * 50
    yield "foreign-text-with-mark", b"\xef\xbb\xbftext"
    yield "foreign-json", b'{"photo": "not this"}'
    yield "foreign-heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
    yield "foreign-mp4", b"\0\0\0\x18ftypmp42" + bytes(200)
    yield "foreign-jpeg-xl", b"\xff\x0a" + bytes(100)
    yield "foreign-photoshop", b"8BPS\0\1" + bytes(100)
    yield "foreign-wav", riff((b"fmt ", bytes(16)), form=b"WAVE")
    yield "foreign-avi", riff((b"LIST", bytes(16)), form=b"AVI ")
    yield "foreign-zip", b"PK\3\4" + bytes(100)
    yield "foreign-gzip", b"\x1f\x8b\x08" + bytes(100)
    yield "foreign-elf", b"\x7fELF" + bytes(100)
    yield "foreign-exe", b"MZ" + bytes(100)
    yield "foreign-zeros", bytes(1000)
    yield "foreign-noise", bytes(range(1, 256)) * 4
    yield "foreign-one-byte", b"\xff"
    yield "foreign-two-marks", b"\xff\xff\xd8" + jpeg()
    yield "foreign-gif-90", b"GIF90a" + bytes(100)
    yield "foreign-riff-cut", b"RIFF\0\0\0\0WEB"
    yield "foreign-space-before-jpeg", b"\n" + jpeg()


def _cut_short() -> Named:
    whole = {
        "jpeg": jpeg(),
        "jpeg-progressive": jpeg(progressive=True),
        "jpeg-cmyk": jpeg(photo().convert("CMYK")),
        "jpeg-grey": jpeg(photo().convert("L")),
        "jpeg-exif": with_segments(jpeg(), segment(0xE1, exif(6) + bytes(3000))),
        "png": save(photo(), "PNG"),
        "png-palette": save(photo().quantize(16), "PNG"),
        "gif": save(photo().quantize(16), "GIF"),
        "webp": save(photo(), "WEBP"),
        "webp-lossless": save(photo(), "WEBP", lossless=True),
    }
    for kind, payload in whole.items():
        size = len(payload)
        for share in (10, 50, 90):
            yield f"{kind}-cut-at-{share}%", payload[: size * share // 100]
        yield f"{kind}-cut-in-header", payload[:22]
        yield f"{kind}-two-bytes-short", payload[:-2]
        yield f"{kind}-one-byte-short", payload[:-1]
    yield "empty", b""
    yield "jpeg-two-bytes", b"\xff\xd8"
    yield "jpeg-no-scan", whole["jpeg"][: find_segment(whole["jpeg"], 0xDA)[0]]
    yield "png-signature-only", PNG_SIGNATURE
    yield "png-no-end", whole["png"][:-12]
    yield "gif-head-only", whole["gif"][:13]
    yield "webp-head-only", whole["webp"][:12]
    yield "jpeg-24-kB-forged-6000x6000", resized_header(jpeg(quality=99), 6000, 6000)


def _corrupt_jpegs() -> Named:
    good = jpeg()
    frame, _ = find_segment(good, 0xC0)
    scan, scan_end = find_segment(good, 0xDA)
    tables, _ = find_segment(good, 0xDB)
    codes, _ = find_segment(good, 0xC4)
    yield "jpeg-0-wide", resized_header(good, 0, 64)
    yield "jpeg-0-high", resized_header(good, 96, 0)
    yield "jpeg-12-bit", patched(good, frame + 4, b"\x0c")
    yield "jpeg-2-components", patched(good, frame + 9, b"\x02")
    yield "jpeg-0-components", patched(good, frame + 9, b"\x00")
    yield "jpeg-sampling-0", patched(good, frame + 11, b"\x00")
    yield "jpeg-sampling-15", patched(good, frame + 11, b"\xff")
    yield "jpeg-table-missing", without_segment(without_segment(good, 0xDB), 0xDB)
    yield "jpeg-table-number", patched(good, tables + 4, b"\x0f")
    yield "jpeg-code-number", patched(good, codes + 4, b"\x3f")
    yield "jpeg-code-counts", patched(good, codes + 5, b"\xff" * 16)
    yield "jpeg-frame-missing", without_segment(good, 0xC0)
    yield "jpeg-two-frames", with_segments(good, good[frame : frame + 19])
    yield "jpeg-length-0", patched(good, tables + 2, b"\0\0")
    yield "jpeg-length-1", patched(good, tables + 2, b"\0\1")
    yield "jpeg-length-beyond", patched(good, scan + 2, b"\xff\xff")
    yield "jpeg-hierarchical", patched(good, frame + 1, b"\xc5")
    yield "jpeg-scan-of-5", patched(good, scan + 4, b"\x05")
    yield "jpeg-scan-of-strangers", patched(good, scan + 5, b"\x09")
    yield "jpeg-nothing", b"\xff\xd8\xff\xd9"
    yield "jpeg-only-marks", b"\xff\xd8" * 5000
    yield "jpeg-no-picture", good[:scan_end] + b"\xff\xd9"
    yield "jpeg-million-comments", with_segments(good, b"\xff\xfe\0\2" * 1_000_000)


def _corrupt_pngs() -> Named:
    good = png(np.asarray(photo()), 8, 2)
    data = good.index(b"IDAT")
    grey = np.asarray(photo().convert("L"))
    head, end = png_header(96, 64, 8, 0), chunk(b"IEND", b"")
    rows = (np.pad(grey, ((0, 0), (1, 0)))).tobytes()
    yield "png-line-ends-changed", good.replace(b"\r\n", b"\n", 1)
    yield "png-0-wide", png_header(0, 64) + good[33:]
    yield "png-0-high", png_header(96, 0) + good[33:]
    yield "png-colour-5", png_header(96, 64, 8, 5) + good[33:]
    yield "png-depth-3", png_header(96, 64, 3, 0) + good[33:]
    yield "png-header-missing", PNG_SIGNATURE + good[33:]
    yield "png-header-checksum", patched(good, 20, b"\xff")
    yield "png-header-short", PNG_SIGNATURE + chunk(b"IHDR", bytes(12)) + good[33:]
    yield "png-pixels-checksum", patched(good, data + 40, b"\xff\xff")
    yield "png-pixels-missing", head + end
    yield "png-pixels-not-zlib", head + chunk(b"IDAT", b"no zlib" * 99) + end
    yield "png-pixels-half", head + chunk(b"IDAT", zlib.compress(rows[:3000])) + end
    yield "png-pixels-cut", head + chunk(b"IDAT", zlib.compress(rows)[:900]) + end
    yield "png-filter-9", head + chunk(b"IDAT", zlib.compress(b"\x09" + rows)) + end
    yield "png-palette-too-long", head + chunk(b"PLTE", bytes(1200)) + good[33:]
    yield "png-length-huge", patched(good, data - 4, b"\xff\xff\xff\xff")
    yield "png-ends-at-once", good[:33] + end
    yield "png-million-chunks", good[:33] + chunk(b"teXt", b"") * 700_000 + good[33:]
    forged = png_header(6000, 6000) + good[33:]
    yield "png-forged-6000x6000", forged


def _corrupt_gifs_and_webps() -> Named:
    good = save(photo().quantize(16), "GIF")
    frame = good.index(b",\0\0\0\0")
    yield "gif-no-frame", gif_screen(8, 8) + b";"
    yield "gif-frame-0-wide", gif_screen(0, 8) + gif_frame(0, 8) + b";"
    yield "gif-code-size-200", patched(good, frame + 10, b"\xc8")
    yield "gif-rubbish-first", gif_screen(8, 8) + b"rubbish" + gif_frame(8, 8) + b";"
    yield "gif-no-pixels", gif_screen(96, 64) + gif_frame(96, 64)[:-4] + b"\0;"
    yield "gif-million-blocks", good[:-1] + b"!\xfe" + b"\1a" * 900_000 + b"\0;"
    lossy, lossless = save(photo(), "WEBP"), save(photo(), "WEBP", lossless=True)
    yield "webp-0-wide", patched(lossy, 26, b"\0\0")
    yield "webp-start-code", patched(lossy, 23, b"abc")
    yield "webp-lossless-signature", patched(lossless, 20, b"\0")
    yield "webp-rubbish", patched(lossless, 30, bytes(range(60)))
    yield "webp-no-chunk", riff()
    yield "webp-strange-chunk", riff((b"ABCD", bytes(40)))
    yield "webp-size-beyond", patched(lossy, 4, b"\xff\xff\xff\x7f")
    yield "webp-chunk-beyond", patched(lossy, 16, b"\xff\xff\xff\x7f")
    yield "webp-canvas-differs", riff(vp8x(99, 64), (b"VP8 ", lossy[20:]))
    yield "webp-canvas-only", riff(vp8x(96, 64))
    yield "webp-frame-outside", _webp_animation(offset=500)
    yield "webp-no-frame", riff(vp8x(96, 64, flags=2), (b"ANIM", bytes(6)))


def _webp_animation(offset: int) -> bytes:
    """Return an animation of one frame, ``offset`` pixels right of its canvas."""
    picture = save(photo(), "WEBP")[12:]
    place = struct.pack("<I", offset // 2)[:3] + bytes(3)
    size = (95).to_bytes(3, "little") + (63).to_bytes(3, "little")
    frame = place + size + b"\x64\0\0\0" + picture
    return riff(vp8x(96, 64, flags=2), (b"ANIM", bytes(6)), (b"ANMF", frame))


def _too_many_bytes() -> Named:
    yield "bytes-11-MB-jpeg", jpeg().ljust(11_000_000, b"\0")
    yield "bytes-10-MiB-and-one", jpeg().ljust((10 << 20) + 1, b"\0")
    yield "bytes-11-MB-zeros", bytes(11_000_000)


def _too_large() -> Named:
    line = chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    yield "png-50000x50000", png_header(50_000, 50_000) + line
    yield "png-40-megapixels-and-some", png_header(8001, 5000, 1, 0) + line
    flat = zlib.compress(bytes(13_370 * (13_370 // 8 + 2)), 9)
    real = chunk(b"IDAT", flat) + chunk(b"IEND", b"")
    yield "png-13370x13370-of-22-kB", png_header(13_370, 13_370, 1, 0) + real
    yield "png-4-thousand-million-wide", png_header(2**32 - 1, 1) + line
    yield "png-1x60000", png_header(1, 60_000) + line
    yield "png-60000x1", png_header(60_000, 1) + line
    yield "png-51-to-1", png_header(510, 10) + line
    yield "jpeg-forged-65500x65500", resized_header(jpeg(quality=99), 65_500, 65_500)
    yield (
        "jpeg-forged-progressive",
        resized_header(jpeg(progressive=True), 65_500, 65_500),
    )
    yield "jpeg-1x60000", jpeg(Image.new("L", (1, 60_000)))
    yield "jpeg-101-scans", progressive_bomb(64, 64, 101)
    yield "jpeg-10000-scans", progressive_bomb(64, 64, 10_000)
    yield "jpeg-scan-bomb", progressive_bomb(6300, 6300, 1000)
    yield "gif-65535x65535", gif_screen(65_535, 65_535) + gif_frame(8, 8) + b";"
    beyond = gif_frame(1, 1, left=60_000, top=60_000)
    yield "gif-frame-beyond-screen", gif_screen(8, 8) + beyond + b";"
    yield "webp-16-million-wide", riff(vp8x(1 << 24, 1 << 24), (b"VP8 ", bytes(40)))
    yield "webp-1x16000", save(Image.new("RGB", (1, 16_000)), "WEBP", method=0)


def _odd_but_good() -> Named:
    for kind in ("JPEG", "PNG", "WEBP", "GIF"):
        good = save(photo(), kind)
        yield f"{kind.lower()}-with-1-MB-behind", good + b"trailing " * 111_111
        yield f"{kind.lower()}-1x1", save(Image.new("RGB", (1, 1), (9, 99, 199)), kind)
        yield f"{kind.lower()}-50-to-1", save(photo(500, 10), kind)
    good = jpeg()
    yield "jpeg-of-10-MiB-exactly", good.ljust(10 << 20, b"\0")
    script = b"*/=1;alert(1)/*<script>alert(1)</script><?php phpinfo(); ?>"
    yield "polyglot-jpeg-html", with_segments(good, segment(0xFE, script)) + script
    yield "polyglot-jpeg-zip", good + b"PK\3\4" + bytes(200) + b"PK\5\6" + bytes(18)
    yield "polyglot-jpeg-pdf", with_segments(good, segment(0xFE, b"%PDF-1.4 obj"))
    gif = save(photo().quantize(16), "GIF")
    comment = b"!\xfe\x10*/=alert(1);/*  \0"
    yield (
        "polyglot-gif-script",
        gif[: gif.index(b",")] + comment + gif[gif.index(b",") :],
    )
    yield "polyglot-two-jpegs", good + jpeg(photo().convert("L"))
    yield "jpeg-100-scans", progressive_bomb(640, 640, 100)
    yield "jpeg-without-codes", _without_all_codes(good)  # as in motion JPEG
    yield "jpeg-restarts", jpeg(restart_marker_blocks=4)
    yield "jpeg-not-jfif", good.replace(b"JFIF", b"JFXX", 1)
    yield "jpeg-filled-with-ff", good[:2] + b"\xff" * 100_000 + good[2:]
    rubbish = b"rubbish after a whole frame"
    yield "gif-rubbish-behind-frame", gif[:-1] + rubbish
    yield "png-40-megapixels", png(np.zeros((5000, 8000), np.uint8), 1, 0)
    extra = chunk(b"IDAT", zlib.compress(bytes(100_000_000), 9)) + chunk(b"IEND", b"")
    yield "png-1x1-unpacking-to-100-MB", png_header(1, 1) + extra
    many = save(photo(), "PNG")
    at = many.index(b"IDAT") - 4
    yield "png-with-empty-idats", many[:at] + chunk(b"IDAT", b"") * 9 + many[at:]


def _without_all_codes(good: bytes) -> bytes:
    for _ in range(4):
        good = without_segment(good, 0xC4)
    return good


def _noted() -> Named:
    """Photos with orientation, or with notes that are huge, broken or both."""
    good = jpeg()
    for orientation in (*range(1, 9), 0, 9, 99, 65_535):
        noted = with_segments(good, segment(0xE1, exif(orientation)))
        yield f"jpeg-orientation-{orientation}", noted
    for name, notes in _broken_exif():
        yield f"jpeg-exif-{name}", with_segments(good, segment(0xE1, notes))
    rgb = np.asarray(photo())
    yield "png-orientation", png(rgb, 8, 2, before=chunk(b"eXIf", exif(6)[6:]))
    yield "png-orientation-behind", png(rgb, 8, 2, after=chunk(b"eXIf", exif(8)[6:]))
    yield "webp-orientation", save(photo(), "WEBP", exif=exif(6))
    huge = segment(0xE1, b"Exif\0\0" + bytes(65_000)) * 160
    yield "jpeg-10-MB-of-exif", with_segments(good, huge)
    yield (
        "jpeg-1-MB-of-comments",
        with_segments(good, segment(0xFE, bytes(60_000)) * 16),
    )
    broken = [b"MPF\0" + bytes(9), b"ICC_PROFILE\0", b"FPXR\0"]
    broken_apps = [segment(0xE2, body) for body in broken]
    broken_apps += [segment(0xED, b"Photoshop 3.0\0" + b"8BIM" * 9)]
    broken_apps += [segment(0xE0, b"JFIF\0"), segment(0xEE, b"Adobe")]
    yield "jpeg-broken-notes", with_segments(good, *broken_apps)
    zeros = zlib.compress(bytes(100_000_000), 9)
    bombs = {b"zTXt": b"a\0\0", b"iTXt": b"a\0\1\0\0\0", b"iCCP": b"a\0\0"}
    for kind, head in bombs.items():
        bomb = chunk(kind, head + zeros)
        yield f"png-{kind.decode()}-bomb", png(rgb, 8, 2, before=bomb)
    texts = chunk(b"tEXt", b"a\0" + bytes(1000)) * 1000
    yield "png-1-MB-of-text", png(rgb, 8, 2, before=texts)
    wrong = bytes(4) + b"tEXt" + b"\xff\xff\xff\xff"
    yield "png-text-checksum", png(rgb, 8, 2, before=wrong)
    yield "png-strange-chunk", png(rgb, 8, 2, before=chunk(b"\xff\0aB", b"?"))
    yield "png-broken-animation", png(rgb, 8, 2, before=chunk(b"acTL", bytes(2)))
    profile = save(photo(), "WEBP", icc_profile=bytes(1_000_000))
    yield "webp-1-MB-profile", profile


def _broken_exif() -> Named:
    whole = exif(6)
    yield "little-endian", exif(6, order="<")
    yield "cut", whole[:20]
    yield "loops", whole[:10] + b"\0\0\0\0" + whole[14:]
    yield "offset-beyond", whole[:10] + b"\xff\xff\xff\xff" + whole[14:]
    yield "65535-entries", whole[:14] + b"\xff\xff" + bytes(65_000)
    yield "strange-order", b"Exif\0\0XX\0*" + whole[10:]
    yield "empty", b"Exif\0\0"


def _animated() -> Named:
    frames = [photo().quantize(16), photo().rotate(180).quantize(16)] * 200
    animation = {"save_all": True, "append_images": frames[1:], "duration": 20}
    yield "gif-400-frames", save(frames[0], "GIF", **animation)
    small = [image.convert("RGB").resize((48, 32)) for image in frames]
    animation = {"save_all": True, "append_images": small[1:], "method": 0}
    yield "webp-400-frames", save(small[0], "WEBP", **animation)
    yield "webp-one-frame", _webp_animation(offset=0)
    yield "png-400-frames", apng(400)
    pair = {"save_all": True, "append_images": [photo(48, 32)]}
    multi_picture = save(photo(), "MPO", **pair)
    yield "mpo", multi_picture
    yield "mpo-second-cut", multi_picture[:-200]
