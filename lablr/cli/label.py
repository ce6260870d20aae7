"""``lablr label``: tags for many photos, into a file."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lablr.cli.messages import print_message, shown
from lablr.cli.options import (
    bundle_option,
    engine_options,
    json_option,
    k_option,
    ranking_option,
)
from lablr.cli.report import emit, exit_if, progress_bar, summary
from lablr.system.cpu import use_one_blas_thread

if TYPE_CHECKING:
    from lablr.annotation.database.database import Database
    from lablr.annotation.labelling.outcomes import Engine, Labelled, Labeller
    from lablr.annotation.labelling.run import LabelCounts, Output
    from lablr.bundle import Bundle
    from lablr.corpus.inputs import Input

STDOUT = "-"
# lablr.annotation.labelling.FORMATS, written again so that --help need not load NumPy;
# a test holds the two equal.
FORMATS = ("csv", "jsonl", "parquet")


@click.command("label")
@click.argument("photos", metavar="IN")
@click.option(
    "--out",
    "-o",
    default=STDOUT,
    show_default=False,
    metavar="OUT",
    help="The file to write, .csv, .jsonl or .parquet; - is standard output.",
)
@k_option(5, "How many tags for each photo; 0 means all.")
@click.option("--resume", is_flag=True, help="Resume a stopped run.")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    help="The format, where the name of OUT does not show it.  [default: csv]",
)
@click.option(
    "--photo-field", metavar="NAME", help="Field of a photo's path.  [default: photo]"
)
@click.option(
    "--id-field", metavar="NAME", help="Field of its id.  [default: id, else the path]"
)
@click.option(
    "--link-field",
    metavar="NAME",
    help="Field of its link.  [default: link, else the path]",
)
@click.option(
    "--base",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Folder that the paths of the lines begin in, and may not lead out of.",
)
@click.option(
    "--spreadsheet",
    is_flag=True,
    help="Put an apostrophe before ids and links in CSV that a spreadsheet would run"
    " as a formula.",
)
@click.option(
    "--to",
    "database",
    metavar="DATABASE",
    help="Store the predictions too, for 'lablr results': an SQLite file, or"
    " postgresql://USER@HOST/NAME.",
)
@ranking_option
@bundle_option
@engine_options
@json_option
def label_command(
    photos: str,
    out: str,
    format_name: str | None,
    spreadsheet: bool,
    resume: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Label the photos of IN: a row of tags and probabilities for each.

    IN is a file of JSON lines like {"id": "7", "photo": "a/7.jpg", "link": ...}, - for
    such lines on standard input, a corpus (a folder with photos.jsonl or photos.csv, or
    such a file), or any folder: all photos in it, at any depth. Rows come in the order
    of IN:

    \b
      id,link,tag_1,probability_1,...,tag_k,probability_k

    A line or photo that cannot be used has no row; it is an object in
    OUT.errors.jsonl, or among the others in JSON lines, the run goes on, and the exit
    code is 1. OUT appears when all is done; until then it is in OUT.journal. After
    Ctrl-C, or any other stop, the same command with --resume continues, and OUT
    becomes what it would have been. Parquet needs pip install 'lablr[parquet]'. With
    --engine ray every machine of the cluster reads the photos at the same path.

    \b
    Examples:
      lablr label photos.jsonl --out labels.csv
      lablr label holiday/ --out labels.jsonl -k 10 --resume
      lablr label tweets.jsonl --photo-field file --base images/ --out labels.parquet
      lablr label photos.jsonl --out labels.csv --to judgements.sqlite
      head -1000 lines.jsonl | lablr label - > labels.csv

    With --json, the summary is one line:

    \b
      {"attempted": ..., "labelled": ..., "failed": ..., "resumed": ...}
    """
    if out == STDOUT and (resume or as_json or options["database"]):
        raise click.UsageError(
            "--resume, --json and --to need a file: name it with --out"
        )
    format_name = format_name or _format_of(out)
    use_one_blas_thread()
    source = _input(photos, options)
    if out == STDOUT:
        counts = _to_stdout(source, format_name, spreadsheet, options)
        print_message(_summary(counts))
    else:
        from lablr.annotation.labelling.run import LabelCounts, Output

        output = Output(Path(out), format_name, spreadsheet)
        if resume and output.is_finished:
            stored = "; nothing was stored now" if options["database"] else ""
            print_message(f"{shown(out)} is finished already{stored}")
            if as_json:
                emit(True, dataclasses.asdict(LabelCounts()))
            return
        counts = _to_file(source, output, resume, options)
        line = f"{shown(out)}: {_summary(counts)}"
        emit(as_json, dataclasses.asdict(counts), line)
        if counts.failed and format_name != "jsonl":
            print_message(f"what failed is in {shown(str(output.failures))}")
    exit_if(counts.failed)


