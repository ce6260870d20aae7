"""``lablr resize``: a corpus of photos of one size."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from lablr.cli.messages import shown
from lablr.cli.options import json_option, out_option
from lablr.cli.report import emit, exit_if, progress_bar, summary

# lablr.photos.FITS, written again so that --help need not load NumPy; a test holds
# the two equal.
FITS = ("crop", "letterbox")


@click.command("resize")
@click.argument("photos", type=click.Path(path_type=Path), metavar="IN")
@out_option("OUT", "The folder of the resized photos; outside IN.")
@click.option(
    "--size",
    type=click.IntRange(1, 4096),
    default=128,
    help="Side of the square, in pixels.",
)
@click.option(
    "--fit",
    type=click.Choice(FITS),
    default="letterbox",
    help="letterbox: the whole photo, scaled down where it is larger, on black."
    " crop: the square that the encoder sees.",
)
@click.option(
    "--quality", type=click.IntRange(1, 100), default=90, help="Of the JPEGs."
)
@click.option(
    "--min-photos",
    type=click.IntRange(min=1),
    default=1,
    help="Leave out the tags that fewer photos carry; the photos stay.",
)
@json_option
def resize_command(photos: Path, out: Path, as_json: bool, **options: object) -> None:
    """Bring every photo of IN to one size, as a corpus in the folder OUT.

    IN is a corpus (a folder with photos.jsonl or photos.csv, such a file, or a folder
    per tag) or a folder of photos, at any depth: where photos lie in IN itself, the
    folders beside them are no tags. OUT gets photos/, photos.jsonl with every field of
    every record, and photos.csv of path,label lines. A photo that cannot be used is
    named and left out, and the exit code is 1. Run again, what is there already is
    kept.

    \b
    Examples:
      lablr resize corpus/ --out corpus-128
      lablr resize corpus/ --out corpus-256 --size 256 --fit crop --min-photos 20
      lablr resize holiday/ --out small --json

    With --json, what became of the photos is one line:

    \b
      {"attempted": ..., "written": ..., "kept": ..., "failed": ...}
    """
    from lablr.corpus import Corpus
    from lablr.corpus.resize import ResizeConfig, resize_corpus

    counts = resize_corpus(
        Corpus.open(photos, untagged=True),
        out,
        ResizeConfig(**options),  # type: ignore[arg-type]
        progress=progress_bar,
    )
    numbers = dataclasses.asdict(counts)
    kinds = {kind: n for kind, n in numbers.items() if kind != "attempted"}
    emit(as_json, numbers, f"{shown(str(out))}: {summary(kinds)}")
    exit_if(counts.failed)
