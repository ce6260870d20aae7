"""The layouts of a corpus other than lines of JSON: CSV, and folders of photos."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from corpus_makers import write_lines

from lablr.corpus import Corpus
from lablr.corpus.layouts import MAX_LINES_OF_PHOTO
from lablr.corpus.records import MAX_LINE_BYTES, split_of
from lablr.errors import CorpusError

# --- photos.csv


@pytest.mark.parametrize("header", [True, False])
def test_csv_of_words(tmp_path: Path, header: bool) -> None:
    lines = ["a/1.jpg,Sea", '"b, c.jpg",New York', "写真.jpg,7"]
    write_lines(tmp_path, *["path,label"] * header, *lines, name="photos.csv")
    photos = list(Corpus.open(tmp_path / "photos.csv"))
    assert [(photo.file, photo.tags) for photo in photos] == [
        ("a/1.jpg", ("sea",)),
        ("b, c.jpg", ("newyork",)),
        ("写真.jpg", ("7",)),
    ]
    assert photos[0].source == "photos"


def test_csv_of_indices(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("Sunset\nBeach\n")
    write_lines(tmp_path, "1.jpg,1\r", "2.jpg,0", "3.jpg,sea", name="photos.csv")
    tags = [photo.tags for photo in Corpus.open(tmp_path)]
    assert tags == [("beach",), ("sunset",), ("sea",)]


def test_csv_lines_of_one_path_are_one_photo(tmp_path: Path) -> None:
    lines = ["a.jpg,Sea", "./a.jpg,sky", "a.jpg,sea", "b.jpg,sea", "c.jpg,x", "c.jpg,a"]
    write_lines(tmp_path, *lines, name="photos.csv")
    corpus = Corpus.open(tmp_path)
    assert [(photo.file, photo.tags) for photo in corpus] == [
        ("a.jpg", ("sea", "sky")),
        ("b.jpg", ("sea",)),
        ("c.jpg", ("a", "x")),
    ]
    assert {
        (photo.split, photo.source) for photo in corpus if photo.file == "a.jpg"
    } == {(split_of("a.jpg"), "photos")}
    assert corpus.count_records() == corpus.count() == 3


def test_csv_lines_of_one_path_stand_together(tmp_path: Path) -> None:
    write_lines(tmp_path, "a.jpg,sea", "b.jpg,sea", "a.jpg,sky", name="photos.csv")
    corpus = Corpus.open(tmp_path)
    with pytest.raises(CorpusError, match=r"^photos\.csv:3: a\.jpg is listed twice"):
        list(corpus)
    assert corpus.count() == 2


def test_a_bad_line_among_those_of_a_photo_is_named(tmp_path: Path) -> None:
    lines = ["a.jpg,sea", "a.jpg,!!!", "a.jpg,sky", "b.jpg,sea"]
    write_lines(tmp_path, *lines, name="photos.csv")
    errors: list[CorpusError] = []
    photos = list(Corpus.open(tmp_path).photos(on_error=errors.append))
    assert [photo.file for photo in photos] == ["b.jpg"]
    assert [str(error)[:31] for error in errors] == ["photos.csv:1: photos.csv:2: the"]


def test_the_lines_of_one_photo_are_bounded(tmp_path: Path) -> None:
    lines = [f"a.jpg,tag{n}" for n in range(MAX_LINES_OF_PHOTO + 1)]
    write_lines(tmp_path, *lines, name="photos.csv")
    with pytest.raises(CorpusError, match=r"photos\.csv:1001: .* listed twice"):
        list(Corpus.open(tmp_path))


@pytest.mark.parametrize(
    "line",
    [
        b"a.jpg",
        b"a.jpg,sea,blue",
        b'"a.jpg,sea',
        b"a.jpg,",
        b"a.jpg,2",
        b"a.jpg," + b"9" * 5000,
        b"/a.jpg,sea",
        b"../a.jpg,sea",
        b"\xff.jpg,sea",
        b"\xef\xbb\xbfa.jpg,sea",
        b"a.jpg," + b"s" * MAX_LINE_BYTES,
        b"a\x00.jpg,sea",
    ],
)
def test_a_hostile_line_of_csv(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "labels.txt").write_text("sunset\nbeach")
    write_lines(tmp_path, "path,label", "0.jpg,0", line, "2.jpg,1", name="photos.csv")
    corpus = Corpus.open(tmp_path)
    with pytest.raises(CorpusError, match=r"^photos\.csv:3: "):
        list(corpus)
    assert corpus.count() == 2


def test_an_empty_label_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("sunset\n\nbeach\n")
    write_lines(tmp_path, "0.jpg,0", name="photos.csv")
    with pytest.raises(CorpusError, match=r"^labels\.txt:2: "):
        Corpus.open(tmp_path)


# --- folders of photos


def test_a_folder_per_tag(tmp_path: Path) -> None:
    for file in ("New York/1.jpg", "sea/1.JPG", "sea/0.webp", "sea/notes.txt"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(b"not read while listing")
    (tmp_path / "sea" / "deeper").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "1.jpg").touch()
    (tmp_path / "README.md").touch()
    photos = list(Corpus.open(tmp_path))
    assert [(photo.file, photo.tags) for photo in photos] == [
        ("New York/1.jpg", ("newyork",)),
        ("sea/0.webp", ("sea",)),
        ("sea/1.JPG", ("sea",)),
    ]
    assert photos[0].path.read_bytes() == b"not read while listing"


def test_a_folder_per_tag_with_odd_entries(tmp_path: Path) -> None:
    for tag in ("sea", "___", "sky"):
        (tmp_path / tag).mkdir()
    (tmp_path / "___" / "1.jpg").touch()
    (tmp_path / "linked").symlink_to(tmp_path / "sea")
    (tmp_path / "sea" / "1.jpg").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "sea" / "2.jpg")
    (tmp_path / "sea" / "3.jpg").mkdir()
    not_utf8 = os.fsdecode(b"\xff.jpg")
    (tmp_path / "sky" / not_utf8).touch()
    os.mkfifo(tmp_path / "sky" / os.fsdecode(b"\xfe.jpg"))

    errors: list[CorpusError] = []
    corpus = Corpus.open(tmp_path)
    photos = list(corpus.photos(on_error=errors.append))
    assert [photo.file for photo in photos] == [f"sky/{not_utf8}"]
    assert photos[0].path.exists()
    assert len(corpus.digest) == 64
    places = [str(error).split(":")[0] for error in errors]
    assert places == [
        "___/1.jpg",
        "linked",
        "sea/1.jpg",
        "sea/2.jpg",
        "sea/3.jpg",
        r"sky/\xfe.jpg",
    ]


@pytest.mark.parametrize(
    ("files", "tagged", "told"),
    [
        (["1.jpg"], False, False),
        (["1.jpg", "notes/a.txt"], False, False),
        (["1.jpg", "raw/2.jpg"], False, True),
        (["2024/05/1.jpg"], False, False),
        (["sea/1.jpg", "sky/2.PNG", "README.md"], True, False),
        (["sea/1.jpg", "sea/deeper/2.jpg", ".hidden/3.jpg"], True, False),
    ],
)
def test_when_folders_are_tags(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    files: list[str],
    tagged: bool,
    told: bool,
) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    corpus = Corpus.open(tmp_path, untagged=True)
    if tagged:
        assert [*corpus] == [*Corpus.open(tmp_path)] != []
    else:
        photos = [file for file in files if file.endswith(".jpg")]
        assert [(photo.file, photo.tags) for photo in corpus] == [
            (file, ()) for file in photos
        ]
    assert ("these are not taken for tags" in caplog.text) is told
