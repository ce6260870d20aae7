"""The normal form of a tag, on real spellings, every code point and random text."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lablr.errors import CorpusError
from lablr.tags import normalize


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("sunset", "sunset"),
        ("New York City!", "newyorkcity"),
        ("new-york", "newyork"),
        ("Black & White", "blackwhite"),
        ("365/2024", "3652024"),
        ("  Zürich ", "zürich"),
        ("Zu\u0308rich", "zürich"),
        ("写真", "写真"),
        ("ＮＩＫＯＮ", "nikon"),
        ("हिन्दी", "हिन्दी"),
        ("ΘΑΛΑΣΣΑ", "θαλασσα"),
        ("geo:lat=51.5", "geolat515"),
        ("beach❤️", "beach"),
        ("e\u00ad\u0301te", "éte"),
    ],
)
def test_normal_form(written: str, normal: str) -> None:
    assert normalize(written) == normal


@pytest.mark.parametrize("written", ["", "   ", "!!!", "❤️", "\u0301", "\ud800", "\x00"])
def test_a_tag_without_letters_or_digits_is_refused(written: str) -> None:
    with pytest.raises(CorpusError, match="no letter and no digit"):
        normalize(written)


def test_the_refusal_does_not_repeat_a_tag_of_a_million_characters() -> None:
    with pytest.raises(CorpusError) as refused:
        normalize("!" * 1_000_000)
    assert len(str(refused.value)) < 200


def test_every_code_point_has_a_stable_form() -> None:
    for code_point in range(sys.maxunicode + 1):
        form = normalize("a" + chr(code_point))
        assert normalize(form) == form
        assert form[0].isalnum()


@given(st.text())
def test_the_normal_form_is_stable_and_ignores_case_and_spaces(text: str) -> None:
    form = normalize("a" + text)
    assert normalize(form) == form
    assert normalize(" a " + text) == form
    assert not any(character.isspace() or character in "-_!#" for character in form)
