"""``lablr suggest``: tags for photos."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lablr.cli.blas import use_one_blas_thread
from lablr.cli.messages import say, shown
from lablr.cli.options import (
    accepted_option,
    bundle_option,
    json_option,
    ranking_option,
    reach_option,
    rejected_option,
)
from lablr.errors import PhotoError

if TYPE_CHECKING:
    from lablr.tagger import Suggestion, Tagger
    from lablr.wishes import Wishes

__all__ = ["suggest_command"]

STDIN = "-"
BAR_WIDTH = 24


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
@accepted_option
@rejected_option
@reach_option
@bundle_option
@json_option
def suggest_command(
    photos: tuple[str, ...],
    k: int,
    ranking: str,
    accepted: str,
    rejected: str,
    reach: float,
    bundle: Path | None,
    as_json: bool,
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
      lablr suggest photo.jpg --accepted dog,snow --rejected cat
      lablr suggest photo.jpg --reach 0.3

    Accepted and rejected tags are left out, the rest is ranked by what goes with
    them. With --json and a model that knows it, each tag has its "reach".

    With --json, each photo is one line:

    \b
      {"photo": ..., "tags": [{"tag", "probability", "squared_mahalanobis",
                               "log_likelihood_ratio"}, ...],
       "sure": ..., "threshold": ..., "ranking": ...}
      {"photo": ..., "error": {"code", "message"}}
    """
    use_one_blas_thread()
    from lablr.photos import FOLDER_LIMITS
    from lablr.tagger import Tagger

    tagger = Tagger.load(bundle, FOLDER_LIMITS)
    wishes = _wishes(tagger, accepted, rejected, reach)
    sources = [sys.stdin.buffer if photo == STDIN else photo for photo in photos]
    answers = tagger.suggest_many(sources, k=k, ranking=ranking, wishes=wishes)
    show = _show_json if as_json else _show_table
    n_failed = 0
    for photo, answer in zip(photos, answers, strict=True):
        n_failed += isinstance(answer, PhotoError)
        show(photo, answer)
    if len(photos) > 1:
        n_ok = len(photos) - n_failed
        say(f"attempted {len(photos)} = ok {n_ok} + failed {n_failed}")
    if n_failed:
        raise click.exceptions.Exit(1)


def _wishes(tagger: Tagger, accepted: str, rejected: str, reach: float) -> Wishes:
    """What was said; a tag that the model does not know is named on stderr."""
    from lablr.wishes import Wishes

    try:
        wishes = Wishes(tuple(accepted.split(",")), tuple(rejected.split(",")), reach)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if unknown := sorted(set(wishes.decided) - set(tagger.tags)):
        say(f"the model does not know {shown(', '.join(unknown))}: no change by that")
    return wishes


def _show_json(photo: str, answer: Suggestion | PhotoError) -> None:
    """Print one line of ASCII JSON; bytes that are not UTF-8 stay \\udcXX escapes."""
    if isinstance(answer, PhotoError):
        message = _message(photo, answer)
        record = {"error": {"code": answer.code, "message": message}}
    else:
        record = answer.to_dict()
    click.echo(json.dumps({"photo": photo, **record}))


def _show_table(photo: str, answer: Suggestion | PhotoError) -> None:
    """Print the tags of a photo, each with its probability as number and bar."""
    if isinstance(answer, PhotoError):
        say(f"error: {shown(photo)}: {_message(photo, answer)}")
        return
    click.echo(shown(photo))
    if not answer.sure:
        click.echo(f"  not sure: no tag reaches {answer.threshold:.0%}")
    width = max((len(score.tag) for score in answer.tags), default=0)
    for score in answer.tags:
        bar = "█" * round(score.probability * BAR_WIDTH)
        row = f"  {score.tag:{width}}  {score.probability:6.1%}  "
        if answer.wishes.reach and score.reach is not None:
            row += f"reach {score.reach:5.1%}  "
        click.echo((row + bar).rstrip())


def _message(photo: str, error: PhotoError) -> str:
    """Say why a photo got no tags; for a folder, how to name what is in it."""
    if photo != STDIN and Path(photo).is_dir():
        pattern = shown(f"{photo.rstrip('/')}/*.jpg")
        return f"This is a folder. Name the photos in it, for example {pattern}"
    return str(error)
