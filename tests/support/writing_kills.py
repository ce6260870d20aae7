"""Write and undo many files by processes that are killed, and see what is left."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from random import Random

from exif_reader import lists_of, read_all
from photo_makers import photo, save
from PIL import Image
from places import ROOT

from lablr.metadata.integrity import untouched

__all__ = ["Files", "kill_often"]


KINDS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
# After the moment of a kill is reached, it comes at once or up to this much later.
LONGEST_S = 0.02
TAGS = "beach,places|europe|paris,写真"


@dataclass
class Files:
    """A folder of photos, each different, and what they were at first."""

    folder: Path
    state: Path
    first: dict[str, bytes]
    times_ns: dict[str, int]

    @classmethod
    def make(cls, base: Path, n_files: int) -> Files:
        """Make photos of three kinds, last changed long ago, in two folders."""
        first = {}
        for number in range(n_files):
            kind = ("jpg", "jpg", "png", "webp")[number % 4]
            name = f"{number % 2}/{number:04}.{kind}"
            first[name] = _photo(number, kind)
        files = cls(base / "photos", base / "state", first, {})
        for name, content in first.items():
            path = files.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            os.utime(path, ns=(10**18, 10**18 + len(files.times_ns)))
            files.times_ns[name] = path.stat().st_mtime_ns
        return files

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start ``lablr write`` with these words."""
        settings = {"LABLR_STATE": str(self.state), "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [sys.executable, "-m", "lablr", "write", "--json", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **settings},
            cwd=self.folder,
        )

    def start_writing(self) -> subprocess.Popen[bytes]:
        """Write the tags into all of them."""
        return self.start(*self.first, "--tags", TAGS)

    def check_each_is_old_or_new(self) -> int:
        """Hold that every file is there, once and whole; return how many are new."""
        visible = {
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*")
            if path.is_file() and ".lablr" not in path.parts
        }
        assert visible == {*self.first}, visible ^ {*self.first}
        known = self._digests_of_journal()
        n_new = 0
        for name, first in self.first.items():
            content = (self.folder / name).read_bytes()
            if content != first:
                n_new += 1
                assert untouched(content) == untouched(first), name
                assert hashlib.sha256(content).hexdigest() in known, name
        return n_new

    def check_tags_once_each(self) -> None:
        """Hold, by exiftool, that every file has every tag once."""
        for values in read_all([self.folder / name for name in self.first]):
            lists = lists_of(values)
            assert lists["dc:subject"] == ["beach", "paris", "写真"]
            assert lists["digiKam:TagsList"] == ["beach", "places/europe/paris", "写真"]
            assert (
                lists.get("IPTC Keywords", lists["dc:subject"]) == lists["dc:subject"]
            )

    def check_all_as_at_first(self) -> None:
        """Hold that every byte and every time is that of the beginning."""
        assert self.check_each_is_old_or_new() == 0
        for name, time_ns in self.times_ns.items():
            assert (self.folder / name).stat().st_mtime_ns == time_ns, name
        left = [*self.folder.rglob(".lablr*")]
        assert left == [], left

    def _digests_of_journal(self) -> set[str]:
        journal = self.state / "write.jsonl"
        if not journal.exists():
            return set()
        lines = journal.read_bytes().split(b"\n")[:-1]
        return {json.loads(line).get("after") for line in lines}


def kill_often(files: Files, n_kills: int, seed: int) -> dict[str, int]:
    """Write and undo, with half of the kills in each; return what happened.

    A kill comes when the process has said a random number of lines, or a random
    moment later. A process that was done before counts for nothing.
    """
    chance = Random(seed)
    n_files = len(files.first)

    def step() -> int:
        return chance.randint(1, max(6, n_files // (2 * n_kills)))

    counts = {"kills while writing": 0, "kills while undoing": 0, "runs": 0}
    while counts["kills while writing"] < n_kills // 2:
        n_done = files.check_each_is_old_or_new()
        if n_done == n_files:
            _finish(files.start("--undo"))
            continue
        killed = _kill(files.start_writing(), n_done + step(), chance)
        counts["kills while writing"] += killed
    assert _finish(files.start_writing()) == 0
    assert files.check_each_is_old_or_new() == n_files
    files.check_tags_once_each()
    while counts["kills while undoing"] < n_kills - n_kills // 2:
        n_new = files.check_each_is_old_or_new()
        if n_new == 0:
            assert _finish(files.start_writing()) == 0
        killed = _kill(files.start("--undo"), step(), chance)
        counts["kills while undoing"] += killed
    while _finish(files.start("--undo")) == 0:
        counts["runs"] += 1
    files.check_all_as_at_first()
    return counts


def _kill(process: subprocess.Popen[bytes], n_lines: int, chance: Random) -> bool:
    """Kill a process after so many lines; return whether it was not done before."""
    later_s = chance.choice((0.0, chance.uniform(0, LONGEST_S)))
    assert process.stdout is not None
    for _ in range(n_lines):
        if not process.stdout.readline():
            break
    timer = threading.Timer(later_s, process.kill)
    timer.run() if later_s == 0 else timer.start()
    process.communicate()
    timer.cancel()
    return process.returncode == -signal.SIGKILL


def _finish(process: subprocess.Popen[bytes]) -> int:
    _, said = process.communicate()
    assert process.returncode in (0, 1), said
    assert process.returncode == 0 or b"nothing to undo" in said, said
    return process.returncode


def _photo(number: int, kind: str) -> bytes:
    """Return a photo that no other number has."""
    image = photo(64, 48).copy()
    image.putpixel((0, 0), (number % 256, number // 256, 128))
    if kind != "png":
        return save(_marked(image, number), KINDS[kind], quality=90)
    return save(image, KINDS[kind])


def _marked(image: Image.Image, number: int) -> Image.Image:
    """Turn one block of pixels into a pattern of the number, which survives JPEG."""
    for bit in range(16):
        colour = (255, 255, 255) if number >> bit & 1 else (0, 0, 0)
        image.paste(colour, (bit * 4, 0, bit * 4 + 4, 8))
    return image
