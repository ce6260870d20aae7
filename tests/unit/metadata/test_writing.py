"""Tags that go into photos are there for others to read, and nothing else changes."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
from pathlib import Path

import pytest
from exif_reader import LISTS, other_values, read_all, read_lists, run_exiftool
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_makers import find_segment, jpeg, photo, save, segment
from PIL import Image
from places import ROOT

from lablr.errors import BrokenPhoto, MissingExtra, PhotoError, WritingError
from lablr.metadata.exiv2 import embed
from lablr.metadata.integrity import untouched
from lablr.metadata.keywords import (
    DIGIKAM,
    HIERARCHY,
    IPTC,
    SUBJECT,
    Keyword,
    additions,
    same,
)
from lablr.metadata.xmp import EMPTY_PACKET, add_to_lists
from lablr.metadata.xmp import read_lists as of_packet

ALL = (IPTC, SUBJECT, HIERARCHY, DIGIKAM)
PARIS = "places|europe|paris"
KEYWORDS = [Keyword("beach"), Keyword(PARIS, "accepted"), Keyword("写真", "suggested")]

WEBP = save(photo(), "WEBP")
LOSSLESS_WEBP = save(photo().convert("RGBA"), "WEBP", lossless=True)
PNG = save(photo(), "PNG")
PHOTOS = {"a.jpg": jpeg(), "b.png": PNG, "c.webp": WEBP, "d.webp": LOSSLESS_WEBP}


def written(content: bytes, *keywords: Keyword | str) -> bytes:
    return embed(
        content, [k if isinstance(k, Keyword) else Keyword(k) for k in keywords]
    )[0]


# --- what to write


def test_a_list_that_is_there_gets_what_is_new():
    found = {SUBJECT: ["Beach"], IPTC: ["Beach"], HIERARCHY: ["x"], DIGIKAM: ["x"]}
    more = additions(found, [Keyword("beach"), Keyword("sea")], ALL)
    assert more.to_lists == {
        IPTC: ("sea",),
        SUBJECT: ("sea",),
        HIERARCHY: ("beach", "sea"),
        DIGIKAM: ("beach", "sea"),
        "lablr:typed": ("sea",),
    }


def test_a_list_that_is_made_starts_with_what_the_others_hold():
    more = additions({IPTC: ["old"], HIERARCHY: ["a|b"]}, [Keyword("new")], ALL)
    assert more.to_lists[SUBJECT] == ("b", "old", "new")
    assert more.to_lists[DIGIKAM] == ("a/b", "old", "new")
    assert more.to_lists[IPTC] == more.to_lists[HIERARCHY] == ("new",)


def test_what_is_there_is_not_added_again():
    found = {}
    for _ in range(2):
        more = additions(found, KEYWORDS, ALL)
        found = {
            name: (*found.get(name, ()), *more.to_lists.get(name, ()))
            for name in {*found, *more.to_lists}
        }
    assert not more.to_lists
    assert found["lablr:accepted"] == (PARIS,)
    assert found["lablr:suggested"] == ("写真",)


def test_a_word_of_a_hierarchy_is_not_put_beside_it():
    more = additions({SUBJECT: ["europe", "b/w"], DIGIKAM: ["b/w"]}, KEYWORDS[1:2], ALL)
    assert more.to_lists[HIERARCHY] == ("b/w", PARIS)
    assert more.to_lists[DIGIKAM] == ("places/europe/paris",)
    assert more.to_lists[SUBJECT] == ("paris",)


def test_what_iptc_cannot_hold_is_said():
    long = "ü" * 33
    more = additions({}, [Keyword(long), Keyword("ü" * 32)], ALL)
    assert more.to_lists[IPTC] == ("ü" * 32,)
    assert more.to_lists[SUBJECT] == (long, "ü" * 32)
    assert "66 bytes" in more.notes[0]
    assert additions({IPTC: ["x"]}, [Keyword("x")], ALL).notes == ()


@pytest.mark.parametrize(
    "tag", ["", " ", "a||b", "|a", "a\0b", "a\x1bb", "\ud800", "\ufffe", "x" * 1001]
)
def test_a_tag_that_no_file_can_hold_is_refused(tag):
    with pytest.raises(WritingError, match="the tag"):
        Keyword(tag)


def test_a_tag_is_made_tidy():
    assert Keyword("  new \t york | u\u0308ber ").path == ("new york", "über")
    assert same("ZÜRICH") == same("zu\u0308rich")
    with pytest.raises(WritingError, match="origins"):
        Keyword("a", "guessed")


# --- into photos, read back by exiftool


@pytest.mark.parametrize("name", PHOTOS)
def test_exiftool_reads_the_tags_and_the_picture_is_the_same(tmp_path, name):
    before = PHOTOS[name]
    file = tmp_path / name
    file.write_bytes(written(before, *KEYWORDS))
    expected = {
        SUBJECT: ["beach", "paris", "写真"],
        HIERARCHY: ["beach", PARIS, "写真"],
        DIGIKAM: ["beach", "places/europe/paris", "写真"],
        "lablr:typed": ["beach"],
        "lablr:accepted": [PARIS],
        "lablr:suggested": ["写真"],
    }
    if name == "a.jpg":
        expected[IPTC] = expected[SUBJECT]
    assert read_lists(file) == expected
    with Image.open(file) as now, Image.open(io.BytesIO(before)) as then:
        assert now.mode == then.mode
        assert now.tobytes() == then.tobytes()
    after = file.read_bytes()
    picture = {"a.jpg": b"\xff\xda", "b.png": b"IDAT"}.get(name, b"VP8")
    at = {"c.webp": b"VP8 ", "d.webp": b"VP8L"}.get(name, picture)
    end = before.index(at) if name == "a.jpg" else None
    if end is not None:
        assert after.endswith(before[end:])
    else:
        start = before.index(at)
        length = len(before) - start - (12 if name == "b.png" else 0)
        assert before[start : start + length] in after
    assert written(after, *KEYWORDS) == after


LATIN = ["-charset", "iptc=latin"]
CASES = {
    "IPTC alone": (["-IPTC:Keywords=old"], {IPTC: ["old"]}),
    "XMP alone": (["-XMP-dc:Subject=old"], {SUBJECT: ["old"]}),
    "Latin-1": (
        [*LATIN, "-IPTC:Keywords=Zürich", "-IPTC:Caption-Abstract=Früh am Fluß"],
        {IPTC: ["Zürich"]},
    ),
    "UTF-8": (
        ["-IPTC:CodedCharacterSet=UTF8", "-IPTC:Keywords=Łódź", "-IPTC:City=Łódź"],
        {IPTC: ["Łódź"]},
    ),
    "both, and they differ": (
        ["-IPTC:Keywords=one", "-XMP-dc:Subject=two"],
        {IPTC: ["one"], SUBJECT: ["two"]},
    ),
    "a hierarchy": (["-XMP-lr:HierarchicalSubject=a|b"], {HIERARCHY: ["a|b"]}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_persons_tags_and_notes_stay(tmp_path, case):
    words, lists = CASES[case]
    file = tmp_path / "a.jpg"
    file.write_bytes(jpeg())
    notes = ["-EXIF:Artist=me", "-XMP-dc:Title=Tür", "-Photoshop:URL=https://a.org/"]
    run_exiftool("-q", "-overwrite_original", *words, *notes, file)
    before = other_values_in(file, case)
    file.write_bytes(written(file.read_bytes(), *KEYWORDS))
    after = read_lists(file)
    for name, items in lists.items():
        assert after[name][: len(items)] == items
    for name in (IPTC, SUBJECT):
        assert {"beach", "paris", "写真"} <= {*after[name]}
    assert {*lists.get(IPTC, [])} <= {*after[SUBJECT]} or SUBJECT in lists
    assert other_values(file) == before
    assert read_all([file])[0]["IPTC:CodedCharacterSet"] == "UTF8"


def other_values_in(file: Path, case: str) -> dict[str, object]:
    """What there is besides tags, with the text that exiftool was told is Latin-1."""
    values = other_values(file)
    if case == "Latin-1":
        values["IPTC:Caption-Abstract"] = "Früh am Fluß"
    return values


def test_everything_in_xmp_stays(tmp_path):
    packet = tmp_path / "rich.xmp"
    packet.write_text(RICH_XMP)
    for name in ("a.jpg", "b.png", "c.webp"):
        file = tmp_path / name
        file.write_bytes(PHOTOS[name])
        run_exiftool("-q", "-overwrite_original", f"-xmp<={packet}", file)
        run_exiftool("-q", "-overwrite_original", "-EXIF:Make=Nikon", file)
        before = other_values(file)
        assert len(before) > 10
        file.write_bytes(written(file.read_bytes(), "beach"))
        assert other_values(file) == before
        assert read_lists(file)[SUBJECT] == ["beach"]


def test_the_other_pictures_of_a_phone_are_found_where_they_were():
    plain = jpeg()
    _, start = find_segment(plain, 0xE0)
    index = segment(0xE2, b"MPF\0" + bytes(20))
    with_others = plain[:start] + index + plain[start:] + jpeg()
    after = written(with_others, "beach")
    assert after.endswith(with_others[start:])
    # Tags behind the index would move the pictures that it counts to.
    xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>")
    behind = start + len(index)
    moved = with_others[:behind] + xmp + with_others[behind:]
    assert untouched(moved) != untouched(with_others)
    assert untouched(plain[:start] + xmp + plain[start:]) == untouched(plain)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", WritingError),
        (b"GIF89a" + bytes(30), WritingError),
        (b"<svg/>", WritingError),
        (jpeg()[:-20], WritingError),
        (jpeg()[: len(jpeg()) // 2], WritingError),
        (jpeg()[:200], BrokenPhoto),
        (PNG[:-20], BrokenPhoto),
        (WEBP[:-20], BrokenPhoto),
    ],
)
def test_what_is_no_whole_photo_is_refused(content, error):
    with pytest.raises(error):
        written(content, "beach")


def test_more_than_a_jpeg_can_hold_is_refused():
    with pytest.raises(WritingError, match="larger than 65535"):
        written(jpeg(), *(f"{number} {'x' * 900}" for number in range(60)))


@settings(deadline=None)
@given(st.integers(0, 2000), st.integers(0, 255))
def test_a_damaged_file_is_refused_or_written_whole(at, value):
    damaged = bytearray(jpeg())
    damaged[at] = value
    try:
        after = written(bytes(damaged), "beach")
    except (WritingError, PhotoError):
        return
    assert untouched(after) == untouched(bytes(damaged))


# --- packets


RICH_XMP = """\
<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:foo="http://foo.example/ns/" foo:Own="a&#xA;b"
    xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmp:Rating="3">
   <dc:description><rdf:Alt><rdf:li xml:lang="x-default">line one
