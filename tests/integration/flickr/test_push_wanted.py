"""What is asked for in a push: photos by number or page, lines of tags."""

from __future__ import annotations

import pytest

from lablr.errors import PushError
from lablr.flickr.push.wanted import read_photo_id, read_wanted
from lablr.metadata import Keyword


def test_photos_by_number_or_page():
    page = "https://www.flickr.com/photos/zoe/5001"
    for text in ("5001", " 5001 ", page, f"{page}/", f"{page}/in/dateposted?x=1"):
        assert read_photo_id(text) == "5001"
    for text in ("", "beach.jpg", "-1", "٣", "1" * 21, "https://example.com/5001"):
        with pytest.raises(PushError, match="no photo of Flickr"):
            read_photo_id(text)


def test_lines_of_photos_and_their_tags():
    lines = [
        b'{"flickr_id": 5001, "tags": ["sea", "New York"], "other": 1}\n',
        b"\n",
        b'{"page": "https://www.flickr.com/photos/zoe/5002/", "rejected": ["cat"],'
        b' "accepted": ["sea"], "typed": ["dog"]}\n',
        b'{"link": "https://flickr.com/photos/zoe/5001", "tags": ["sky"]}',
        b'{"flickr_id": "5003", "tags": []}',
    ]
    assert read_wanted(lines, "accepted") == {
        "5001": [
            Keyword("sea", "accepted"),
            Keyword("New York", "accepted"),
            Keyword("sky", "accepted"),
        ],
        "5002": [Keyword("sea", "accepted"), Keyword("dog", "typed")],
        "5003": [],
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"sea", "is no JSON"),
        (b"\xff", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[1]", "is no object"),
        (b'{"tags": ["sea"]}', "names no photo"),
        (b'{"flickr_id": "a", "tags": ["sea"]}', "is no photo of Flickr"),
        (b'{"flickr_id": "1"}', "has no tags"),
        (b'{"flickr_id": "1", "tags": "sea"}', "tags is no list"),
        (b'{"flickr_id": "1", "tags": [7]}', "holds 7, which is no text"),
        (b'{"flickr_id": "1", "tags": ["!"]}', "no letter and no digit"),
        (b'{"flickr_id": "1", "tags": ["a\\u0000"]}', "no file can hold"),
        (b'{"flickr_id": "1", "tags": [{"tag": "a", "probability": 1}]}', "accepts"),
        (b" " + b"1" * (1 << 20), "longer"),
    ],
)
def test_a_line_that_is_not_as_it_should_be_is_named(line, said):
    with pytest.raises(PushError, match=f"^line 2: .*{said}"):
        read_wanted([b'{"flickr_id": "1", "tags": ["sea"]}', line], "accepted")
