"""The one door for photos: what it lets in, what it refuses, and at what price."""

from __future__ import annotations

import io
import os
import socket
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import skimage
import sklearn
from bad_photos import BadPhoto, bad_photos, twins
from photo_makers import (
    exif,
    jpeg,
    photo,
    save,
    segment,
    with_segments,
)
from photo_twins import Twin
from PIL import Image, ImageFile, ImageOps

from lablr.errors import BrokenPhoto, PhotoError, PhotoTooLarge, UnsupportedPhoto
from lablr.photos import (
    FOLDER_LIMITS,
    PhotoLimits,
    check_size,
    read_bytes,
    read_image,
)

REAL_PHOTOS = sorted(
    path
    for folder in (
        Path(sklearn.__file__).parent / "datasets" / "images",
        Path(skimage.__file__).parent / "data",
    )
    for path in folder.iterdir()
    if path.suffix in (".jpg", ".png", ".gif")
)


def by_name(case: BadPhoto | Twin | Path) -> str:
    return case.name


# --- What gets in ---------------------------------------------------------------------


def test_there_are_enough_cases():
    cases = list(bad_photos())
    assert len({case.name for case in cases}) == len(cases)
    assert len({case.payload for case in cases}) >= 150
    assert {case.status for case in cases} == {None, 413, 415, 422}


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("foreign-heic", "a HEIC picture, as phones"),
        ("foreign-avif", "an AVIF picture"),
        ("foreign-tiff", "a TIFF picture or a camera's raw file"),
        ("foreign-tiff-big-endian", "a TIFF picture"),
        ("foreign-mp4", "a video or another"),
        ("foreign-text", "not a JPEG, PNG, WebP or GIF picture, whatever its name"),
    ],
)
def test_what_phones_and_cameras_write_is_named(case, said):
    (payload,) = [bad.payload for bad in bad_photos() if bad.name == case]
    with pytest.raises(UnsupportedPhoto, match=said):
        read_image(payload)


def test_a_size_is_refused_as_its_bytes_are():
    limits = PhotoLimits(max_bytes=1000)
    check_size(1000, limits)
    messages = set()
    for refuse in (
        lambda: check_size(1001, limits),
        lambda: read_image(bytes(1001), limits=limits),
        lambda: read_image(io.BytesIO(bytes(1001)), limits=limits),
    ):
        with pytest.raises(PhotoTooLarge) as raised:
            refuse()
        assert raised.value.http_status == 413
        messages.add(str(raised.value))
    assert len(messages) == 1


@pytest.mark.parametrize("size", [224, None])
def test_each_photo_gets_what_it_deserves(size, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    wrong = []
    for case in bad_photos():
        try:
            image = read_image(case.payload, size)
            outcome, status, message = None, None, "retry."
            assert image.dtype == np.uint8, case
            assert image.shape[2:] == (3,), case
            assert size is None or image.shape == (size, size, 3), case
        except PhotoError as error:
            outcome, status = type(error), error.http_status
            message = str(error)
        is_right = (outcome, status) == (case.expected, case.status)
        if not is_right or not message.endswith("retry."):
            wrong.append((case.name, outcome, status, message))
    assert wrong == []
    assert list(tmp_path.iterdir()) == []
    assert read_image(jpeg(), size).std() > 10  # the door still works


@pytest.mark.parametrize("twin", list(twins()), ids=by_name)
def test_every_colour_mode_equals_its_rgb_twin(twin):
    image = read_image(twin.payload).astype(int)
    assert np.abs(image - twin.rgb).max() <= twin.tolerance
    square = read_image(twin.payload, 32).astype(int)
    twin_square = read_image(save(Image.fromarray(twin.rgb), "PNG"), 32)
    assert np.abs(square - twin_square).max() <= twin.tolerance + 1


@pytest.mark.parametrize("path", REAL_PHOTOS, ids=by_name)
def test_real_photos_come_out_as_pillow_shows_them(path):
    image = read_image(path)
    with Image.open(path) as picture:
        rgba = picture.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    shown = np.asarray(Image.alpha_composite(white, rgba).convert("RGB")).astype(int)
    assert np.abs(image - shown).max() <= 1
    square = read_image(path, 224)
    assert np.abs(square.mean() - shown_square(shown).mean()) < 2


def shown_square(shown: np.ndarray) -> np.ndarray:
    image = ImageOps.fit(Image.fromarray(shown.astype(np.uint8)), centred(shown))
    return np.asarray(image.resize((224, 224)))


def centred(image: np.ndarray) -> tuple[int, int]:
    height, width = image.shape[:2]
    return min(width, 2 * height), min(height, 2 * width)


@pytest.mark.parametrize("orientation", [*range(1, 9), 0, 9, 99])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_orientation_is_applied(kind, orientation):
    payload = oriented(kind, orientation)
    with Image.open(io.BytesIO(payload)) as picture:
        upright = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    np.testing.assert_array_equal(read_image(payload), upright)
    square = read_image(payload, 48).astype(int)
    assert np.abs(
        square - read_image(save(Image.fromarray(upright), "PNG"), 48)
    ).max() <= (2 if kind != "JPEG" else 8)


def oriented(kind: str, orientation: int) -> bytes:
    if kind == "JPEG":
        return with_segments(jpeg(), segment(0xE1, exif(orientation)))
    notes = exif(orientation)
    return save(
        photo(), kind, exif=notes, **({"lossless": True} if kind == "WEBP" else {})
    )


def test_the_square_is_the_centre_of_a_panorama():
    image = np.zeros((100, 1000, 3), np.uint8)
    image[:, 400:600] = 200
    assert (read_image(save(Image.fromarray(image), "PNG"), 64) > 150).all()
    turned = save(Image.fromarray(image).rotate(90, expand=True), "PNG")
    assert (read_image(turned, 64) > 150).all()


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_drafted_jpeg_looks_like_the_whole_one(mode):
    big = photo(2001, 1399).convert(mode)
    drafted = read_image(jpeg(big), 224).astype(int)
    whole = read_image(save(big.convert("RGB"), "PNG"), 224)
    assert np.abs(drafted - whole).mean() < 1.5


def test_first_frame_only():
    first = photo()
    later = Image.new("RGB", first.size, "red")
    for kind in ("GIF", "WEBP", "PNG", "MPO"):
        options = {"lossless": True} if kind == "WEBP" else {}
        alone = save(first, "JPEG" if kind == "MPO" else kind, **options)
        options |= {"save_all": True, "append_images": [later, first]}
        moving = save(first, kind, **options)
        difference = read_image(moving).astype(int) - read_image(alone)
        assert np.abs(difference).mean() < 6, kind


# --- What does not --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        (PhotoLimits(max_bytes=1000), 413),
        (PhotoLimits(max_pixels=6143), 422),
        (PhotoLimits(max_side_ratio=1.4), 422),
        (PhotoLimits(max_scans=2), 422),
    ],
)
def test_limits_hold_and_say_so(limits, status):
    payload = jpeg(progressive=True)
    with pytest.raises(PhotoTooLarge, match=r"\d.* retry\.$") as caught:
        read_image(payload, 224, limits)
    assert caught.value.http_status == status
    assert read_image(payload, 224).shape == (224, 224, 3)