def _format_of(out: str) -> str:
    """Return the format that a name says; standard output is CSV."""
    name = "csv" if out == STDOUT else Path(out).suffix[1:].lower()
    if name not in FORMATS:
        raise click.UsageError(
            f"the name {shown(out)} says no format: give .csv, .jsonl or .parquet, "
            "or --format"
        )
    return name


def _input(photos: str, options: dict[str, Any]) -> Input:
    from lablr.corpus.inputs import Fields, open_input

    names = {name: options[f"{name}_field"] for name in ("photo", "id", "link")}
    given = {name: field for name, field in names.items() if field}
    return open_input(photos, None, Fields(**given) if given else None, options["base"])


def _bundle(options: dict[str, Any]) -> Bundle:
    from lablr.bundle import Bundle

    return Bundle.load(options["bundle"])


def _labeller(bundle: Bundle, options: dict[str, Any]) -> Labeller:
    from lablr.annotation.labelling.outcomes import Labeller
    from lablr.photos import FOLDER_LIMITS
    from lablr.ranking.tagger import Tagger

    return Labeller(Tagger(bundle, FOLDER_LIMITS), options["k"], options["ranking"])


def _engine(bundle: Bundle, options: dict[str, Any]) -> Engine | None:
    if options["engine"] == "local":
        if options["ray_address"]:
            raise click.UsageError("--ray-address needs --engine ray")
        return None
    from lablr.annotation.labelling.on_ray import on_ray

    return on_ray(bundle, options["k"], options["ranking"], options["ray_address"])


def _to_stdout(
    source: Input, format_name: str, spreadsheet: bool, options: dict[str, Any]
) -> LabelCounts:
    from lablr.annotation.labelling.run import label_to_stream
    from lablr.system.progress import silent

    if format_name == "parquet":
        raise click.UsageError("Parquet needs a file: name it with --out")
    bundle = _bundle(options)
    return label_to_stream(
        source,
        sys.stdout.buffer,
        _labeller(bundle, options),
        format_name,
        engine=_engine(bundle, options),
        spreadsheet=spreadsheet,
        # A bar and the rows would write over each other.
        progress=silent if sys.stdout.isatty() else progress_bar,
    )


def _to_file(
    source: Input, output: Output, resume: bool, options: dict[str, Any]
) -> LabelCounts:
    from lablr.annotation.labelling.run import label

    bundle = _bundle(options)
    labeller = _labeller(bundle, options)
    try:
        with _opened(options["database"]) as database:
            folder = options["bundle"]
            name = folder.resolve().name if folder else "bundled"
            store = (
                partial(_store, database, bundle, name, source) if database else None
            )
            return label(
                source,
                output,
                labeller,
                engine=_engine(bundle, options),
                resume=resume,
                store=store,
                progress=progress_bar,
            )
    except KeyboardInterrupt:
        print_message("the same command with --resume goes on")
        raise


def _opened(url: str | None) -> AbstractContextManager[Database | None]:
    """Open the database, before anything is labelled, if there is one to open."""
    if url is None:
        return nullcontext()
    from lablr.annotation import open_database

    return open_database(url)


def _store(
    database: Database,
    bundle: Bundle,
    name: str,
    source: Input,
    photos: Iterator[Labelled],
) -> None:
    """Store predictions; a photo's place is a path that holds anywhere."""
    from lablr.annotation.database.records import ModelRecord, StoredPhoto

    root = source.root.absolute()
    stored = (
        (StoredPhoto(photo.id, str(root / photo.photo)), photo.tags) for photo in photos
    )
    database.store_predictions(ModelRecord.of(bundle, name), stored)


def _summary(counts: LabelCounts) -> str:
    resumed = f" ({counts.resumed:,} of them before)" if counts.resumed else ""
    kinds = {"labelled": counts.labelled, "failed": counts.failed}
    return summary(kinds, resumed)
