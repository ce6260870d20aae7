"""Bundles that replace one another on a real disk, with readers and writers."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from bundle_makers import small_bundle

from lablr.bundle import Bundle
from lablr.errors import BundleError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small_bundle().save(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_no_other_folder_is_replaced(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "1.jpg").write_text("dear to somebody")
    with pytest.raises(BundleError, match="other files"):
        small_bundle().save(photos)
    assert (photos / "1.jpg").read_text() == "dear to somebody"
    with pytest.raises(BundleError, match="not a folder"):
        small_bundle().save(photos / "1.jpg")
    with pytest.raises(BundleError, match="other files"):
        small_bundle().save("/")
    with pytest.raises(BundleError, match="cannot be written"):
        small_bundle().save(photos / "1.jpg" / "bundle")


def test_a_bundle_with_a_folder_inside_is_not_replaced(folder: Path) -> None:
    (folder / "notes").mkdir()
    with pytest.raises(BundleError, match="notes is not a plain file"):
        small_bundle("another").save(folder)
    assert Bundle.load(folder).digest == small_bundle().digest


def test_files_beside_the_bundle_are_kept(tmp_path: Path) -> None:
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    (artifacts / "__init__.py").write_text('"""The model."""\n')
    (artifacts / ".gitkeep").touch()
    (artifacts / "__pycache__").mkdir()
    small_bundle().save(artifacts)
    (artifacts / "notes.txt").write_text("mine")
    small_bundle("another").save(artifacts)
    assert Bundle.load(artifacts).digest == small_bundle("another").digest
    assert (artifacts / "__init__.py").read_text() == '"""The model."""\n'
    assert (artifacts / "notes.txt").read_text() == "mine"
    assert (artifacts / ".gitkeep").exists()
    assert not (artifacts / "__pycache__").exists()


def test_a_link_to_a_bundle_is_followed(folder: Path) -> None:
    link = folder.parent / "current"
    link.symlink_to(folder)
    assert Bundle.load(link).digest == small_bundle().digest
    small_bundle("another").save(link)
    assert link.is_symlink()
    assert Bundle.load(folder).digest == small_bundle("another").digest


def test_a_folder_set_aside_is_read_until_the_next_save(folder: Path) -> None:
    folder.rename(folder.with_name(".bundle.old"))
    (folder.with_name(".bundle.new")).mkdir()
    assert Bundle.load(folder).digest == small_bundle().digest
    small_bundle("another").save(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["bundle"]
    assert Bundle.load(folder).digest == small_bundle("another").digest


def test_a_failed_save_brings_back_a_folder_set_aside(folder: Path) -> None:
    folder.rename(folder.with_name(".bundle.old"))
    (folder.with_name(".bundle.old") / "notes").mkdir()
    with pytest.raises(BundleError, match="notes"):
        small_bundle("another").save(folder)
    assert Bundle.load(folder).digest == small_bundle().digest


def test_readers_meet_one_bundle_while_writers_swap(folder: Path) -> None:
    bundles = [small_bundle("one"), small_bundle("two")]
    known = {small_bundle().digest, *(bundle.digest for bundle in bundles)}
    reads: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                reads.append(Bundle.load(folder).digest)
            except BundleError as error:
                reads.append(str(error))

    def write(bundle: Bundle) -> None:
        for _ in range(15):
            bundle.save(folder)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=[bundle]) for bundle in bundles]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert len(reads) > 5
    assert set(reads) <= known
    assert [path.name for path in folder.parent.iterdir()] == ["bundle"]