line two</rdf:li><rdf:li xml:lang="de">zwei</rdf:li></rdf:Alt></dc:description>
   <foo:Struct rdf:parseType="Resource"><foo:A>1</foo:A><foo:B><rdf:Bag>
     <rdf:li>x</rdf:li><rdf:li rdf:parseType="Resource"><foo:C>deep</foo:C></rdf:li>
   </rdf:Bag></foo:B></foo:Struct>
   <foo:Qualified><rdf:Description><rdf:value>v</rdf:value><foo:q>qq</foo:q>
   </rdf:Description></foo:Qualified>
   <foo:Empty/>
   <!-- a person's remark -->
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""
RDF = 'xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
DC = 'xmlns:d="http://purl.org/dc/elements/1.1/"'


def test_adding_to_a_packet_leaves_the_rest_as_it_is():
    after = add_to_lists(RICH_XMP.encode(), {SUBJECT: ["a & b", "写真"]}).decode()
    start, end = RICH_XMP.split("\n </rdf:RDF>")
    assert after.startswith(start)
    assert after.endswith("</rdf:RDF>" + end)
    assert of_packet(after.encode()) == {SUBJECT: ("a & b", "写真")}
    again = add_to_lists(after.encode(), {SUBJECT: ["<c>"]}).decode()
    assert again.replace("     <rdf:li>&lt;c&gt;</rdf:li>\n", "") == after
    assert of_packet(again.encode())[SUBJECT] == ("a & b", "写真", "<c>")


