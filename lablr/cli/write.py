"""``lablr write``: tags into files, and out of them again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lablr.cli.messages import print_message, shown
from lablr.cli.options import json_option, runs_option, state_option, undo_option
from lablr.cli.progress_bar import progress_bar

if TYPE_CHECKING:
    from lablr.metadata import WriteOutcome

__all__ = ["write_command"]

# lablr.metadata.ORIGINS, written again so that --help need not load NumPy; a test holds
# the two equal.
ORIGINS = ("suggested", "accepted", "typed")


@click.command("write")
@click.argument("photos", nargs=-1, metavar="[PHOTO]...")
@click.option(
    "--tags",
    multiple=True,
    metavar="TAG,TAG...",
    help="What to write; places|europe|paris is a tag in a hierarchy.",
)
@click.option(
    "--origin",
    type=click.Choice(ORIGINS),
    default="typed",
    show_default=True,
    help="What the tags are: kept beside them in the file.",
)
@click.option(
    "--sidecar", is_flag=True, help="Into PHOTO.xmp beside a PHOTO of any kind."
)
@click.option("--dry-run", is_flag=True, help="Say what would change; touch nothing.")
@undo_option("Give the files of the last run, or of RUN, their bytes from before.")
@runs_option
@click.option(
    "--forget",
    "forgotten",
    metavar="RUN",
    help="Remove the backups of RUN, which cannot be undone then.",
)
@state_option
@json_option
def write_command(
    photos: tuple[str, ...],
    tags: tuple[str, ...],
    origin: str,
    sidecar: bool,
    dry_run: bool,
    undone: str | None,
    lists_runs: bool,
    forgotten: str | None,
    state: Path | None,
    as_json: bool,
) -> None:
    """Write tags into each PHOTO, or into a sidecar beside it.

    The tags join those that are there, of which none is removed, as IPTC keywords and
    XMP dc:subject, lr:hierarchicalSubject and digiKam:TagsList. JPEG, PNG and WebP
    take them; the picture stays as it is, byte for byte, and everything else by its
    value. The file from before is kept, and --undo brings it back. A PHOTO that cannot
    be written is named, the others go on, and the exit code is 1.

    \b
    Examples:
      lablr write photo.jpg --tags beach,sunset
      lablr write holiday/*.jpg --tags 'places|europe|paris' --dry-run
      lablr write raw/*.cr2 --tags beach --sidecar
      lablr write --undo
      lablr write --runs
      lablr write --undo 20250131-093000-1a2b

    With --json, each photo is one line:

    \b
      {"photo", "target", "status", "run", "found": {LIST: [TAG, ...]},
       "added": {LIST: [TAG, ...]}, "notes": [...]}
      {"photo", "target", "status": "failed", "run", "error": {"code", "message"}}
    """
    is_other = [undone is not None, lists_runs, forgotten is not None]
    if sum(is_other) + bool(photos or tags) != 1 or bool(photos) != bool(tags):
        raise click.UsageError(
            "give PHOTO... and --tags, or one of --undo, --runs, --forget"
        )
    if dry_run and any(is_other):
        # it would be done, where somebody asked to see it first
        raise click.UsageError("--dry-run goes with PHOTO... and --tags")
    from lablr.metadata import Keyword, default_state, undo, write_tags

    state = state or default_state()
    if lists_runs:
        _list_runs(state, as_json)
    elif forgotten is not None:
        _forget(state, forgotten)
    elif undone is not None:
        _report(undo(state, undone or None), None, as_json)
    else:
        words = [word for option in tags for word in option.split(",")]
        keywords = [Keyword(word, origin) for word in words]  # type: ignore[arg-type]
        wanted = {Path(photo): keywords for photo in photos}
        outcomes = write_tags(wanted, state=state, sidecar=sidecar, dry_run=dry_run)
        _report(outcomes, len(wanted), as_json)


def _report(
    outcomes: Iterable[WriteOutcome], n_photos: int | None, as_json: bool
) -> None:
    """Show what became of each photo, and how many of each there were."""
    n_of: Counter[str] = Counter()
    run = None
    show = _show_json if as_json else _show
    try:
        for outcome in progress_bar(outcomes, n_photos, "writing tags"):
            n_of[outcome.status] += 1
            run = outcome.run or run
            show(outcome)
    finally:  # stopped in the middle, too: what is written can be undone
        parts = " + ".join(f"{status} {n:,}" for status, n in n_of.items())
        if n_of:
            print_message(f"attempted {n_of.total():,} = {parts}")
        if n_of["written"]:
            print_message(f"run {run}; to undo it: lablr write --undo {run}")
    if n_of["failed"]:
        raise click.exceptions.Exit(1)


def _show_json(outcome: WriteOutcome) -> None:
    record: dict[str, Any] = {
        "photo": str(outcome.photo),
        "target": str(outcome.target),
        "status": outcome.status,
        "run": outcome.run,
    }
    if outcome.error is not None:
        error = {"code": outcome.error.code, "message": str(outcome.error)}
        record["error"] = error
    else:
        record |= {"found": outcome.found, "added": outcome.added}
        record["notes"] = outcome.notes
    click.echo(json.dumps(record))


def _show(outcome: WriteOutcome) -> None:
    """Print a photo and, list by list, the difference."""
    target = shown(str(outcome.target))
    if outcome.error is not None:
        print_message(f"error: {target}: {outcome.error}")
        return
    click.echo(f"{target}: {outcome.status}")
    for name, added in outcome.added.items():
        kept = [shown(tag) for tag in outcome.found.get(name, ())]
        more = [f"+{shown(tag)}" for tag in added]
        click.echo(f"  {name}: {', '.join([*kept, *more])}")
    for note in outcome.notes:
        print_message(f"{target}: {shown(note)}")


def _list_runs(state: Path, as_json: bool) -> None:
    from lablr.metadata import list_runs

    for run in list_runs(state):
        numbers = {"run": run.name, "files": len(run.changes), "to_undo": len(run.left)}
        if as_json:
            click.echo(json.dumps(numbers))
        else:
            click.echo(
                f"{run.name}  {_files(run.changes)}, {len(run.left):,} can be undone"
            )


def _forget(state: Path, run: str) -> None:
    from lablr.metadata import forget

    print_message(
        f"run {run} is forgotten; backups of files removed: {forget(state, run):,}"
    )


def _files(changes: Sequence[object]) -> str:
    return f"{len(changes):,} file{'' if len(changes) == 1 else 's'}"
