"""``lablr search``: find photos by a photo, tags or words."""

from __future__ import annotations

from pathlib import Path

import click

from lablr.cli.blas import use_one_blas_thread
from lablr.cli.messages import fail, shown
from lablr.cli.options import (
    bundle_option,
    from_environment,
    json_option,
    k_option,
)
from lablr.cli.report import emit

__all__ = ["search_command"]


@click.command("search")
@click.argument("words", nargs=-1, metavar="[PHOTO] [WORD]...")
@from_environment(
    "LABLR_INDEX",
    "--index",
    "-i",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="INDEX",
    help="The folder that lablr index wrote.",
)
@click.option(
    "--minus",
    multiple=True,
    metavar="WORD",
    help="A word that should not fit; may be given several times.",
)
@k_option(10, "How many photos; 0 means all.")
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
    from lablr.ranking.tagger import Tagger
    from lablr.search import FeatureExtractor, Index, Query, Search

    photo, plus = _split(words)
    minus = tuple(word for word in minus if word.strip())
    if photo is None and not plus and not minus:
        raise click.UsageError("Name a photo or a word.")
    payload = None if photo is None else _read(photo)
    extractor = FeatureExtractor(Tagger.load(bundle, FOLDER_LIMITS))
    search = Search(Index.read(index), extractor)
    for found in search.find(Query(payload, plus, minus), k):
        path = str(search.path(found.row))
        record = {
            "photo": path,
            "similarity": round(found.similarity, 6),
            "tags": list(found.tags),
        }
        emit(as_json, record, f"{found.similarity:6.3f}  {shown(path)}")


def _split(words: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """Return the photo that is named, if any, and the words that are not empty.

    Whatever ends like a photo's name is one, even if it does not exist: searching for
    the letters of a mistyped name would find photos that nobody asked for.
    """
    from lablr.corpus.layouts import EXTENSIONS

    photos = [
        word
        for place, word in enumerate(words)
        if Path(word).suffix.lower() in EXTENSIONS
        or (place == 0 and Path(word).is_file())
    ]
    if len(photos) > 1:
        raise click.UsageError(
            f"Name one photo at most, not {shown(', '.join(photos))}"
        )
    plus = tuple(word for word in words if word not in photos and word.strip())
    return (photos[0] if photos else None), plus


def _read(photo: str) -> bytes:
    """Return a photo's bytes; an error names the photo, one of several words."""
    from lablr.errors import PhotoError
    from lablr.photos import photo_kind, read_bytes

    try:
        payload = read_bytes(photo)
        photo_kind(payload)
    except PhotoError as error:
        fail(f"{shown(photo)}: {error}")
    return payload
