"""The model is replaced while it serves; a broken one is refused and said once."""

from __future__ import annotations

import json
import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from model_makers import draw_photos, make_bundle
from photo_makers import jpeg
from serving import MULTIPART, SUGGESTIONS, Server, form_of, running_server

from lablr.bundle import Bundle
from webapp import create_app
from webapp.state import state_of, tagger
from webapp.state.model import ServedModel


def bundle_of(n_tags: int) -> Bundle:
    """A small real model that knows so many tags."""
    return make_bundle(draw_photos(n_tags=n_tags))


@pytest.fixture(scope="module")
def bundles() -> tuple[Bundle, Bundle]:
    return bundle_of(5), bundle_of(6)


@pytest.fixture
def folder(tmp_path, bundles) -> Path:
    """A folder with the first of the two bundles."""
    bundles[0].save(tmp_path / "bundle")
    return tmp_path / "bundle"


def break_file(folder: Path, name: str) -> None:
    """Flip one bit in the middle of a file, as a bad disk does."""
    path = folder / name
    payload = bytearray(path.read_bytes())
    payload[len(payload) // 2] ^= 1
    path.write_bytes(payload)


def refusals(caplog) -> list[str]:
    return [text for text in caplog.messages if "refused" in text]


# --- One look at a time ---------------------------------------------------------------


def test_a_new_bundle_takes_the_old_ones_place(folder, bundles):
    model = ServedModel(str(folder))
    first = model.tagger
    model.refresh()
    assert model.tagger is first  # nothing changed, nothing was loaded
    bundles[1].save(folder)
    model.refresh()
    assert model.tagger.bundle_digest == bundles[1].digest
    assert model.last_error is None


def test_the_same_bundle_written_again_changes_nothing(folder, bundles):
    model = ServedModel(str(folder))
    first = model.tagger
    bundles[0].save(folder)
    model.refresh()
    assert model.tagger is first


@pytest.mark.parametrize("name", ["encoder.onnx", "manifest.json", "tags.json"])
def test_a_broken_bundle_is_refused_once_and_the_old_one_serves_on(
    folder, bundles, caplog, name
):
    model = ServedModel(str(folder))
    first = model.tagger
    break_file(folder, name)
    for _ in range(3):
        model.refresh()
    assert model.tagger is first
    (said,) = refusals(caplog)  # once, however often it was looked at
    assert "\n" not in said
    assert str(folder) in said
    assert name in said
    assert name in model.last_error
    assert str(folder) not in model.last_error
    bundles[1].save(folder)
    model.refresh()
    assert model.tagger.bundle_digest == bundles[1].digest
    assert model.last_error is None


def test_a_change_of_bits_is_said_with_both_digests(folder, caplog):
    model = ServedModel(str(folder))
    break_file(folder, "encoder.onnx")
    model.refresh()
    assert "encoder.onnx: expected SHA-256 " in model.last_error
    assert ", found " in model.last_error


def test_every_distinct_breakage_is_said(folder, caplog):
    model = ServedModel(str(folder))
    break_file(folder, "tags.json")
    model.refresh()
    break_file(folder, "map.npz")
    model.refresh()
    shutil.rmtree(folder)
    model.refresh()
    model.refresh()
    assert len(refusals(caplog)) == 3
    assert model.last_error == "no such folder"


def test_a_file_that_is_missing_is_named(folder):
    model = ServedModel(str(folder))
    (folder / "gaussians.npz").unlink()
    model.refresh()
    assert model.last_error == "gaussians.npz: missing"


def test_a_request_keeps_its_model(folder, bundles):
    app = create_app({"BUNDLE": str(folder)})
    with app.app_context():
        before = tagger()
        bundles[1].save(folder)
        state_of(app).model.refresh()
        assert tagger() is before
    with app.app_context():
        assert tagger().bundle_digest == bundles[1].digest


def test_the_folder_may_be_a_link_that_is_pointed_elsewhere(tmp_path, bundles):
    for number, bundle in enumerate(bundles):
        bundle.save(tmp_path / f"bundle-{number}")
    link = tmp_path / "current"
    link.symlink_to("bundle-0")
    model = ServedModel(str(link))
    fresh = tmp_path / "fresh"
    fresh.symlink_to("bundle-1")
    fresh.replace(link)
    model.refresh()
    assert model.tagger.bundle_digest == bundles[1].digest


# --- Watched --------------------------------------------------------------------------


def until(is_it: Callable[[], bool]) -> None:
    """Ask until the answer is yes; bounded, but for the slowest machine."""
    deadline = time.monotonic() + 120
    while not is_it():
        assert time.monotonic() < deadline, "it did not come to that"


def test_a_watch_outlives_what_nobody_thought_of(folder, bundles, caplog, monkeypatch):
    model = ServedModel(str(folder))
    looked = threading.Event()

    def fail(*_: object) -> None:
        looked.set()
        raise RuntimeError("out of the blue")

    with monkeypatch.context() as patched:
        patched.setattr("webapp.state.model.Tagger.load", fail)
        bundles[1].save(folder)
        model.watch(0.01)
        assert looked.wait(60)
    break_file(folder, "tags.json")
    bundles[1].save(folder)
    until(lambda: model.tagger.bundle_digest == bundles[1].digest)
    assert "out of the blue" in caplog.text


def readiness(server: Server) -> dict:
    status, _, body = server.request("GET", "/readyz")
    assert status == 200
    return json.loads(body)


def ready(bundle: Bundle) -> dict:
    return {"status": "ready", "bundle": bundle.digest}


@pytest.fixture
def server(tmp_path, folder):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with running_server(
        temporary, LABLR_BUNDLE=str(folder), LABLR_RELOAD_S="0.05"
    ) as running:
        yield running
    assert list(temporary.iterdir()) == []


def test_a_corrupt_bundle_does_not_stop_the_server(server, folder, bundles):
    break_file(folder, "gaussians.npz")
    until(lambda: "last_error" in readiness(server))
    said = readiness(server)
    assert said["bundle"] == bundles[0].digest
    assert said["last_error"].startswith("gaussians.npz: expected")
    assert str(folder) not in json.dumps(said)
    status, _, answer = server.suggest(jpeg())
    assert status == 200
    assert len(json.loads(answer)["tags"]) == 5
    bundles[1].save(folder)
    until(lambda: readiness(server) == ready(bundles[1]))
    assert len(json.loads(server.suggest(jpeg(), "?k=0")[2])["tags"]) == 6
    assert server.process.poll() is None


def expected_answers(folder: Path, bundles, query: str) -> list[dict]:
    """What each of the bundles answers when it is alone."""
    answers = []
    for bundle in bundles:
        bundle.save(folder)
        app: Flask = create_app({"BUNDLE": str(folder)})
        answer = app.test_client().post(
            SUGGESTIONS + query, data=form_of(jpeg()), content_type=MULTIPART
        )
        answers.append(answer.json)
    return answers


def test_no_answer_mixes_two_models(server, folder, bundles, tmp_path):
    """Models are swapped under requests that use tags, scores, plane and pictures."""
    query = "?k=0&map=1&figures=wide"
    either = expected_answers(tmp_path / "alone", bundles, query)
    assert either[0] != either[1]
    wrong: list[object] = []
    seen: set[int] = set()
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            status, _, body = server.suggest(jpeg(), query)
            answer = json.loads(body)
            if status == 200 and answer in either:
                seen.add(either.index(answer))
            else:
                wrong.append((status, answer))

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    try:
        for turn in range(1, 7):
            bundles[turn % 2].save(folder)
            expected = ready(bundles[turn % 2])
            until(lambda: readiness(server) == expected)  # noqa: B023  # asked at once
    finally:
        stop.set()
        for asker in askers:
            asker.join()
    assert wrong == []
    assert seen == {0, 1}


@pytest.fixture(autouse=True)
def _log_everything(caplog):
    caplog.set_level(logging.WARNING, logger="lablr")
