"""``lablr suggest``: tags for photos."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lablr.cli.messages import print_message, shown
from lablr.cli.options import (
    accepted_option,
    bundle_option,
    json_option,
    k_option,
    language_option,
    ranking_option,
    reach_option,
    rejected_option,
    vocabulary_option,
)
from lablr.cli.report import Item, Reporter, exit_if, summary
from lablr.errors import PhotoError
from lablr.system.cpu import use_one_blas_thread

if TYPE_CHECKING:
    from lablr.ranking.feedback import Feedback
    from lablr.ranking.shown import ShownSuggestion, ShownTag
    from lablr.ranking.tagger import Tagger
    from lablr.ranking.unlikely import UnlikelyTag

STDIN = "-"
BAR_WIDTH = 24


@click.command("suggest")
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@k_option(10, "How many tags for each photo; 0 means all.")
@ranking_option
@vocabulary_option
@language_option
@click.option(
    "--existing",
    metavar="TAGS",
    help="Tags that the photos have, between commas: say which look wrong, and why.",
)
@accepted_option
@rejected_option
@reach_option
@bundle_option
@json_option
def suggest_command(
    photos: tuple[str, ...],
    k: int,
    ranking: str,
    vocabulary: Path | None,
    language: str,
    existing: str | None,
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
      lablr suggest --language de --vocabulary words.csv photo.jpg
      lablr suggest --existing "beach, surfing" photo.jpg
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

    A --vocabulary or a --language adds "label" to each tag, and "language";
    --existing adds "unlikely", the tags of the photo that could go.
    """
    use_one_blas_thread()
    from lablr.photos import FOLDER_LIMITS
    from lablr.ranking.shown import show
    from lablr.ranking.tagger import Tagger
    from lablr.ranking.unlikely import unlikely_tags
    from lablr.tags import Vocabulary, split_words
    from lablr.tags.translations import ENGLISH

    words = Vocabulary.load(vocabulary, language)
    labelled = vocabulary is not None or language != ENGLISH
    own = None if existing is None else split_words(existing)
    tagger = Tagger.load(bundle, FOLDER_LIMITS)
    feedback = _feedback(tagger, accepted, rejected, reach)
    sources = [sys.stdin.buffer if photo == STDIN else photo for photo in photos]
    # blocked tags make room for others, and percentiles are over all tags
    n_ranked = k if vocabulary is None and own is None else 0
    answers = tagger.suggest_many(sources, n_ranked, ranking, feedback=feedback)
    report = Reporter(as_json, "ok", "failed")
    for photo, answer in zip(photos, answers, strict=True):
        if isinstance(answer, PhotoError):
            report.add(_failed(photo, answer))
        else:
            chosen = show(answer, words, k)
            doubted = None if own is None else unlikely_tags(answer, own, words)
            record = {"photo": photo, **_record(chosen, labelled, doubted)}
            report.add(Item(photo, "ok", record, _table(photo, chosen, doubted)))
    if len(photos) > 1:
        print_message(summary(report.counts))
    exit_if(report.counts["failed"])


def _record(
    chosen: ShownSuggestion, labelled: bool, doubted: tuple[UnlikelyTag, ...] | None
) -> dict[str, Any]:
    record = chosen.to_dict()
    if not labelled:
        scores = tuple(tag.score for tag in chosen.tags if tag.score)
        record = replace(chosen.suggestion, tags=scores).to_dict()
    if doubted is not None:
        record["unlikely"] = [tag.to_dict() for tag in doubted]
    return record


def _feedback(tagger: Tagger, accepted: str, rejected: str, reach: float) -> Feedback:
    """Return the options as feedback; name unknown tags on stderr."""
    from lablr.ranking.feedback import Feedback

    try:
        feedback = Feedback(
            tuple(accepted.split(",")), tuple(rejected.split(",")), reach
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if unknown := sorted(set(feedback.decided) - set(tagger.tags)):
        print_message(f"ignored, unknown to the model: {shown(', '.join(unknown))}")
    return feedback


def _table(
    photo: str, chosen: ShownSuggestion, doubted: tuple[UnlikelyTag, ...] | None
) -> Iterator[str]:
    """Yield the tags of a photo, each with its probability as number and bar."""
    yield shown(photo)
    if not chosen.sure:
        threshold = chosen.suggestion.threshold
        yield f"  not sure: no tag reaches {threshold:.0%}"
    width = max((len(tag.label) for tag in chosen.tags), default=0)
    for tag in chosen.tags:
        numbers = _numbers(tag, chosen.suggestion.feedback.reach > 0)
        yield f"  {tag.label:{width}}  {numbers}".rstrip()
    if doubted is not None:
        yield "  to remove:" + ("" if doubted else " none")
        for one in doubted:
            yield f"    {shown(one.written)}: {shown(one.reason)}"


def _numbers(tag: ShownTag, reach: bool) -> str:
    """Return a tag's probability as number and bar, and its vocabulary entry."""
    words = ["always"] if tag.always else []
    words += [" > ".join(tag.broader)] if tag.broader else []
    said = f"[{', '.join(words)}]" if words else ""
    if tag.score is None:
        return f"{'-':>6}  {said}"
    if reach and tag.score.reach is not None:
        said = f"reach {tag.score.reach:.1%}  {said}".rstrip()
    bar = "█" * round(tag.score.probability * BAR_WIDTH)
    return f"{tag.score.probability:6.1%}  {bar}{' ' * bool(bar and said)}{said}"


def _failed(photo: str, error: PhotoError) -> Item:
    """Say why a photo got no tags; for a folder, how to name what is in it."""
    if photo != STDIN and Path(photo).is_dir():
        pattern = shown(f"{shlex.quote(photo.rstrip('/'))}/*.jpg")
        error = copy(error)
        error.args = (
            f"This is a folder. Name the photos in it, for example {pattern}",
        )
    return Item(shown(photo), "failed", {"photo": photo}, error=error)
