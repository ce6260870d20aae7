"""Corpora on real disks: records, hostile lines, paths, links and sizes."""

from __future__ import annotations

import hashlib
import json
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from corpus_makers import record, write_lines
from hypothesis import given
from hypothesis import strategies as st

from lablr.corpus import Corpus, Photo, membership
from lablr.corpus.records import MAX_LINE_BYTES, split_of
from lablr.errors import CorpusError


def test_json_lines(tmp_path: Path) -> None:
    full = {
        "file": "b/1.jpg",
        "tags": ["Sunset", "New York", "sunset"],
        "split": "val",
        "source": "flickr",
        "flickr_id": 123,
        "license": "4",
        "owner": "12@N00",
        "views": 10,
        "faves": 0,
        "title": "not ours",
    }
    corpus = Corpus.open(write_lines(tmp_path, full, "", record("a.jpg"), "  "))
    first, second = corpus
    assert first == Photo(
        file="b/1.jpg",
        path=tmp_path / "b" / "1.jpg",
        tags=("newyork", "sunset"),
        split="val",
        source="flickr",
        flickr_id="123",
        license="4",
        owner="12@N00",
        views=10,
        faves=0,
    )
    assert second.file == "a.jpg"
    assert second.source == "photos"
    assert second.split == split_of("a.jpg")
    assert corpus.root == tmp_path


def test_a_photo_without_tags_is_a_photo(tmp_path: Path) -> None:
    (photo,) = Corpus.open(write_lines(tmp_path, {"file": "a.jpg", "tags": []}))
    assert photo.tags == ()


def test_its_own_records_read_back(tmp_path: Path) -> None:
    corpus = Corpus.open(write_lines(tmp_path, record(), record("b", views=3)))
    copy = tmp_path / "copy"
    copy.mkdir()
    write_lines(copy, *(photo.to_record() for photo in corpus))
    assert Corpus.open(copy).digest == corpus.digest


def test_split_count_and_tag_counts(tmp_path: Path) -> None:
    lines = [
        record(f"{n}.jpg", split="val" if n % 4 == 0 else "train") for n in range(8)
    ]
    lines[0]["tags"] = ["sea", "boat"]
    corpus = Corpus.open(write_lines(tmp_path, *lines))
    assert [photo.file for photo in corpus.photos("val")] == ["0.jpg", "4.jpg"]
    assert (corpus.count(), corpus.count("val"), corpus.count("train")) == (8, 2, 6)
    assert corpus.tag_counts() == {"sea": 8, "boat": 1}
    assert corpus.tag_counts("train") == {"sea": 6}


def test_the_split_is_fixed_and_one_in_ten() -> None:
    splits = [split_of(f"photos/{n}.jpg") for n in range(20_000)]
    assert set(splits) == {"train", "val"}
    assert 0.09 < splits.count("val") / len(splits) < 0.11
    assert split_of("photos/0.jpg") == "train"
    assert [n for n in range(40) if split_of(f"photos/{n}.jpg") == "val"] == [
        n
        for n in range(40)
        if int(hashlib.sha256(f"photos/{n}.jpg".encode()).hexdigest()[:16], 16) % 10
        == 0
    ]


def test_digest_is_of_the_records_in_order(tmp_path: Path) -> None:
    corpus = Corpus.open(write_lines(tmp_path, record("b"), record("a")))
    lines = [
        json.dumps(
            {
                "file": file,
                "source": "photos",
                "split": split_of(file),
                "tags": ["sea"],
            },
            separators=(",", ":"),
        )
        for file in ("b", "a")
    ]
    expected = hashlib.sha256("".join(line + "\n" for line in lines).encode())
    assert corpus.digest == expected.hexdigest()
    write_lines(tmp_path, record("a"), record("b"))
    assert Corpus.open(tmp_path).digest != corpus.digest


HOSTILE_LINES = {
    "no object": b"[]",
    "no JSON": b"{",
    "NaN": b'{"file": "a", "tags": [], "views": NaN}',
    "Infinity": b'{"file": "a", "tags": [], "views": -Infinity}',
    "BOM": b'\xef\xbb\xbf{"file": "a", "tags": []}',
    "deep": b"[" * 100_000,
    "lone surrogate in a tag": rb'{"file": "a", "tags": ["\ud800x"]}',
    "lone surrogate in a file": rb'{"file": "\udcffx", "tags": []}',
    "long integer": b'{"file": "a", "tags": [], "views": ' + b"9" * 5000 + b"}",
    "negative": b'{"file": "a", "tags": [], "views": -1}',
    "bool": b'{"file": "a", "tags": [], "faves": true}',
    "no file": b'{"tags": []}',
    "no tags": b'{"file": "a"}',
    "null tags": b'{"file": "a", "tags": null}',
    "text for tags": b'{"file": "a", "tags": "sea"}',
    "number for a tag": b'{"file": "a", "tags": [1]}',
    "tag without letters": b'{"file": "a", "tags": ["!!!"]}',
    "empty file": b'{"file": "", "tags": []}',
    "number for a file": b'{"file": 3, "tags": []}',
    "NUL": rb'{"file": "a\u0000", "tags": []}',
    "absolute": b'{"file": "/etc/passwd", "tags": []}',
    "parent": b'{"file": "../a.jpg", "tags": []}',
    "parent inside": b'{"file": "a/../../a.jpg", "tags": []}',
    "the folder": b'{"file": ".", "tags": []}',
    "a long way round": b'{"file": "' + b"a/" * 400_000 + b'", "tags": []}',
    "not UTF-8": b'{"file": "\xff", "tags": []}',
    "too long": b'{"file": "a", "tags": []}' + b" " * MAX_LINE_BYTES,
    "an endless line": b"x" * (3 * MAX_LINE_BYTES),
}


