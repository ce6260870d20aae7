"""``lablr credits``: who made the photos of a corpus."""

from __future__ import annotations

from pathlib import Path

import click

from lablr.cli.options import corpus_argument


@click.command("credits")
@corpus_argument
def credits_command(corpus: Path) -> None:
    """Print title, author, licence and page of every photo of CORPUS.

    CORPUS is the folder that 'lablr download' wrote, or a photos.jsonl. Most
    licences ask that these are named wherever a photo is shown.

    \b
    Examples:
      lablr credits corpus/ > corpus/CREDITS.txt
    """
    from lablr.flickr.credits import credit_lines

    for line in credit_lines(corpus):
        click.echo(line)
