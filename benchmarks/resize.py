"""Resizing a corpus: `lablr resize` against a plain loop over Pillow."""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageOps

from benchmarks.photos import TILE, tiles
from benchmarks.reporting import Report, Table, Target, run_as_command
from benchmarks.timing import Spread, ratios, times_in_turns
from lablr.corpus import Corpus
from lablr.corpus.resize import resize_corpus
from lablr.system.cpu import available_threads

METHOD = """\
{n_photos} JPEGs of 2560 x 1708 pixels (4.4 megapixels), laid out of real photos in
their own size, to 128 x 128 with black around. The plain loop is one line after the
other: Pillow opens, scales, pads and saves. A second loop lets Pillow decode at a
fraction of the size (`Image.thumbnail`), as Lablr does, still one photo after the
other. `resize_corpus` besides checks every photo, writes each whole or not at all and
flushed to the disk, and writes the lists; it runs in {n_threads} threads. "Again" is
with everything done already. All read from the same folder, whose files the system has
in memory."""

SIDE = 128


def write_photos(folder: Path, n_photos: int) -> None:
    """Write the JPEGs and their photos.jsonl."""
    (width, height), shipped, lines = TILE, tiles(), []
    for number in range(n_photos):
        mosaic = Image.new("RGB", (4 * width, 4 * height))
        for place in range(16):
            tile = shipped[(number + place) % len(shipped)]
            mosaic.paste(tile, (place % 4 * width, place // 4 * height))
        mosaic.save(folder / f"{number}.jpg", quality=90)
        lines.append(json.dumps({"file": f"{number}.jpg", "tags": ["sky"]}) + "\n")
    (folder / "photos.jsonl").write_text("".join(lines), "utf-8")


def plain_loop(source: Path, out: Path) -> None:
    """One photo after the other, as one writes it without a thought."""
    out.mkdir()
    for path in sorted(source.glob("*.jpg")):
        image = Image.open(path).convert("RGB")
        ImageOps.pad(image, (SIDE, SIDE)).save(out / path.name, quality=90)


def thumbnail_loop(source: Path, out: Path) -> None:
    """The same, decoding at a fraction of the size."""
    out.mkdir()
    for path in sorted(source.glob("*.jpg")):
        image = Image.open(path)
        image.thumbnail((SIDE, SIDE))
        ImageOps.pad(image.convert("RGB"), (SIDE, SIDE)).save(out / path.name)


def ways_in(folder: Path, n_photos: int) -> dict[str, Callable[[], object]]:
    """What is compared, on so many photos; all of it stays in `folder`."""
    source, done = folder / "in", folder / "done"
    source.mkdir()
    write_photos(source, n_photos)
    corpus = Corpus.open(source)
    resize_corpus(corpus, done)
    numbers = itertools.count()

    def fresh() -> Path:
        number = next(numbers)
        # Only the last is left: nobody has room for all rounds.
        shutil.rmtree(folder / f"out{number - 1}", ignore_errors=True)
        return folder / f"out{number}"

    return {
        "`resize_corpus`": lambda: resize_corpus(corpus, fresh()),
        "`resize_corpus`, again": lambda: resize_corpus(corpus, done),
        "a plain loop": lambda: plain_loop(source, fresh()),
        "a loop over `thumbnail`": lambda: thumbnail_loop(source, fresh()),
    }


def measure(words: argparse.Namespace) -> Report:
    n_photos = 3 if words.quick else 48
    with tempfile.TemporaryDirectory() as name:
        ways = ways_in(Path(name), n_photos)
        times = times_in_turns(ways, *((1, 0) if words.quick else (8, 1)))
    ours, plain = times["`resize_corpus`"], times["a plain loop"]
    rows = [
        [name, Spread.of(n_photos / own).text(0), ratios(own, ours).text()]
        for name, own in times.items()
    ]
    return Report(
        title="Resizing a corpus",
        method=METHOD.format(n_photos=n_photos, n_threads=available_threads()),
        tables=[Table(("way", "photos/s", "time / `resize_corpus`"), rows)],
        targets=[
            Target(
                "a plain loop / `resize_corpus`",
                3,
                ratios(plain, ours).median,
                at_most=False,
            )
        ],
    )


if __name__ == "__main__":
    run_as_command(measure)
