"""What the tests of resizing share: corpora of real photos, and folders compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.photos import write_corpus
from lablr.corpus import Corpus


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with its bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def records_of(folder: Path) -> list[dict]:
    text = (folder / "photos.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def write_records(folder: Path, records: list[dict]) -> None:
    lines = [json.dumps(record) + "\n" for record in records]
    (folder / "photos.jsonl").write_text("".join(lines))


def make_corpus(folder: Path, n_train: int, n_val: int, side: int = 160) -> Corpus:
    folder.mkdir()
    write_corpus(folder, n_train, n_val, side)
    return Corpus.open(folder)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Twelve real photos of 160 pixels, in both splits."""
    return make_corpus(tmp_path / "in", n_train=9, n_val=3)
