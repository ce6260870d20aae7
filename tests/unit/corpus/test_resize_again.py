"""Resizing a corpus again, after a kill, and where it cannot be done."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from photo_makers import jpeg, photo
from PIL import Image
from places import ROOT
from resize_makers import (
    corpus,  # noqa: F401
    files_of,
    make_corpus,
    records_of,
    write_records,
)

from lablr.corpus import Corpus
from lablr.corpus.resize import ResizeConfig, ResizeCounts, resize_corpus
from lablr.errors import ResizeError


def times_of(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


# --- nothing twice


def test_again_does_nothing(corpus, tmp_path):
    out = tmp_path / "out"
    assert resize_corpus(corpus, out) == ResizeCounts(12, 12, 0, 0)
    before = times_of(out / "photos") | times_of(out)
    inodes = {path.name: path.stat().st_ino for path in out.rglob("*")}
    assert resize_corpus(corpus, out) == ResizeCounts(12, 0, 12, 0)
    after = times_of(out / "photos") | times_of(out)
    assert {path.name: path.stat().st_ino for path in out.rglob("*")} == inodes
    # Of the folder itself, where unfinished files lie meanwhile, the time may change.
    assert after == before


def test_only_what_changed_is_made_again(corpus, tmp_path):
    out = tmp_path / "out"
    resize_corpus(corpus, out)
    (corpus.root / "00000.jpg").write_bytes(jpeg())
    os.utime(corpus.root / "00001.jpg")  # the same photo, touched
    next((out / "photos").glob("00002-*")).write_bytes(b"\xff\xd8 cut short")
    assert resize_corpus(corpus, out) == ResizeCounts(12, 2, 10, 0)
    resize_corpus(corpus, tmp_path / "anew")
    assert files_of(out) == files_of(tmp_path / "anew")


@pytest.mark.parametrize("option", [{"size": 32}, {"fit": "crop"}, {"quality": 50}])
def test_other_options_make_all_again(corpus, tmp_path, option):
    resize_corpus(corpus, tmp_path / "out")
    counts = resize_corpus(corpus, tmp_path / "out", ResizeConfig(**option))
    assert counts == ResizeCounts(12, 12, 0, 0)
    resize_corpus(corpus, tmp_path / "anew", ResizeConfig(**option))
    assert files_of(tmp_path / "out") == files_of(tmp_path / "anew")


def test_rare_tags_are_left_out_and_the_photos_stay(tmp_path, china_jpg):
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    records = []
    for number, tags in enumerate((["sky", "roof"], ["sky"], ["Roof", "mine"], ["me"])):
        shutil.copy(china_jpg, source / f"{number}.jpg")
        records.append({"file": f"{number}.jpg", "tags": tags})
    write_records(source, records)
    resize_corpus(Corpus.open(source), out, ResizeConfig(min_photos=2))
    found = [record["tags"] for record in records_of(out)]
    assert found == [["roof", "sky"], ["sky"], ["roof"], []]
    assert (out / "photos.csv").read_text().count("\n") == 1 + 4
    assert Corpus.open(out).count() == 4
    counts = resize_corpus(Corpus.open(source), out, ResizeConfig(min_photos=1))
    assert (counts.written, counts.kept) == (0, 4)
    assert {*Corpus.open(out).tag_counts()} == {"sky", "roof", "mine", "me"}


def test_threads_change_no_bit(corpus, tmp_path):
    for n_threads in (1, 2):
        resize_corpus(corpus, tmp_path / str(n_threads), n_threads=n_threads)
    assert files_of(tmp_path / "1") == files_of(tmp_path / "2")


# Resizes, and once so many photos are done says so and waits to be killed.
KILLED = """
import sys, time
from lablr.corpus import Corpus
from lablr.corpus.resize import resize_corpus
def stop(items, total, label):
    for n, item in enumerate(items):
        if n == int(sys.argv[3]):
            print("here", flush=True)
            sys.stdin.read()
        yield item
