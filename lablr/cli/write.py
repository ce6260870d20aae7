"""``lablr write``: write tags into files, and undo that."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lablr.cli.messages import print_message, shown
from lablr.cli.options import (
    dry_run_option,
    json_option,
    runs_option,
    state_option,
    undo_option,
)
from lablr.cli.report import Item, Reporter, report_runs

if TYPE_CHECKING:
    from lablr.metadata.run import WriteOutcome

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
    help="What the tags are: kept beside them in the file.",
)
@click.option(
    "--sidecar", is_flag=True, help="Into PHOTO.xmp beside a PHOTO of any kind."
)
@dry_run_option("Say what would change; touch nothing.")
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
    from lablr.metadata.run import forget, list_runs

    state = state or default_state()
    if lists_runs:
        report_runs(list_runs(state), "file", as_json)
    elif forgotten is not None:
        n_files = forget(state, forgotten)
        print_message(
            f"run {forgotten} is forgotten; backups of files removed: {n_files:,}"
        )
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
    report = Reporter(as_json)
    report.run(outcomes, n_photos, "writing tags", _item, "written: lablr write")


def _item(outcome: WriteOutcome) -> Item:
    """Show a photo and, list by list, the difference."""
    target = shown(str(outcome.target))
    record: dict[str, Any] = {
        "photo": str(outcome.photo),
        "target": str(outcome.target),
        "status": outcome.status,
        "run": outcome.run,
    }
    if outcome.error is not None:
        return Item(target, outcome.status, record, error=outcome.error)
    record |= {"found": outcome.found, "added": outcome.added, "notes": outcome.notes}
    lines = [f"{target}: {outcome.status}"]
    for name, added in outcome.added.items():
        kept = [shown(tag) for tag in outcome.found.get(name, ())]
        more = [f"+{shown(tag)}" for tag in added]
        lines.append(f"  {name}: {', '.join([*kept, *more])}")
    return Item(target, outcome.status, record, lines, outcome.notes)
