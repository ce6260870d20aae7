"""Corpora brought to one size: the pixels, the records, the command."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from photo_makers import exif, jpeg, photo, segment, with_segments
from PIL import Image, ImageOps
from places import ROOT
from resize_makers import (
    corpus,  # noqa: F401
    records_of,
    write_records,
)

from lablr.cli.resize import FITS
from lablr.corpus import Corpus
from lablr.corpus.records import split_of
from lablr.corpus.resize import ResizeConfig, ResizeCounts, resize_corpus
from lablr.errors import CorpusError
from lablr.photos import FITS as FITS_OF_THE_DOOR
from lablr.photos import FOLDER_LIMITS, read_image


def without_file(record: dict) -> dict:
    return {key: value for key, value in record.items() if key != "file"}


# --- the pixels


def by_pillow(image: Image.Image, size: int, fit: str) -> np.ndarray:
    """The square as a few lines of plain Pillow make it, without any draft."""
    image = ImageOps.exif_transpose(image).convert("RGB")
    if fit == "crop":
        width, height = image.size
        half = (min(width, 2 * height) / 2, min(height, 2 * width) / 2)
        box = (width / 2 - half[0], height / 2 - half[1])
        box += (width / 2 + half[0], height / 2 + half[1])
        return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box))
    image = ImageOps.contain(image, (size, size)) if max(image.size) > size else image
    square = Image.new("RGB", (size, size))
    square.paste(image, ((size - image.width) // 2, (size - image.height) // 2))
    return np.asarray(square)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize(
    ("width", "height"), [(640, 427), (427, 640), (700, 100), (50, 33), (64, 64)]
)
def test_the_door_fits_as_plain_pillow(fit, kind, width, height):
    stream = io.BytesIO()
    photo(width, height).save(stream, kind)
    image = read_image(stream.getvalue(), 64, FOLDER_LIMITS, fit)
    expected = by_pillow(Image.open(stream), 64, fit)
    assert image.shape == (64, 64, 3)
    difference = np.abs(image.astype(int) - expected.astype(int))
    white = Image.new("RGB", (width, height), "white")
    assert (image[by_pillow(white, 64, fit) == 0] == 0).all()
    # A JPEG decoded straight to a fraction differs a little at sharp edges.
    assert difference.mean() < (2.5 if kind == "JPEG" else 0.75)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_is_upright_before_it_is_padded(orientation):
    payload = with_segments(jpeg(photo(60, 41)), segment(0xE1, exif(orientation)))
    image = read_image(payload, 64, FOLDER_LIMITS, "letterbox")
    expected = by_pillow(Image.open(io.BytesIO(payload)), 64, "letterbox")
    np.testing.assert_array_equal(image, expected)


def test_a_costly_photo_is_fitted_by_the_child_too():
    payload = jpeg(Image.new("RGB", (8200, 5000), (250, 0, 0)), quality=30)
    # 41 megapixels are too many for this process.
    limits = type(FOLDER_LIMITS)(max_pixels=50_000_000)
    image = read_image(payload, 32, limits, "letterbox")
    assert (image[:6] == 0).all()
    assert (image[7:25, :, 0] > 240).all()
    assert (image[26:] == 0).all()


def test_an_unknown_fit_is_refused():
    with pytest.raises(ValueError, match="fit must be one of crop, letterbox"):
        read_image(jpeg(), 8, fit="stretch")


@pytest.mark.parametrize("fit", FITS)
def test_every_photo_is_the_square_of_the_door(corpus, tmp_path, fit):
    resize_corpus(corpus, tmp_path / "out", ResizeConfig(48, fit, 95))
    for before, after in zip(corpus, Corpus.open(tmp_path / "out"), strict=True):
        with Image.open(after.path) as image:
            assert (image.size, image.mode, image.format) == ((48, 48), "RGB", "JPEG")
            found = np.asarray(image)
        square = Image.fromarray(read_image(before.path, 48, FOLDER_LIMITS, fit))
        with Image.open(io.BytesIO(jpeg(square, quality=95))) as image:
            np.testing.assert_array_equal(found, np.asarray(image))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size must be 1 to 4096 pixels, got 0"),
        ({"fit": "x"}, "fit must be one of"),
        ({"quality": 101}, "quality must be 1 to 100, got 101"),
    ],
)
def test_a_wrong_configuration_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ResizeConfig(**options)


# --- the records


def test_every_field_is_kept(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.jpg").write_bytes(jpeg())
    (source / "b.jpg").write_bytes(jpeg())
    full = {
        "file": "a.jpg",
        "tags": ["newyork", "zürich"],
        "split": "val",
        "source": "flickr",
        "flickr_id": "123",
        "license": "4",
        "owner": "12@N00",
        "views": 10,
        "faves": 0,
        "title": 'A "title", 写真',
        "page": {"url": "https://example.org/1", "sizes": [1.5, None, True]},
        "broken": "\ud800",
    }
    write_records(source, [full, {"file": "b.jpg", "tags": []}])
    out = tmp_path / "out"
    assert resize_corpus(Corpus.open(source), out) == ResizeCounts(2, 2, 0, 0)
    first, second = records_of(out)
    assert without_file(first) == without_file(full)
    assert second["tags"] == []
    assert second["split"] == split_of("b.jpg")
    assert (out / "photos.csv").read_text("utf-8") == (
        f"path,label\n{first['file']},newyork\n{first['file']},zürich\n"
    )


def test_the_corpus_opens_with_the_same_tags_splits_and_sources(corpus, tmp_path):
    resize_corpus(corpus, tmp_path / "out")
    found = [photo.to_record() for photo in Corpus.open(tmp_path / "out")]
    expected = [photo.to_record() for photo in corpus]
    assert list(map(without_file, found)) == list(map(without_file, expected))
    assert len({record["file"] for record in found}) == 12


def test_its_csv_has_the_same_photos_and_tags(corpus, tmp_path):
    resize_corpus(corpus, tmp_path / "out")
    by_csv = list(Corpus.open(tmp_path / "out" / "photos.csv"))
    by_json = list(Corpus.open(tmp_path / "out" / "photos.jsonl"))
    assert any(len(photo.tags) > 1 for photo in by_csv)
    assert [(p.file, p.tags) for p in by_csv] == [(p.file, p.tags) for p in by_json]


def test_a_folder_per_tag_and_its_csv(tmp_path, china_jpg, flower_jpg):
    for tag, path in (("sky", china_jpg), ("flower", flower_jpg)):
        (tmp_path / "in" / tag).mkdir(parents=True)
        shutil.copy(path, tmp_path / "in" / tag / "1.jpg")
    resize_corpus(Corpus.open(tmp_path / "in"), tmp_path / "out")
    found = [photo.tags for photo in Corpus.open(tmp_path / "out" / "photos.csv")]
    assert found == [("flower",), ("sky",)]


def test_a_folder_of_photos_is_a_corpus_without_tags(tmp_path, china_jpg):
    (tmp_path / "in").mkdir()
    shutil.copy(china_jpg, tmp_path / "in" / "1.jpg")
    (tmp_path / "in" / "notes.txt").write_text("no photo")
    with pytest.raises(CorpusError, match="folder per tag"):
        Corpus.open(tmp_path / "in")
    (photo,) = Corpus.open(tmp_path / "in", untagged=True)
    assert (photo.file, photo.tags) == ("1.jpg", ())
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    with pytest.raises(CorpusError, match="holds no photos"):
        Corpus.open(tmp_path / "empty", untagged=True)


@pytest.mark.parametrize("folder", ["album", "2024/05", ".hidden"])
def test_folders_in_a_folder_of_photos_are_no_tags(tmp_path, china_jpg, folder):
    (tmp_path / "in" / folder).mkdir(parents=True)
    shutil.copy(china_jpg, tmp_path / "in" / "1.jpg")
    corpus = Corpus.open(tmp_path / "in", untagged=True)
    assert resize_corpus(corpus, tmp_path / "out") == ResizeCounts(1, 1, 0, 0)
    shutil.copy(china_jpg, tmp_path / "in" / folder / "2.jpg")
    corpus = Corpus.open(tmp_path / "in", untagged=True)
    n_new = 0 if folder == ".hidden" else 1
    counts = resize_corpus(corpus, tmp_path / "out")
    assert counts == ResizeCounts(1 + n_new, n_new, 1, 0)
    tags = [photo.tags for photo in Corpus.open(tmp_path / "out")]
    assert tags == [()] * (1 + n_new)


def test_names_neither_collide_nor_escape(tmp_path):
    source = tmp_path / "in"
    names = ["1.jpg", "1.JPG", "1.png", "a/1.jpg", "b/1.jpg", "a-1.jpg", "...jpg"]
    names += ["x\n\x1b[2J.jpg", "写真.jpg", "con.jpg", "-rf.jpg", "a/b c%2f..jpg"]
    names += ["y" * 200 + ".jpg"]
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(jpeg())
    escaping = ["../../escaped.jpg", "/etc/passwd", "a/../../in2.jpg"]
    records = [{"file": name, "tags": ["sea"]} for name in [*names, *escaping]]
    write_records(source, records)
    counts = resize_corpus(Corpus.open(source), tmp_path / "out" / "deep")
    assert counts == ResizeCounts(len(records), len(names), 0, len(escaping))
    made = [path.name for path in (tmp_path / "out" / "deep" / "photos").iterdir()]
    assert len({name.lower() for name in made}) == len(names)
    assert all(re.fullmatch(r"\w[\w-]*-[0-9a-f]{20}\.jpg", name) for name in made)
    assert {path.name for path in tmp_path.iterdir()} == {"in", "out"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["deep"]


# --- the command


def test_the_fits_are_those_of_the_door():
    assert FITS == FITS_OF_THE_DOOR


def test_the_command_says_what_became_of_the_photos(run_lablr, tmp_path, china_jpg):
    (tmp_path / "in").mkdir()
    shutil.copy(china_jpg, tmp_path / "in" / "1.jpg")
    words = ["resize", "in", "--out", "out", "--size", "32"]
    done = run_lablr(*words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"out: attempted 1 = written 1 + kept 0 + failed 0\n"
    (tmp_path / "in" / "2.jpg").write_bytes(b"no photo")
    done = run_lablr(*words, "--json", cwd=tmp_path)
    assert done.returncode == 1
    expected = {"attempted": 2, "written": 0, "kept": 1, "failed": 1}
    assert json.loads(done.stdout) == expected
    assert done.stderr.startswith(b"lablr: left out 2.jpg: This is not a JPEG")


@pytest.mark.parametrize(
    ("words", "exit_code", "message"),
    [
        (["none", "--out", "out"], 1, b"none: no such file or folder"),
        (["in", "--out", "in/out"], 1, b"in/out: lies in the corpus itself"),
        (["in", "--out", "in/1.jpg/out"], 1, b"lies in the corpus itself"),
        (
            ["in", "--out", "file/out"],
            1,
            b"file/out cannot be written: Not a directory",
        ),
        (["in", "--out", "/proc/out"], 1, b"/proc/out cannot be written: "),
        (["in"], 2, b"Missing option '--out'"),
        (["in", "--out", "out", "--fit", "x"], 2, b"'x' is not one of"),
        (["in", "--out", "out", "--size", "0"], 2, b"0 is not in the range"),
    ],
)
def test_the_command_refuses(run_lablr, tmp_path, words, exit_code, message):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1.jpg").write_bytes(jpeg())
    (tmp_path / "file").write_text("")
    done = run_lablr("resize", *words, cwd=tmp_path)
    assert done.returncode == exit_code
    assert message in done.stderr
    assert done.stdout == b""


def test_the_script_is_the_command(tmp_path, china_jpg):
    (tmp_path / "in").mkdir()
    shutil.copy(china_jpg, tmp_path / "in")
    script = ROOT / "scripts" / "flickr_resize.py"
    done = subprocess.run(
        [sys.executable, script, tmp_path / "in", "--out", tmp_path / "out", "--json"],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert json.loads(done.stdout)["written"] == 1