def test_folders_may_hold_larger_files():
    payload = jpeg().ljust(15 << 20, b"\0")
    with pytest.raises(PhotoTooLarge):
        read_image(payload)
    assert read_image(payload, limits=FOLDER_LIMITS).shape == (64, 96, 3)


def test_size_must_be_positive():
    with pytest.raises(ValueError, match="got 0"):
        read_image(jpeg(), 0)


def test_pillow_is_left_as_it_was():
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    with pytest.raises(BrokenPhoto):
        read_image(jpeg()[:-2])
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_truncated_even_where_the_program_lets_pillow_accept_it(kind, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(BrokenPhoto, match="cut short"):
        read_image(save(photo(), kind)[:-2])


def test_a_stricter_pillow_is_respected(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(PhotoError):
        read_image(jpeg())


# --- Where photos come from -----------------------------------------------------------


def test_sources_agree(tmp_path):
    payload = jpeg()
    path = tmp_path / "写真.png"  # the name says PNG; nobody asks it
    path.write_bytes(payload)
    expected = read_image(payload, 64)
    for source in (path, str(path), io.BytesIO(payload), bytearray(payload)):
        np.testing.assert_array_equal(read_image(source, 64), expected)
    with path.open("rb") as stream:
        np.testing.assert_array_equal(read_image(stream, 64), expected)
    assert read_bytes(path) == payload


@pytest.mark.skipif(sys.platform == "darwin", reason="the file system refuses the name")
def test_names_that_are_not_utf8(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.jpg")
    Path(path).write_bytes(jpeg())
    assert read_image(path, 8).shape == (8, 8, 3)
    Path(path).write_bytes(b"no photo")
    with pytest.raises(UnsupportedPhoto) as caught:
        read_image(path)
    str(caught.value).encode()  # no surrogate got into the message


def special_files(folder: Path) -> dict[str, Path]:
    (folder / "photo.jpg").write_bytes(jpeg())
    (folder / "link.jpg").symlink_to("photo.jpg")
    (folder / "dangling.jpg").symlink_to("nowhere.jpg")
    (folder / "directory.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "s.jpg"))
    listener.close()
    names = ["link.jpg", "dangling.jpg", "directory.jpg", "pipe.jpg", "s.jpg"]
    return {name: folder / name for name in names} | {"device": Path("/dev/zero")}


def test_only_regular_files_are_read(tmp_path):
    for name, path in special_files(tmp_path).items():
        with pytest.raises(UnsupportedPhoto) as caught:
            read_bytes(path)
        assert str(tmp_path) not in str(caught.value), name


@pytest.mark.parametrize("name", ["absent.jpg", "nul\0.jpg", "x" * 5000 + ".jpg"])
def test_a_file_that_cannot_be_opened(name, tmp_path):
    with pytest.raises(PhotoError, match="cannot be opened") as caught:
        read_image(tmp_path / name)
    assert str(tmp_path) not in str(caught.value)


def test_a_large_file_is_not_read(tmp_path):
    path = tmp_path / "sparse.jpg"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(PhotoTooLarge) as caught:
        read_bytes(path)
    assert caught.value.http_status == 413


class Drip(io.RawIOBase):
    """A stream that never ends and gives a little at a time."""

    n_given = 0

    def read(self, size: int = -1) -> bytes:
        part = b"x" * min(size, 60_000)
        self.n_given += len(part)
        return part


class Torn(io.RawIOBase):
    """A stream that breaks, as a connection does."""

    def read(self, size: int = -1) -> bytes:
        raise ConnectionResetError("gone")


def test_streams_are_read_within_bounds():
    drip = Drip()
    with pytest.raises(PhotoTooLarge):
        read_image(drip)
    assert drip.n_given == PhotoLimits().max_bytes + 1
    with pytest.raises(PhotoError, match="to its end"):
        read_image(Torn())
