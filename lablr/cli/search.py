"""``lablr search``: find photos by a photo, tags or words."""

from __future__ import annotations

import json
from pathlib import Path

import click

from lablr.cli.blas import use_one_blas_thread
from lablr.cli.messages import shown
from lablr.cli.options import bundle_option, json_option

__all__ = ["search_command"]


@click.command("search")
@click.argument("words", nargs=-1, metavar="[PHOTO] [WORD]...")
@click.option(
    "--index",
    "-i",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    envvar="LABLR_INDEX",
    show_envvar=True,
    metavar="INDEX",
    help="What lablr index wrote.",
)
@click.option(
    "--minus",
    multiple=True,
    metavar="WORD",
    help="What should not fit; may be given several times.",
)
@click.option("-k", default=10, show_default=True, help="Photos; 0: all of them.")
@bundle_option
@json_option
def search_command(
    words: tuple[str, ...],
    index: Path,
    minus: tuple[str, ...],
    k: int,
    bundle: Path | None,
    as_json: bool,
) -> None:
    """Find photos of an index that are like PHOTO, and fit every WORD.

    A WORD that is one of the model's tags is found by its probability; other words,
    and phrases in quotes, need a model with the semantic method and the extra
    "text". The first column is the similarity: a probability for a tag alone, a
    cosine for a photo or other words alone, and else a sum in standard deviations.

    \b
    Examples:
      lablr search --index pictures-index sunset
      lablr search --index pictures-index "children on a bouncy castle"
      lablr search --index pictures-index photo.jpg -k 20 --json
      lablr search --index pictures-index photo.jpg snow --minus people
    """
    use_one_blas_thread()
    from lablr.photos import FOLDER_LIMITS
    from lablr.searching import Index, Query, Search
    from lablr.searching.views import Viewer
    from lablr.tagger import Tagger

    photo = words[0] if words and Path(words[0]).is_file() else None
    plus = words[1:] if photo else words
    if not words and not minus:
        raise click.UsageError("Name a photo or a word.")
    search = Search(Index.read(index), Viewer(Tagger.load(bundle, FOLDER_LIMITS)))
    for found in search.find(Query(photo, plus, minus), k):
        path = str(search.path(found.row))
        if as_json:
            record = {
                "photo": path,
                "similarity": round(found.similarity, 6),
                "tags": list(found.tags),
            }
            click.echo(json.dumps(record))
        else:
            click.echo(f"{found.similarity:6.3f}  {shown(path)}")
