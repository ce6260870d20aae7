"""``lablr suggest``: tags for photos."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from lablr.cli.messages import say, shown
from lablr.cli.options import bundle_option, json_option, ranking_option

if TYPE_CHECKING:
    from lablr.errors import PhotoError
    from lablr.tagger import Suggestion, Tagger

__all__ = ["suggest_command"]

STDIN = "-"
BAR_WIDTH = 24


@dataclass(frozen=True)
class Refusal:
    """Why a photo got no tags: the code for a program, the sentence for a person."""

    code: str
    message: str


@click.command("suggest")
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@click.option(
    "-k",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="How many tags for each photo; 0 means all.",
)
@ranking_option
@bundle_option
@json_option
def suggest_command(
    photos: tuple[str, ...], k: int, ranking: str, bundle: Path | None, as_json: bool
) -> None:
    """Suggest tags for each PHOTO, best first.

    A PHOTO is a JPEG, PNG, WebP or GIF file, or - for standard input. A photo that
    cannot be used is reported, the others go on, and the exit code is 1.

    \b
    Examples:
      lablr suggest photo.jpg
      lablr suggest -k 3 holiday/*.jpg
      lablr suggest --json -k 0 photo.jpg > tags.jsonl
      curl -s https://example.org/photo.jpg | lablr suggest -

    With --json, each photo is one line:

    \b
      {"photo": ..., "tags": [{"tag", "probability", "squared_mahalanobis",
                               "log_likelihood_ratio"}, ...],
       "sure": ..., "threshold": ..., "ranking": ...}
      {"photo": ..., "error": {"code", "message"}}
    """
    from lablr.tagger import Tagger

    show = _show_json if as_json else _show_table
    n_failed = 0
    for photo, answer in _answers(Tagger.load(bundle), photos, k, ranking):
        n_failed += isinstance(answer, Refusal)
        show(photo, answer)
    if len(photos) > 1:
        n_ok = len(photos) - n_failed
        say(f"attempted {len(photos)} = ok {n_ok} + failed {n_failed}")
    if n_failed:
        raise click.exceptions.Exit(1)


def _answers(
    tagger: Tagger, photos: tuple[str, ...], k: int, ranking: str
) -> Iterator[tuple[str, Suggestion | Refusal]]:
    """Yield every photo with what became of it, in the order they were named."""
    # Looked up once, before the photos are read in batches: an answer must not be
    # given to the wrong photo because a file came or went in between.
    refusals = [_refuse(photo) for photo in photos]
    sources = [
        _source(photo)
        for photo, refusal in zip(photos, refusals, strict=True)
        if refusal is None
    ]
    suggestions = tagger.suggest_many(sources, k=k, ranking=ranking)
    for photo, refusal in zip(photos, refusals, strict=True):
        if refusal is not None:
            yield photo, refusal
        else:
            answer = next(suggestions)
            yield (
                photo,
                _refusal(answer) if isinstance(answer, Exception) else answer,
            )


def _source(photo: str) -> str | BinaryIO:
    return sys.stdin.buffer if photo == STDIN else photo


def _refuse(photo: str) -> Refusal | None:
    """Say why a name cannot be a photo's, before it is opened."""
    path = Path(photo)
    if photo == STDIN:
        return None
    try:
        path.lstat()
    except (OSError, ValueError) as error:
        is_missing = getattr(error, "errno", None) == errno.ENOENT
        reason = "there is no such file" if is_missing else "cannot be opened"
        return Refusal("not_found" if is_missing else "unreadable", reason)
    if path.is_dir():
        pattern = shown(os.path.join(photo, "*.jpg"))  # noqa: PTH118 -- keeps "./"
        return Refusal(
            "is_a_folder",
            f"this is a folder; name the photos in it, for example {pattern}",
        )
    return None


def _refusal(error: PhotoError) -> Refusal:
    return Refusal(error.code, str(error))


def _show_json(photo: str, answer: Suggestion | Refusal) -> None:
    """Print one line of ASCII JSON; bytes that are not UTF-8 stay \\udcXX escapes."""
    if isinstance(answer, Refusal):
        record = {"error": {"code": answer.code, "message": answer.message}}
    else:
        record = answer.to_dict()
    click.echo(json.dumps({"photo": photo, **record}))


def _show_table(photo: str, answer: Suggestion | Refusal) -> None:
    """Print the tags of a photo, each with its probability as number and bar."""
    if isinstance(answer, Refusal):
        say(f"{shown(photo)}: {answer.message}")
        return
    click.echo(shown(photo))
    if not answer.sure:
        click.echo(f"  not sure: no tag reaches {answer.threshold:.0%}")
    width = max(len(score.tag) for score in answer.tags)
    for score in answer.tags:
        bar = "█" * round(score.probability * BAR_WIDTH)
        line = f"  {score.tag:{width}}  {score.probability:6.1%}  {bar}"
        click.echo(line.rstrip())
