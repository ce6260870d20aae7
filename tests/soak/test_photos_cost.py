"""What a photo may cost, and what happens to one that costs more."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
import pytest
from photo_makers import (
    jpeg,
    photo,
    png,
    progressive_bomb,
    resized_header,
    save,
)
from PIL import Image
from places import ROOT

from lablr.errors import BrokenPhoto, PhotoError, PhotoTooLarge
from lablr.photos import PhotoLimits, read_image
from lablr.photos.guard import decode_guarded


def test_a_child_gives_the_same_pixels():
    for payload in (jpeg(), save(photo().convert("LA"), "PNG")):
        kind = "JPEG" if payload[:2] == b"\xff\xd8" else "PNG"
        for size, shape in ((None, (64, 96, 3)), (32, (32, 32, 3))):
            image = decode_guarded(payload, kind, 1, size, shape, 5, 1 << 30)
            np.testing.assert_array_equal(image, read_image(payload, size))


ONE_SECOND = PhotoLimits(max_scans=10_000, max_decode_s=1)


def test_a_decode_that_takes_too_long_is_stopped():
    bomb = progressive_bomb(6300, 6300, 3000)  # a minute of CPU
    started = time.monotonic()
    neighbour = Neighbour()
    with neighbour, pytest.raises(BrokenPhoto, match="longer than 1 second"):
        read_image(bomb, 224, ONE_SECOND)
    assert time.monotonic() - started < 30
    assert neighbour.n_decoded > 0
    assert neighbour.errors == []
    assert read_image(jpeg(), 224).shape == (224, 224, 3)


class Neighbour:
    """A thread beside that decodes ordinary photos all the while."""

    def __enter__(self) -> Neighbour:
        self.n_decoded = 0
        self.errors: list[Exception] = []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.decode)
        self.thread.start()
        return self

    def decode(self) -> None:
        while not self.is_over.is_set():
            try:
                read_image(jpeg(), 224)
                self.n_decoded += 1
            except PhotoError as error:
                self.errors.append(error)

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        self.thread.join()


@pytest.mark.skipif(sys.platform == "darwin", reason="RLIMIT_AS is not enforced there")
def test_a_decode_that_takes_too_much_memory_is_stopped():
    payload = png(np.zeros((5000, 8000), np.uint8), 1, 0)
    with pytest.raises(PhotoTooLarge, match="100 MiB"):
        read_image(payload, limits=replace(PhotoLimits(), max_decode_bytes=100 << 20))


def test_a_child_that_cannot_start_is_reported(monkeypatch, caplog):
    monkeypatch.setattr("lablr.photos.pixels.__file__", "/nonexistent/pixels.py")
    with caplog.at_level(logging.ERROR, "lablr"), pytest.raises(PhotoError) as caught:
        decode_guarded(jpeg(), "JPEG", 1, 8, (8, 8, 3), 5, 1 << 30)
    assert caught.value.http_status == 503  # no fault of the photo
    assert "exit status 2" in caplog.text


def test_no_interpreter_means_no_costly_photo(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/usr/bin/some-server")
    monkeypatch.setattr(sys, "prefix", "/nonexistent")
    payload = png(np.zeros((5000, 8000), np.uint8), 1, 0)
    with pytest.raises(PhotoError, match="costly") as caught:
        read_image(payload, 224)
    assert caught.value.http_status == 503
    assert read_image(jpeg(), 224).shape == (224, 224, 3)


MEASURE = """
import json, resource, sys
from lablr.errors import BrokenPhoto
from lablr.photos import read_image
try:
    read_image(sys.stdin.buffer.read(), int(sys.argv[1]) or None)
except BrokenPhoto as error:
    assert "longer than" in str(error), error
cost = {"cpu_s": 0.0, "resident_mb": 0.0}
for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
    usage = resource.getrusage(who)
    unit = 1e6 if sys.platform == "darwin" else 1e3
    cost["cpu_s"] += usage.ru_utime + usage.ru_stime
    cost["resident_mb"] = max(cost["resident_mb"], usage.ru_maxrss / unit)
print(json.dumps(cost))
"""

WORST: dict[str, Callable[[], bytes]] = {
    "jpeg-100-scans": lambda: progressive_bomb(6320, 6320, 100),
    "jpeg-forged-to-40-megapixels": lambda: resized_header(
        jpeg(progressive=True), 6320, 6320
    ),
    "png-rgba-16": lambda: png(np.zeros((5000, 8000, 4), np.uint16), 16, 6),
    "webp-lossless": lambda: save(
        Image.new("RGBA", (8000, 5000), (9, 99, 199, 99)),
        "WEBP",
        lossless=True,
        method=0,
    ),
}


@pytest.mark.alone
@pytest.mark.parametrize("name", WORST)
def test_the_worst_accepted_photo(name, record_testsuite_property):
    payload = WORST[name]()
    for size in (224, 0):
        # A child starts with its parent's peak as its own; the shell's is small.
        measure = ["sh", "-c", '"$0" "$@"; exit $?', sys.executable, "-c", MEASURE]
        finished = subprocess.run(
            [*measure, str(size)],
            input=payload,
            stdout=subprocess.PIPE,
            check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        cost = json.loads(finished.stdout)
        record_testsuite_property(f"{name}-{size}", json.dumps(cost))
        assert cost["resident_mb"] <= 600
        assert cost["cpu_s"] <= 5 + 2  # the interpreters' own start on a busy machine


def bare_pillow(payload: bytes, size: int) -> np.ndarray:
    """Return what the door returns, for a photo that can be trusted."""
    image: Image.Image = Image.open(io.BytesIO(payload))
    drafted = image.draft("RGB", (3 * size // 2, 3 * size // 2))
    assert drafted is not None
    square = image.convert("RGB").resize((size, size), box=drafted[1])
    return np.asarray(square)


def cpu_s(work: Callable[[bytes, int], np.ndarray], payload: bytes) -> float:
    started = time.process_time()
    work(payload, 224)
    return time.process_time() - started


@pytest.mark.alone
def test_ordinary_photos_cost_what_they_cost_in_bare_pillow(record_testsuite_property):
    payload = jpeg(photo(4032, 3024))
    np.testing.assert_array_equal(read_image(payload, 224), bare_pillow(payload, 224))
    pairs = [
        (cpu_s(bare_pillow, payload), cpu_s(read_image, payload)) for _ in range(15)
    ]
    bare, door = (min(costs) for costs in zip(*pairs, strict=True))
    record_testsuite_property("door_over_bare_pillow", door / bare)
    assert door <= 1.1 * bare


def test_ordinary_photos_start_no_child(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a child was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    twelve_megapixels = photo(4032, 3024)
    for options in ({}, {"progressive": True}):
        payload = jpeg(twelve_megapixels, quality=75, **options)
        assert read_image(payload, 224).shape == (224, 224, 3)
    assert asdict(PhotoLimits())["max_pixels"] == 40_000_000
