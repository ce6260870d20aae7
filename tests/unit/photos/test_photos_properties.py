"""Whatever the bytes are, the door gives a photo or a PhotoError, and it is right."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from photo_makers import (
    PNG_SIGNATURE,
    exif,
    jpeg,
    photo,
    png,
    segment,
    with_segments,
)
from photo_mutants import seeds, survives
from PIL import Image

from lablr.errors import PhotoError
from lablr.photos import read_image

STARTS = [b"", b"\xff\xd8", PNG_SIGNATURE, b"GIF89a", b"RIFF\xff\0\0\0WEBPVP8 "]

unhurried = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


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
