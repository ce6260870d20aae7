"""``lablr compare``: every ranking of a model side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lablr.cli.messages import print_message, shown
from lablr.cli.options import bundle_option, json_option, k_option, split_option
from lablr.cli.report import emit, figures_of, progress_bar
from lablr.system.cpu import use_one_blas_thread

if TYPE_CHECKING:
    from lablr.fitting.compare import Compared

COLUMNS = {
    "macro_average_precision": "macro AP",
    "mean_average_precision": "image MAP",
    "precision_at_5": "  P@5",
    "recall_at_5": "  R@5",
    "calibration_error": "cal. error",
}


@click.command("compare")
@click.argument("place", metavar="CORPUS|PHOTO", type=click.Path(path_type=Path))
@k_option(5, "Tags of a photo; 0: all of them.")
@split_option("The photos to compare on")
@click.option(
    "--source", help="Only the figures of this source of photos.  [default: every one]"
)
@click.option(
    "--save",
    is_flag=True,
    help="Keep the figures in the bundle, where the page that compares finds them.",
)
@bundle_option
@json_option
def compare_command(
    place: Path,
    k: int,
    split: str,
    source: str | None,
    save: bool,
    bundle: Path | None,
    as_json: bool,
) -> None:
    """Show what every way to rank makes of a photo, or of tagged photos.

    For a PHOTO, the first tags of each ranking beside each other. For a CORPUS (as in
    lablr evaluate) how right each is, the calibration judged by cross-fitting, the
    time from an encoded photo to its tags, and what it adds to the bundle.

    \b
    Examples:
      lablr compare photo.jpg
      lablr compare corpus/ --bundle my-bundle --source flickr8k
      lablr compare corpus/ --bundle my-bundle --save
    """
    use_one_blas_thread()
    if place.is_file() and place.suffix.lower() not in {".jsonl", ".csv"}:
        _compare_photo(place, k, bundle, as_json)
        return
    from lablr.bundle import Bundle, default_folder
    from lablr.corpus import Corpus
    from lablr.fitting.compare import compare_bundle, with_comparison

    folder = default_folder() if bundle is None else bundle
    model = Bundle.load(folder)
    chosen = None if split == "all" else split
    found = compare_bundle(model, Corpus.open(place), chosen, progress=progress_bar)
    if as_json:
        for one in found:
            emit(True, one.to_dict())
    else:
        click.echo(_table(found, source))
    if save:
        with_comparison(model, found).save(folder)
        print_message(f"figures kept in {shown(str(folder))}")


def _compare_photo(photo: Path, k: int, bundle: Path | None, as_json: bool) -> None:
    from lablr.photos import FOLDER_LIMITS
    from lablr.ranking.tagger import Tagger

    tagger = Tagger.load(bundle, FOLDER_LIMITS)
    images = tagger.read(photo)[None]
    described = tagger.encode(images)
    for name in tagger.rankings:
        (answer,) = tagger.rank(described, k, name, images=images)
        tags = "  ".join(f"{tag.tag} {tag.probability:.0%}" for tag in answer.tags)
        record = {"photo": str(photo), **answer.to_dict()}
        emit(as_json, record, f"{answer.ranking:12} {tags}")


def _table(found: list[Compared], source: str | None) -> str:
    """Lay out a line a ranking and source, columns aligned."""
    names = [report.source for report in found[0].reports]
    shown_sources = names if source is None else [source]
    if source is not None and source not in names:
        raise click.BadParameter(f"{source!r} is none of {', '.join(names)}")
    width = max(map(len, [*shown_sources, "source"]))
    head = "  ".join(COLUMNS.values())
    lines = [f"{'source':{width}}  {'ranking':12}  {head}      ms     MB"]
    for name in shown_sources:
        for one in found:
            report = next(own for own in one.reports if own.source == name)
            figures = figures_of(report, COLUMNS)
            cost = f"{one.rank_ms:6.2f}  {one.n_bytes / 1e6:5.2f}"
            lines.append(f"{name:{width}}  {one.ranking:12}  {figures}  {cost}")
    return "\n".join(lines)
