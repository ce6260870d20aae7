"""What is planted in a photo and in the settings comes out nowhere."""

from __future__ import annotations

import base64
import os
import struct
import time
from pathlib import Path

import pytest
from photo_makers import photo, save
from PIL import Image
from PIL.TiffImagePlugin import IFDRational
from places import ROOT
from serving import BOUNDARY, MULTIPART, SUGGESTIONS, form_of, running_server
from small_app import small_server

TOKEN = "canary-token-of-the-server"  # noqa: S105
WRONG_TOKEN = "canary-token-of-a-stranger"  # noqa: S105
COMMENT = "canary-comment-in-the-photo"
FILE_NAME = "canary-name-of-the-file.jpg"
ADDRESS = "canary-in-the-address"
SECONDS = 987_654_321  # of the latitude, in units of 1e-7


def photo_with_gps() -> bytes:
    """A real photo that says where it was taken, and more."""
    exif = Image.Exif()
    exif[0x010E] = COMMENT
    latitude = (IFDRational(48, 1), IFDRational(51, 1), IFDRational(SECONDS, 10**7))
    exif[0x8825] = {1: "N", 2: latitude, 3: "E", 4: latitude}
    return save(photo(), "JPEG", quality=90, exif=exif)


def canaries() -> list[bytes]:
    """Everything that must not come out, in the forms in which it might."""
    words = [TOKEN, WRONG_TOKEN, COMMENT, FILE_NAME, ADDRESS]
    degrees = 48 + 51 / 60 + SECONDS / 10**7 / 3600
    forms = [word.encode() for word in words]
    forms += [str(SECONDS).encode(), f"{SECONDS / 10**7:.4f}".encode()]
    forms += [f"{degrees:.5f}".encode(), photo_with_gps()[:60]]
    forms += [struct.pack(">I", SECONDS), struct.pack("<I", SECONDS)]
    # in base64, wherever in a group of three bytes it begins
    encoded = [base64.b64encode(bytes(n) + forms[2])[4:-4] for n in range(3)]
    return forms + encoded


def found_in(text: bytes) -> list[bytes]:
    return [canary for canary in canaries() if canary in text]


@pytest.fixture(scope="module")
def answers_and_log(tmp_path_factory) -> tuple[dict[str, tuple[int, bytes]], bytes]:
    """All kinds of answers (status, headers and body), and what the server logged."""
    folder = tmp_path_factory.mktemp("canaries")
    sent = form_of(photo_with_gps(), FILE_NAME)
    field = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="token"\r\n\r\n'
    with_token = f"{field}{TOKEN}\r\n".encode() + sent
    key = {"Authorization": f"Bearer {TOKEN}"}
    stranger = {"Authorization": f"Bearer {WRONG_TOKEN}"}
    kind = {"Content-Type": MULTIPART}
    everything = f"{SUGGESTIONS}?k=0&map=1&figures=wide&latent=1"
    torn = form_of(photo_with_gps()[:-400], FILE_NAME)
    asked = {
        "json": ("POST", everything, sent, {**kind, **key}),
        "page": ("POST", "/", with_token, kind),
        "compare": ("POST", "/compare", with_token, kind),
        "refused": ("POST", everything, sent, {**kind, **stranger}),
        "broken": ("POST", everything, torn, {**kind, **key}),
        "parameter": ("POST", f"{SUGGESTIONS}?k={ADDRESS}", sent, {**kind, **key}),
        "lost": ("GET", f"/{ADDRESS}", None, stranger),
        "lost json": ("GET", f"/api/v1/{ADDRESS}", None, key),
        "bad header": ("GET", "/", None, {**key, "Content-Length": ADDRESS}),
        "tags": ("GET", "/api/v1/tags", None, key),
        "metrics": ("GET", "/metrics", None, key),
        "empty page": ("GET", "/", None, {}),
        "health": ("GET", "/readyz", None, {}),
    }
    with running_server(folder, LABLR_API_TOKEN=TOKEN) as server:
        answers = {}
        for name, question in asked.items():
            status, headers, body = server.request(*question)
            answers[name] = status, bytes(headers) + body
        # a crash, too, must not say more than it should
        os.kill(server.worker(), 9)
        said = server.process.stderr.readline()
        server.process.terminate()
        server.process.wait(timeout=60)
        log = said + server.process.stderr.read()
    assert list(folder.iterdir()) == []
    return answers, log.encode()


def test_the_photo_bears_what_is_looked_for():
    planted = photo_with_gps()
    assert COMMENT.encode() in planted
    assert (
        struct.pack(">I", SECONDS) in planted or struct.pack("<I", SECONDS) in planted
    )


def test_every_kind_of_answer_was_seen(answers_and_log):
    answers, _ = answers_and_log
    assert {name: status for name, (status, _) in answers.items()} == {
        "json": 200,
        "page": 200,
        "compare": 200,
        "refused": 401,
        "broken": 422,
        "parameter": 400,
        "lost": 404,
        "lost json": 404,
        "bad header": 400,
        "tags": 200,
        "metrics": 200,
        "empty page": 200,
        "health": 200,
    }


def test_no_answer_tells(answers_and_log):
    answers, _ = answers_and_log
    told = {name: found_in(text) for name, (_, text) in answers.items()}
    # a page tells who sent a photo which one its tags are for, and nothing else of it
    for name in ("page", "compare"):
        assert told.pop(name) == [FILE_NAME.encode()]
    assert {name: found for name, found in told.items() if found} == {}


def test_the_log_tells_what_happened_and_no_secret(answers_and_log):
    _, log = answers_and_log
    assert b"SIGKILL" in log
    assert found_in(log) == []


def test_no_file_was_written(tmp_path_factory, tmp_path):
    """Not beside the program either, where a careless log might lie."""
    root = ROOT
    before = time.time()
    with small_server(tmp_path, LABLR_API_TOKEN=TOKEN) as server:
        key = {"Authorization": f"Bearer {TOKEN}", "Content-Type": MULTIPART}
        body = form_of(photo_with_gps(), FILE_NAME)
        assert server.request("POST", SUGGESTIONS, body, key)[0] == 200
    folders = [root / "lablr", root / "webapp", root / "artifacts", Path.home()]
    written = [
        path
        for folder in folders
        for path in folder.iterdir()
        if path.is_file() and path.stat().st_mtime >= before
    ]
    assert [path for path in written if found_in(path.read_bytes())] == []