resize_corpus(Corpus.open(sys.argv[1]), sys.argv[2], n_threads=2, progress=stop)
"""


@pytest.mark.parametrize("n_done", [0, 1, 5])
def test_killed_and_gone_on_is_as_never_killed(corpus, tmp_path, n_done):
    words = [str(corpus.root), str(tmp_path / "out"), str(n_done)]
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdout.readline() == b"here\n"
        with pytest.raises(ResizeError, match="another lablr resize is at work"):
            resize_corpus(corpus, tmp_path / "out")
        process.send_signal(signal.SIGKILL)
    for path in (tmp_path / "out" / "photos").iterdir():
        with Image.open(path) as image:
            image.load()  # no torn file has a photo's name
    assert not (tmp_path / "out" / "photos.jsonl").exists()
    counts = resize_corpus(corpus, tmp_path / "out")
    assert counts.attempted == counts.written + counts.kept == 12
    assert counts.kept >= n_done
    resize_corpus(corpus, tmp_path / "anew")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "anew")


def test_a_folder_is_without_lists_while_its_photos_change(corpus, tmp_path):
    out = tmp_path / "out"
    resize_corpus(corpus, out)

    def stop(items, total, label):
        yield next(iter(items))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resize_corpus(corpus, out, progress=stop)
    assert (out / "photos.jsonl").exists()  # nothing had changed
    with pytest.raises(KeyboardInterrupt):
        resize_corpus(corpus, out, ResizeConfig(32), progress=stop)
    assert not (out / "photos.jsonl").exists()
    assert not (out / "photos.csv").exists()
    assert not (out / ".unfinished").exists()


# --- what goes wrong


def test_bad_photos_and_records_are_named_and_left_out(corpus, tmp_path, caplog):
    (corpus.root / "00001.jpg").write_bytes(b"<html>")
    (corpus.root / "00002.jpg").write_bytes(jpeg()[:-200])
    (corpus.root / "00003.jpg").unlink()
    (corpus.root / "00003.jpg").symlink_to("00000.jpg")
    (corpus.root / "00004.jpg").unlink()
    with (corpus.root / "photos.jsonl").open("a") as lines:
        lines.write('{"file": "00000.jpg", "tags": []}\n{"file"\n')
        lines.write('{"file": "x.jpg", "tags": [], "title": 1e999}\n')
    counts = resize_corpus(corpus, tmp_path / "out")
    assert counts == ResizeCounts(15, 8, 0, 7)
    assert len(records_of(tmp_path / "out")) == 8
    assert len(list((tmp_path / "out" / "photos").iterdir())) == 8
    for name in ("00001.jpg", "00002.jpg", "00003.jpg", "00004.jpg", "photos.jsonl:13"):
        assert f"left out {name}: " in caplog.text


def test_a_photo_that_turned_bad_goes(corpus, tmp_path):
    resize_corpus(corpus, tmp_path / "out")
    (corpus.root / "00001.jpg").write_bytes(b"<html>")
    assert resize_corpus(corpus, tmp_path / "out") == ResizeCounts(12, 0, 11, 1)
    resize_corpus(corpus, tmp_path / "anew")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "anew")


def test_folders_that_overlap_are_refused(corpus, tmp_path):
    for out in (corpus.root, corpus.root / "out", tmp_path):
        with pytest.raises(ResizeError, match="name another folder"):
            resize_corpus(corpus, out)
    (tmp_path / "link").symlink_to(corpus.root)
    with pytest.raises(ResizeError, match="lies in the corpus"):
        resize_corpus(corpus, tmp_path / "link" / "out")


def test_somebody_elses_folder_is_left_alone(corpus, tmp_path):
    make_corpus(tmp_path / "precious", n_train=1, n_val=1)
    before = files_of(tmp_path / "precious")
    with pytest.raises(ResizeError, match="did not make; name another folder"):
        resize_corpus(corpus, tmp_path / "precious")
    assert files_of(tmp_path / "precious") == before


def test_a_disk_that_takes_no_more_stops_cleanly(corpus, tmp_path):
    (corpus.root / "00006.jpg").write_bytes(jpeg(photo(128, 128), quality=100))
    code = "import resource, sys; from lablr.cli import main\n"
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
    code += "main(['resize', sys.argv[1], '--out', sys.argv[2], '--quality', '100'])"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", code, corpus.root, tmp_path / "out"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "out cannot be written: File too large" in done.stderr
    assert not (tmp_path / "out" / "photos.jsonl").exists()
    assert not (tmp_path / "out" / ".unfinished").exists()
    resize_corpus(corpus, tmp_path / "out", ResizeConfig(quality=100))
    resize_corpus(corpus, tmp_path / "anew", ResizeConfig(quality=100))
    assert files_of(tmp_path / "out") == files_of(tmp_path / "anew")
