"""A JPEG's comments and other programs' segments are no hindrance to tags."""

from __future__ import annotations

from pathlib import Path

import pytest
import skimage
from exif_reader import other_values, read_lists
from photo_makers import find_segment, jpeg, segment, with_segments

from lablr.metadata.exiv2 import embed
from lablr.metadata.integrity import untouched
from lablr.metadata.keywords import IPTC, Keyword

KEYWORDS = [Keyword("beach"), Keyword("places|europe|paris"), Keyword("写真")]
DUCKY = segment(0xEC, b"Ducky\0\1\0\4\0\0\0\x3c")
COMMENT = segment(0xFE, b"File source: somewhere")
SKIMAGE = Path(skimage.__file__).parent / "data"


@pytest.mark.parametrize(
    "content",
    [
        with_segments(jpeg(), COMMENT),
        with_segments(jpeg(), COMMENT[:-1] + b"\0"),
        with_segments(jpeg(), DUCKY, COMMENT),
        (SKIMAGE / "rocket.jpg").read_bytes(),
        (SKIMAGE / "hubble_deep_field.jpg").read_bytes(),
    ],
    ids=["comment", "comment ends with NUL", "saved for the web", "rocket", "hubble"],
)
def test_segments_of_other_programs_are_no_hindrance(tmp_path, content):
    file = tmp_path / "a.jpg"
    file.write_bytes(content)
    before = other_values(file)
    file.write_bytes(embed(content, KEYWORDS)[0])
    assert other_values(file) == before
    assert read_lists(file)[IPTC] == ["beach", "paris", "写真"]
    _, frame = find_segment(content, 0xC0)
    assert file.read_bytes().endswith(content[frame:])


def test_only_what_stands_beside_the_picture_may_move():
    plain = jpeg()
    _, start = find_segment(plain, 0xE0)
    first, end = find_segment(plain, 0xDB)
    table = plain[first:end]
    moved = plain[:first] + plain[end:]
    assert untouched(moved.replace(b"\xff\xda", table + b"\xff\xda", 1)) != untouched(
        plain
    )
    profile = [segment(0xE2, b"ICC_PROFILE\0" + bytes([n, 2])) for n in (1, 2)]
    both = (plain[:start] + a + b + plain[start:] for a, b in (profile, profile[::-1]))
    assert len({*map(untouched, both)}) == 2
