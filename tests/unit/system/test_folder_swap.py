"""Bundles that replace one another on a real disk, with readers, writers and kills."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from bundle_makers import small_bundle
from places import ROOT

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


def run_script(code: str, *arguments: object) -> str:
    """Run Python code in a process of its own, from the checkout."""
    run = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests/support'}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


KILLED_AT_EVERY_STEP = """
import os, signal, sys
from pathlib import Path
from bundle_makers import Bundle, small_bundle
folder = Path(sys.argv[1])
old, new = small_bundle("old"), small_bundle("new")
known = {old.digest: "old", new.digest: "new"}
STEPS = ("open", "os.", "shutil.", "fcntl.")

def save_and_die_at(step):
    def count(event, arguments):
        nonlocal step
        if event.startswith(STEPS):
            step -= 1
            if step == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)
    new.save(folder)
    os._exit(0)

finished = False
step = 0
while not finished:
    step += 1
    old.save(folder)
    assert sorted(os.listdir(folder.parent)) == [folder.name]
    child = os.fork()
    if child == 0:
        save_and_die_at(step)
    _, status = os.waitpid(child, 0)
    finished = os.WIFEXITED(status)
    print(known[Bundle.load(folder).digest])
"""


def test_killed_at_every_step_the_bundle_is_old_or_new(tmp_path: Path) -> None:
    """Kill a writer before each call to the system that changes the disk."""
    outcomes = run_script(KILLED_AT_EVERY_STEP, tmp_path / "bundle").split()
    # First the old one at every step, then the new one, and never back.
    n_old = outcomes.count("old")
    assert n_old > 10
    assert outcomes == ["old"] * n_old + ["new"] * (len(outcomes) - n_old)
    assert len(outcomes) - n_old > 2


KILLED_AT_RANDOM_MOMENTS = """
import os, random, select, signal, sys
from bundle_makers import Bundle, small_bundle
folder = sys.argv[1]
one, two = small_bundle("one"), small_bundle("two")
one.save(folder)
rng = random.Random(0)
for _ in range(30):
    begun, begin = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(begin, b"!")
        while True:
            two.save(folder)
            one.save(folder)
    os.read(begun, 1)
    select.select([], [], [], rng.uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert Bundle.load(folder).digest in (one.digest, two.digest)
"""


def test_killed_at_random_moments_the_bundle_is_one_of_two(tmp_path: Path) -> None:
    run_script(KILLED_AT_RANDOM_MOMENTS, tmp_path / "bundle")