@pytest.mark.parametrize("kind", HOSTILE_LINES)
def test_a_hostile_line_is_one_error_naming_its_line(tmp_path: Path, kind: str) -> None:
    line = HOSTILE_LINES[kind]
    corpus = Corpus.open(write_lines(tmp_path, record("1"), line, record("3")))
    with pytest.raises(CorpusError, match=r"^photos\.jsonl:2: ") as refused:
        list(corpus)
    assert len(str(refused.value)) < 300
    str(refused.value).encode()

    errors: list[CorpusError] = []
    photos = list(corpus.photos(on_error=errors.append))
    assert [photo.file for photo in photos] == ["1", "3"]
    assert [str(error) for error in errors] == [str(refused.value)]
    assert corpus.count() == 2
    assert len(corpus.digest) == 64


def test_a_photo_listed_twice_is_refused(tmp_path: Path) -> None:
    corpus = Corpus.open(write_lines(tmp_path, record("a/b"), record("./a//b")))
    with pytest.raises(CorpusError, match=r"photos\.jsonl:2: .*listed twice"):
        list(corpus)
    assert corpus.count() == 1


def test_dots_that_stay_inside_are_followed(tmp_path: Path) -> None:
    (photo,) = Corpus.open(write_lines(tmp_path, record("a/../b.jpg")))
    assert photo.path == tmp_path / "b.jpg"


def test_a_folder_that_links_out_of_the_corpus_is_refused(tmp_path: Path) -> None:
    corpus, outside = tmp_path / "corpus", tmp_path / "outside"
    corpus.mkdir()
    outside.mkdir()
    (corpus / "out").symlink_to(outside)
    (corpus / "real").mkdir()
    (corpus / "in").symlink_to(corpus / "real")
    write_lines(corpus, record("in/a.jpg"), record("out/a.jpg"))
    errors: list[CorpusError] = []
    photos = list(Corpus.open(corpus).photos(on_error=errors.append))
    assert [photo.file for photo in photos] == ["in/a.jpg"]
    assert "photos.jsonl:2" in str(errors[0])


@pytest.mark.parametrize("name", ["photos.jsonl", "photos.csv"])
def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(CorpusError, match="not a regular file"):
        list(Corpus.open(tmp_path))


def test_nothing_to_open(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no such file"):
        Corpus.open(tmp_path / "none")
    with pytest.raises(CorpusError, match="folder per tag"):
        Corpus.open(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(CorpusError, match="neither"):
        Corpus.open(tmp_path / "a.txt")
    (tmp_path / "photos.jsonl").mkdir()
    with pytest.raises(CorpusError):
        list(Corpus.open(tmp_path))


def test_an_empty_corpus_has_no_photos(tmp_path: Path) -> None:
    (tmp_path / "photos.jsonl").write_bytes(b"")
    assert Corpus.open(tmp_path).count() == 0


def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    def peak_bytes(n_photos: int) -> int:
        with (tmp_path / "photos.jsonl").open("w") as file:
            for n in range(n_photos):
                print(json.dumps(record(f"{n}.jpg", note="x" * 1000)), file=file)
        corpus = Corpus.open(tmp_path)
        tracemalloc.start()
        try:
            assert corpus.count() == n_photos
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak_bytes(100)
    few = peak_bytes(500)
    # Python makes its table of names anew after so many paths, whoever has used them:
    # megabytes in one of the passes, not in all.
    many = min(peak_bytes(4_000) for _ in range(2))
    # What grows is the set by which duplicates are found: under 200 bytes a photo
    # (also while it doubles) of more than a thousand on disk.
    assert many - few < 3_500 * 200


def test_membership(tmp_path: Path) -> None:
    lines = [
        record("1", tags=["a", "c"]),
        record("2", tags=[]),
        record("3", tags=["z"]),
    ]
    photos = list(Corpus.open(write_lines(tmp_path, *lines)))
    carries = membership(photos, ("a", "b", "c"))
    assert carries.dtype == bool
    np.testing.assert_array_equal(carries, [[1, 0, 1], [0, 0, 0], [0, 0, 0]])
    assert membership([], ("a",)).shape == (0, 1)


@given(line=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_photos_or_corpus_errors(
    tmp_path_factory: pytest.TempPathFactory, line: bytes
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    for name in ("photos.jsonl", "photos.csv"):
        (folder / name).write_bytes(line)
        errors: list[CorpusError] = []
        photos = list(Corpus.open(folder / name).photos(on_error=errors.append))
        assert len(photos) + len(errors) <= line.count(b"\n") + 1
        for photo in photos:
            assert photo.path.is_relative_to(folder)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(
    fields=st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("file", "tags", "split", "source", "flickr_id", "views"), json_values
        ),
    )
)
def test_any_json_object_is_a_photo_or_a_corpus_error(
    tmp_path_factory: pytest.TempPathFactory, fields: dict[str, object]
) -> None:
    folder = write_lines(tmp_path_factory.mktemp("fuzz"), fields)
    errors: list[CorpusError] = []
    photos = list(Corpus.open(folder).photos(on_error=errors.append))
    assert len(photos) + len(errors) == 1
