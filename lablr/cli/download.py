"""``lablr download``: tagged photos from Flickr."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from lablr.cli.messages import fail, print_message, shown
from lablr.cli.options import (
    credentials_option,
    dry_run_option,
    json_option,
    out_option,
    path_option,
)
from lablr.cli.report import progress_bar

# lablr.flickr.search.SIZES, written again so that --help need not load it; a test
# holds the two equal.
SIZES = ("t", "s", "n", "m", "z", "c", "l", "o")


@click.command("download")
@click.option("--tags", metavar="A,B", help="Tags, with commas between them.")
@path_option("--tags-file", metavar="FILE", help="A file of one tag a line.")
@click.option(
    "--popular",
    type=click.IntRange(min=1),
    metavar="N",
    help="The N most popular tags of Flickr, of the list that comes with Lablr.",
)
@click.option("--hot", is_flag=True, help="The tags that are hot on Flickr this week.")
@click.option(
    "--per-tag",
    type=click.IntRange(1, 4000),
    default=100,
    help="Photos a tag; a search of Flickr gives at most 4,000.",
)
@out_option("DIR", "The folder of the corpus.")
@click.option(
    "--sort",
    type=click.Choice(["relevance", "interestingness"]),
    default="relevance",
    help="Which photos of a tag come first.",
)
@click.option(
    "--licenses",
    default="open",
    help="open (Creative Commons and public domain), commercial (those that allow "
    "it), all, or Flickr's numbers such as 4,5,9.",
)
@click.option(
    "--size",
    type=click.Choice(SIZES),
    default="c",
    help="Flickr's letter: c is 800 pixels at the long side, z 640, l 1024, o the "
    "original; where there is none, the next smaller.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 32),
    default=16,
    help="Pictures fetched at a time.",
)
@credentials_option
@dry_run_option("Only say how much it would take: one small page a tag is asked for.")
@json_option
def download_command(
    out: Path,
    threads: int,
    credentials: Path | None,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Download photos with their tags from Flickr into a corpus.

    DIR gets photos/, photos.jsonl, download.json and a journal. When it is stopped,
    whenever that is, the same command goes on where it was; photos that failed are
    tried again. Flickr is called at most 3,600 times an hour.

    The API key and secret are taken from LABLR_FLICKR_KEY and LABLR_FLICKR_SECRET, or
    from the file ~/.config/lablr/flickr with the lines "key = ..." and "secret = ...".

    \b
    Examples:
      lablr download --tags beach,sunset --per-tag 500 --out corpus
      lablr download --popular 45 --per-tag 2000 --out corpus --dry-run
      lablr download --hot --sort interestingness --size z --out hot
    """
    from lablr.flickr.download import download, estimate
    from lablr.flickr.pictures import Pictures
    from lablr.flickr.search import SearchConfig
    from lablr.flickr.session import open_session

    tags = _tags(options)
    names = ("per_tag", "sort", "licenses", "size")
    config = SearchConfig(**{name: options[name] for name in names})
    session = open_session(credentials)
    if dry_run:
        print_message(
            "bytes are a guess by the sizes of the first 20 photos of each tag"
        )
        _print(vars(estimate(tags, config, session, progress_bar)), as_json)
        return
    pictures = Pictures(n_threads=threads)
    summary = download(out, tags, config, session, pictures, threads, progress_bar)
    _print(summary, as_json)
    print_message(f"photos in {shown(str(out / 'photos.jsonl'))}")
    if summary["failed"]:
        fail(f"{summary['failed']} photos failed; the same command tries them again")


def _tags(options: dict[str, Any]) -> list[str] | None:
    """Return the tags that were asked for, None for the hot ones."""
    from lablr.tags import normalize
    from lablr.tags.lists import popular_tags, read_tags

    if sum(map(bool, map(options.get, ("tags", "tags_file", "popular", "hot")))) != 1:
        raise click.UsageError("give one of --tags, --tags-file, --popular and --hot")
    if options["hot"]:
        return None
    if count := options["popular"]:
        tags = popular_tags()
        if count > len(tags):
            raise click.UsageError(
                f"--popular: the list that comes with Lablr has {len(tags)} tags; "
                "give a list of your own by --tags-file"
            )
        return tags[:count]
    if options["tags_file"]:
        return read_tags(options["tags_file"])
    parts = [part for part in options["tags"].split(",") if part.strip()]
    if not parts:
        raise click.UsageError("--tags names no tag")
    return list(dict.fromkeys(map(normalize, parts)))


def _print(counts: dict[str, Any], as_json: bool) -> None:
    """Print counts as JSON, or as a table of names and numbers."""
    if as_json:
        click.echo(json.dumps(counts, ensure_ascii=False))
        return
    for name, value in counts.items():
        if isinstance(value, int):
            click.echo(f"{name.replace('_', ' '):<20} {value:>12,}")
        elif name in ("reasons", "tags"):
            for part, count in value.items():
                click.echo(f"  {shown(part):<18} {count:>12,}")
