"""What the local Flickr has: photos by number, with their tags."""

from __future__ import annotations

import importlib.util
import io
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, ImageEnhance, ImageOps

__all__ = ["WORDS", "Album", "SubjectAlbum", "real_photos"]

WORDS = ("sea", "sunset", "cat", "flower", "city", "night", "tree")

# Photos that scikit-learn and scikit-image ship, and tags that fit them.
SUBJECTS = {
    "sklearn/datasets/images/china.jpg": ("architecture", "sky"),
    "sklearn/datasets/images/flower.jpg": ("flower", "nature"),
    "skimage/data/astronaut.png": ("people", "portrait"),
    "skimage/data/chelsea.png": ("cat", "portrait"),
    "skimage/data/coffee.png": ("food", "drink"),
    "skimage/data/rocket.jpg": ("night", "sky"),
    "skimage/data/motorcycle_left.png": ("garage", "motorcycle"),
}


@cache
def real_photos() -> list[Image.Image]:
    """The photos of `SUBJECTS`, in their order."""
    photos = []
    for name in SUBJECTS:
        package, _, file = name.partition("/")
        spec = importlib.util.find_spec(package)
        with Image.open(Path(spec.origin).parent / file) as photo:
            photos.append(photo.convert("RGB"))
    return photos


@dataclass(frozen=True)
class Album:
    """Photo i carries the i-th word and some more; what it shows is another matter.

    side : of the square pictures, in pixels.
    """

    n_photos: int
    side: int = 96

    def tags_of(self, number: int) -> list[str]:
        """The tags that a photo carries."""
        return [WORDS[number % len(WORDS)], WORDS[number % 5], f"photo{number}"]

    def tags_said(self, number: int) -> list[str]:
        """The tags that a search tells of a photo: here, not the first."""
        return [*self.tags_of(number)[1:], "geo:lat=52", "新宿"]

    def numbers_of(self, tag: str) -> list[int]:
        """The photos that carry a tag."""
        return [n for n in range(self.n_photos) if tag in self.tags_of(n)]

    def picture(self, number: int) -> bytes:
        """A JPEG cut out of a real photo, another for every number."""
        return _crop(number, self.side)


@dataclass(frozen=True)
class SubjectAlbum(Album):
    """Photos to learn from: crops, mirrored and darkened, whose tags fit them.

    Each also carries a tag that no other has, as people's photos do.
    """

    side: int = 256

    def tags_of(self, number: int) -> list[str]:
        tags = list(SUBJECTS.values())[number % len(SUBJECTS)]
        return [*tags, f"photo{number}"]

    def tags_said(self, number: int) -> list[str]:
        return [*self.tags_of(number), "geo:lat=52"]

    def picture(self, number: int) -> bytes:
        return _view(number, self.side)


@cache
def _crop(number: int, side: int) -> bytes:
    chance = random.Random(number)
    photo = real_photos()[number % 5]
    left, top = (chance.randrange(length - 200) for length in photo.size)
    box = (left, top, left + 200, top + 200)
    return _jpeg(photo.resize((side, side), box=box))


@cache
def _view(number: int, side: int) -> bytes:
    chance = random.Random(f"view {number}")
    photo = real_photos()[number % len(real_photos())]
    length = int(min(photo.size) * chance.uniform(0.6, 1))
    left, top = (chance.randrange(whole - length + 1) for whole in photo.size)
    box = (left, top, left + length, top + length)
    view = photo.resize((side, side), Image.Resampling.BICUBIC, box)
    if chance.random() < 0.5:
        view = ImageOps.mirror(view)
    return _jpeg(ImageEnhance.Brightness(view).enhance(chance.uniform(0.7, 1.3)))


def _jpeg(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=85)
    return stream.getvalue()
