"""Whatever the bytes are, the door gives a photo or a PhotoError, and it is right."""

from __future__ import annotations

import os
import random
import time
from functools import cache

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from photo_makers import (
    PNG_SIGNATURE,
    apng,
    exif,
    jpeg,
    photo,
    png,
    save,
    segment,
    with_segments,
)
from PIL import Image

from lablr.errors import PhotoError
from lablr.photos import PhotoLimits, read_image

# 100,000 in CI and a million before a release: LABLR_FUZZ_MUTANTS=100000 pytest ...
N_MUTANTS = int(os.environ.get("LABLR_FUZZ_MUTANTS", "20000"))
# So small that no mutant gets to be costly, and one may be tried a thousandth of a
# second after the other.
SMALL = PhotoLimits(max_pixels=1_000_000)
STARTS = [b"", b"\xff\xd8", PNG_SIGNATURE, b"GIF89a", b"RIFF\xff\0\0\0WEBPVP8 "]

unhurried = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@cache
def seeds() -> tuple[bytes, ...]:
    """Return one small real photo of each kind and colour mode that differs inside."""
    small, palette = photo(48, 32), photo(48, 32).quantize(16)
    frames = {"save_all": True, "append_images": [small.rotate(180)]}
    samples = np.asarray(small)
    return (
        jpeg(small),
        jpeg(small, progressive=True),
        jpeg(small.convert("CMYK")),
        with_segments(jpeg(small, restart_marker_blocks=2), segment(0xE1, exif(6))),
        save(small, "MPO", save_all=True, append_images=[small]),
        save(small, "PNG"),
        save(palette, "PNG", transparency=3),
        png(samples.astype(int) * 257, 16, 2, interlaced=True),
        apng(3),
        save(small, "WEBP"),
        save(small, "WEBP", lossless=True),
        save(small, "WEBP", **frames),
        save(palette, "GIF"),
        save(palette, "GIF", save_all=True, append_images=[palette.rotate(180)]),
    )


def survives(payload: bytes, size: int | None) -> bool:
    """Return whether the photo was accepted; anything but a PhotoError gets out."""
    try:
        image = read_image(payload, size, SMALL)
    except PhotoError:
        return False
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert size is None or image.shape == (size, size, 3)
    assert image.shape[0] * image.shape[1] <= max(SMALL.max_pixels, (size or 1) ** 2)
    return True


@unhurried
@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=3000))
def test_random_bytes(start, rest):
    survives(start + rest, 16)


@st.composite
def edited_photos(draw: st.DrawFn) -> bytes:
    """Draw a real photo of which a few stretches are replaced, moved or taken out."""
    payload = bytearray(draw(st.sampled_from(seeds())))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(payload)))
        stop = start + draw(st.integers(0, 40))
        put = draw(st.one_of(st.binary(max_size=40), st.just(bytes(payload[:40]))))
        payload[start:stop] = put
    return bytes(payload)


@unhurried
@given(payload=edited_photos(), size=st.sampled_from([None, 1, 16]))
@example(payload=b"", size=None)
def test_edited_photos(payload, size):
    survives(payload, size)


def mutate(payload: bytes, random_: random.Random) -> bytes:
    """Return the payload with one to eight bits, bytes, runs or lengths changed."""
    mutant = bytearray(payload)
    for _ in range(random_.choice((1, 1, 2, 8))):
        at = random_.randrange(len(mutant))
        match random_.randrange(6):
            case 0:
                mutant[at] ^= 1 << random_.randrange(8)
            case 1:
                mutant[at] = random_.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF))
            case 2:
                del mutant[at : at + random_.choice((1, 2, 4, 100))]
            case 3:
                mutant[at:at] = random_.randbytes(random_.choice((1, 2, 4, 100)))
            case 4:
                mutant[at : at + 4] = random_.choice((b"\0" * 4, b"\xff" * 4))
            case 5:
                other = random_.randrange(len(mutant))
                mutant[at : at + 50] = mutant[other : other + 50]
        if not mutant:
            break
    return bytes(mutant)


def test_mutants_raise_only_documented_errors(record_testsuite_property):
    random_ = random.Random(20240229)
    started = time.perf_counter()
    n_accepted = 0
    for number in range(N_MUTANTS):
        mutant = mutate(seeds()[number % len(seeds())], random_)
        try:
            n_accepted += survives(mutant, random_.choice((16, 224, None)))
        except Exception as error:
            raise AssertionError(f"mutant {number}: {mutant!r}") from error
    seconds = time.perf_counter() - started
    record_testsuite_property("mutants_per_second", N_MUTANTS / seconds)
    assert 0.02 < n_accepted / N_MUTANTS < 0.98  # both ways were walked


# --- The square -----------------------------------------------------------------------

sides = st.integers(1, 120)


@unhurried
@given(width=sides, height=sides, size=st.integers(1, 64), seed=st.integers(0, 99))
def test_the_square_is_the_naive_crop_and_resize(width, height, size, seed):
    if max(width, height) > 50 * min(width, height):
        return
    samples = np.random.default_rng(seed).integers(0, 256, (height, width, 3))
    payload = png(samples, 8, 2)
    whole = read_image(payload)
    np.testing.assert_array_equal(whole, samples)
    crop_width, crop_height = min(width, 2 * height), min(height, 2 * width)
    left, top = (width - crop_width) / 2, (height - crop_height) / 2
    naive = Image.fromarray(whole).resize(
        (size, size),
        Image.Resampling.BICUBIC,
        box=(left, top, left + crop_width, top + crop_height),
    )
    np.testing.assert_array_equal(read_image(payload, size), np.asarray(naive))


@unhurried
@given(width=sides, height=sides, orientation=st.integers(0, 10))
def test_the_shape_is_the_upright_one(width, height, orientation):
    image = photo(width, height)
    payload = with_segments(jpeg(image), segment(0xE1, exif(orientation)))
    try:
        shape = read_image(payload).shape
    except PhotoError:
        assert max(width, height) > 50 * min(width, height)
        return
    turned = 5 <= orientation <= 8
    assert shape == ((width, height, 3) if turned else (height, width, 3))
