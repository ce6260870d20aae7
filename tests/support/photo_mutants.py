"""Small changes to real photos, by the thousand, for the door to survive."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import sklearn
from photo_makers import apng, exif, jpeg, photo, png, save, segment, with_segments

from lablr.errors import PhotoError
from lablr.photos import PhotoLimits, read_image

# So small that no mutant gets to be costly, and one may be tried a thousandth of a
# second after the other.
SMALL = PhotoLimits(max_pixels=1_000_000)
SIZES = (16, 224, None)
WHOLE_EVERY = 100  # one in so many is of a photo as it came from the camera


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


@cache
def whole_photos() -> tuple[bytes, ...]:
    """Return the real photos that scikit-learn ships, 640 x 427."""
    folder = Path(sklearn.__file__).parent / "datasets" / "images"
    return tuple(path.read_bytes() for path in sorted(folder.glob("*.jpg")))


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


def mutants(n_mutants: int, seed: int) -> Iterator[tuple[bytes, int | None]]:
    """Yield so many (mutant, size to ask for); the same for the same seed."""
    random_ = random.Random(seed)
    for number in range(n_mutants):
        originals = whole_photos() if number % WHOLE_EVERY == 0 else seeds()
        mutant = mutate(random_.choice(originals), random_)
        yield mutant, random_.choice(SIZES)
