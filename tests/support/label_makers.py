"""Photos, lines and a small model for the tests of labelling."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import pytest
from model_makers import draw_photos, make_bundle
from photo_makers import jpeg, photo

from lablr.annotation.labelling.outcomes import Labeller
from lablr.annotation.labelling.run import LabelCounts
from lablr.bundle import Bundle
from lablr.corpus.inputs import Input, open_input
from lablr.photos import FOLDER_LIMITS
from lablr.ranking.tagger import Tagger

N_FILES = 5


@cache
def bundle() -> Bundle:
    """A model of seven tags whose encoder takes no time."""
    return make_bundle(draw_photos())


@cache
def labeller(k: int = 3) -> Labeller:
    return Labeller(Tagger(bundle(), FOLDER_LIMITS), k)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """The folder of a bundle whose encoder takes no time."""
    folder = tmp_path_factory.mktemp("model") / "bundle"
    bundle().save(folder)
    return folder


def wait_for_bytes(path: Path, n_bytes: int, process: subprocess.Popen) -> None:
    """Return when a file has so many bytes, or the process has ended."""
    while not (path.exists() and path.stat().st_size >= n_bytes):
        try:
            process.wait(0.001)  # the core is the process's meanwhile
        except subprocess.TimeoutExpired:
            continue
        return


def write_photos(folder: Path) -> list[str]:
    """Write five different photos; return their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{number}.jpg" for number in range(N_FILES)]
    for number, name in enumerate(names):
        picture = photo(96 + 8 * number, 64).rotate(40 * number)
        (folder / name).write_bytes(jpeg(picture))
    return names


def write_lines(path: Path, lines: Iterable[object]) -> Path:
    """Write lines that are objects, texts or bytes."""
    raw = [
        line
        if isinstance(line, bytes)
        else (line if isinstance(line, str) else json.dumps(line)).encode()
        for line in lines
    ]
    path.write_bytes(b"".join(line + b"\n" for line in raw))
    return path


def many_lines(folder: Path, n_lines: int) -> Path:
    """Write lines that ask for the photos of a folder over and over; 1 in 7 is bad."""
    names = write_photos(folder)
    bad = ["no JSON", {"id": "x"}, {"id": "gone", "photo": str(folder / "gone.jpg")}]
    lines = [
        bad[n // 7 % 3]
        if n % 7 == 3
        else {"id": n, "photo": str(folder / names[n % N_FILES]), "link": f"-{n}"}
        for n in range(n_lines)
    ]
    return write_lines(folder / "in.jsonl", lines)


def read_rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


def read_objects(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def ids_of(rows: Sequence[Sequence[str]]) -> list[str]:
    return [row[0] for row in rows[1:]]


def opened(path: Path, **options) -> Input:
    return open_input(str(path), **options)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def lines(tmp_path_factory) -> Path:
    """200 lines, of which 29 are bad, of five photos."""
    return many_lines(tmp_path_factory.mktemp("lines"), 200)


EXPECTED = LabelCounts(attempted=200, labelled=171, failed=29)
