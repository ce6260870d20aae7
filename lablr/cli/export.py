"""``lablr export``: every prediction and rating, as a table."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import BinaryIO

import click

from lablr.cli.messages import print_message, shown
from lablr.cli.options import database_option, out_option
from lablr.cli.report import progress_bar

# lablr.annotation.export.FORMATS, written again so that --help needs no SQLAlchemy; a
# test holds the two equal.
FORMATS = ("tsv", "csv", "json")


@click.command("export")
@database_option
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    default=FORMATS[0],
    help="json is one object a line.",
)
@out_option(
    "FILE",
    "Write a file, whole or not at all, instead of standard output.",
    is_folder=False,
    required=False,
)
def export_command(database: str, kind: str, out: Path | None) -> None:
    """Write everything in a database of judgements, except passwords.

    A line is one rater's decision on one tag of one photo. Tags that nobody judged
    have a line without a rater, tags that a rater typed one without a rank, skipped
    photos one without a tag.

    \b
    Examples:
      lablr export --database judgements.sqlite > judgements.tsv
      lablr export --format json --out judgements.jsonl
    """
    from lablr.annotation import open_database
    from lablr.system.progress import silent
    from lablr.system.whole_file import write_whole

    with open_database(database, create=False) as opened:
        # Imported only here: without the extra, open_database says what is missing.
        from lablr.annotation.export import write_export

        if out is None:
            # A bar and the lines would write over each other.
            shows = silent if sys.stdout.isatty() else progress_bar
            write_export(opened, sys.stdout, kind, shows)
            return

        def write(file: BinaryIO) -> None:
            text = io.TextIOWrapper(file, encoding="utf-8", newline="")
            n_lines = write_export(opened, text, kind, progress_bar)
            text.detach()  # flushes, and leaves the file open to be flushed to disk
            print_message(f"{n_lines} lines in {shown(str(out))}")

        write_whole(out, write)