@pytest.mark.parametrize(
    "inner",
    [
        "",
        "<r:Description r:about='uuid:1'/>",
        "<r:Description r:about=''><d:subject><r:Bag/></d:subject></r:Description>",
        "<r:Description r:about=''><d:subject><r:Bag></r:Bag></d:subject>"
        "</r:Description>",
        "<r:Description><d:subject><r:Seq><r:li>x</r:li></r:Seq></d:subject>"
        "</r:Description>",
    ],
)
def test_a_packet_in_another_style_is_added_to(tmp_path, inner):
    root = f"<r:RDF {RDF} {DC}>{inner}</r:RDF>" if inner else f"<r:RDF {RDF} {DC}/>"
    packet = f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{root}</x:xmpmeta>'
    before = of_packet(packet.encode()).get(SUBJECT, ())
    file = tmp_path / "a.xmp"
    file.write_bytes(add_to_lists(packet.encode(), {SUBJECT: ["é"], HIERARCHY: ["h"]}))
    lists = read_lists(file)
    assert lists == {SUBJECT: [*before, "é"], HIERARCHY: ["h"]}


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (BOMB + RICH_XMP, "DOCTYPE"),
        ("<svg/>", "no XMP"),
        ("", "cannot be read"),
        (RICH_XMP[:-200], "cannot be read"),
        ('<?xml version="1.0" encoding="latin-1"?>' + RICH_XMP, "latin-1"),
        (f"<r:RDF {RDF} {DC}><r:Description d:subject='x'/></r:RDF>", "not a list"),
        (
            f"<r:RDF {RDF} {DC}><r:Description><d:subject>x</d:subject>"
            "</r:Description></r:RDF>",
            "not a list",
        ),
    ],
)
def test_a_packet_that_cannot_be_added_to_is_refused(packet, why):
    with pytest.raises(WritingError, match=why):
        add_to_lists(packet.encode(), {SUBJECT: ["x"]})


@settings(deadline=None)
@given(st.lists(st.text(min_size=1, max_size=20), max_size=5))
def test_any_tag_comes_back_from_a_packet(tags):
    keywords = []
    for tag in tags:
        try:
            keywords.append(Keyword(tag))
        except WritingError:
            continue
    more = additions({}, keywords, (SUBJECT, HIERARCHY))
    packet = add_to_lists(EMPTY_PACKET, more.to_lists)
    assert of_packet(packet) == more.to_lists


# --- the licence


def test_only_one_module_names_pyexiv2():
    naming = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "lablr").rglob("*.py")
        if any(
            isinstance(node, ast.Constant) and node.value == "pyexiv2"
            for node in ast.walk(ast.parse(path.read_text()))
        )
        or "import pyexiv2" in path.read_text()
    }
    assert naming == {"lablr/metadata/exiv2.py"}


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyexiv2", None)
    with pytest.raises(MissingExtra, match=r"lablr\[meta\]"):
        written(jpeg(), "beach")


def test_importing_the_room_does_not_load_it():
    code = "import sys, lablr.metadata; sys.exit('pyexiv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_the_reader_knows_every_list():
    assert {*LISTS} == {*ALL, "lablr:suggested", "lablr:accepted", "lablr:typed"}
