"""``lablr learn``: a bundle that has learned from people's judgements."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lablr.cli.messages import fail, print_message, shown
from lablr.cli.options import (
    bundle_option,
    dry_run_option,
    from_environment,
    json_option,
    out_option,
    path_option,
)
from lablr.cli.progress_bar import progress_bar
from lablr.cli.report import emit

if TYPE_CHECKING:
    from lablr.annotation.update import Update, UpdateReport
    from lablr.bundle import Bundle

__all__ = ["learn_command"]

HEADINGS = ("before", "after", "accepted", "rejected", "shift", "AP before", "AP after")


@click.command("learn")
@from_environment(
    "LABLR_DATABASE",
    "--from",
    "database",
    metavar="DATABASE",
    default="judgements.sqlite",
    show_default=True,
    help="Judgements: an SQLite file, or postgresql://USER@HOST/NAME.",
)
@bundle_option
@out_option(
    "BUNDLE",
    "Where to write the updated bundle; an existing one is kept as BUNDLE.previous.",
    is_folder=True,
    required=False,
)
@click.option(
    "--weight",
    type=click.FloatRange(min=0, min_open=True),
    # lablr.annotation.update.DEFAULT_WEIGHT, written again so that --help need not load
    # NumPy; a test holds the two equal.
    default=3.0,
    show_default=True,
    help="How many training photos a judged photo counts for.",
)
@path_option(
    "--corpus", help="Also refuse an update that makes its validation photos worse."
)
@path_option(
    "--base",
    is_folder=True,
    metavar="FOLDER",
    help="Folder of judged photos whose paths are relative.  [default: here]",
)
@dry_run_option("Say what would change; write nothing.")
@click.option("--force", is_flag=True, help="Write the update even if it is worse.")
@path_option(
    "--undo",
    "undone",
    is_folder=True,
    metavar="BUNDLE",
    help="Put BUNDLE.previous back in BUNDLE's place, and do nothing else.",
)
@json_option
def learn_command(
    database: str,
    bundle: Path | None,
    out: Path | None,
    weight: float,
    corpus: Path | None,
    base: Path | None,
    dry_run: bool,
    force: bool,
    undone: Path | None,
    as_json: bool,
) -> None:
    """Learn from judgements without training: Gaussians, calibration and map.

    Tags that people accepted draw their Gaussians toward the photo, tags they
    rejected draw their rests; tags typed for five photos or more are new. What the
    bundle learned before is replaced by what the database says now. Figures are of
    judged photos by a model that learned from the others. An update that makes them
    worse, by more than two standard errors, is refused.

    \b
    Examples:
      lablr learn --from judgements.sqlite --bundle my-bundle --dry-run
      lablr learn --from judgements.sqlite --bundle my-bundle --out my-bundle
      lablr learn --bundle my-bundle --out other --weight 10 --corpus corpus/
      lablr learn --undo my-bundle
    """
    if undone is not None:
        _undo(undone, as_json)
        return
    if out is None and not dry_run:
        raise click.UsageError("give --out BUNDLE, --dry-run or --undo BUNDLE")
    from lablr.annotation.update import save_learned
    from lablr.bundle import Bundle

    update = _learn(Bundle.load(bundle), database, weight, corpus, base)
    report, digest = update.report, None
    refused = bool(report.worse) and not force
    if out is not None and not dry_run and not refused:
        digest = save_learned(update.bundle, out).digest
    written = {"refused": refused, "written": digest}
    emit(as_json, report.to_dict() | written, *_lines(report))
    if refused:
        names = ", ".join(figure.figure for figure in report.worse)
        fail(f"worse than before: {names}; nothing is written (--force writes it)")
    if digest is not None:
        print_message(f"{len(update.bundle.tags)} tags in {shown(str(out))}")


def _learn(
    bundle: Bundle,
    database: str,
    weight: float,
    corpus: Path | None,
    base: Path | None,
) -> Update:
    """Read the judgements, encode their photos and learn from them."""
    from lablr.annotation import open_database
    from lablr.annotation.update import (
        compare_on_validation,
        encode_annotated_photos,
        learn,
    )
    from lablr.corpus import Corpus
    from lablr.encoders.encoder import Encoder, Preprocessing

    with open_database(database, create=False) as opened:
        # Imported only here: without the extra, open_database says what is missing.
        from lablr.annotation.consensus import read_consensus

        judgements = read_consensus(opened)
    photos = encode_annotated_photos(
        judgements,
        Encoder(bundle.encoder_onnx, Preprocessing.from_dict(bundle.preprocessing)),
        mirror=bool(bundle.settings.get("mirror", False)),
        base=base,
        progress=progress_bar,
    )
    update = learn(bundle, photos, weight)
    if corpus is None:
        return update
    return update.compared(
        compare_on_validation(
            bundle, update.bundle, Corpus.open(corpus), progress=progress_bar
        )
    )


def _undo(folder: Path, as_json: bool) -> None:
    from lablr.annotation.update import undo

    digest = undo(folder).digest
    emit(as_json, {"restored": digest})
    print_message(f"{shown(str(folder))} is the bundle {digest[:12]} again")


def _lines(report: UpdateReport) -> list[str]:
    """One line per tag that was judged, then one per figure."""
    width = max(4, *(len(tag.tag) for tag in report.changed))
    lines = [f"{'tag':{width}}  " + "  ".join(f"{name:>9}" for name in HEADINGS)]
    for tag in report.changed:
        cells = (
            f"{tag.n_before:.6g}",
            f"{tag.n_after:.6g}",
            str(tag.n_accepted),
            str(tag.n_rejected),
            "new" if tag.new else f"{tag.shift:.2f} sd",
            _figure(tag.precision_before),
            _figure(tag.precision_after),
        )
        lines.append(f"{tag.tag:{width}}  " + "  ".join(f"{cell:>9}" for cell in cells))
    lines.append(f"{report.n_photos} photos, {report.n_decisions} decisions")
    for figure in report.figures:
        worse = "  worse" if figure.worse else ""
        lines.append(
            f"{figure.figure}: {_figure(figure.before)} -> {_figure(figure.after)}"
            f" (standard error {_figure(figure.error)}){worse}"
        )
    return lines


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
