"""``lablr evaluate``: how well a model tags photos whose tags are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from lablr.cli.options import (
    bundle_option,
    corpus_argument,
    json_option,
    ranking_option,
    split_option,
)
from lablr.cli.report import emit, figure, figures_of, progress_bar

if TYPE_CHECKING:
    from lablr.fitting.metrics import Report
    from lablr.fitting.rerank_gain import RerankGain

R = TypeVar("R", "Report", "RerankGain")

# Field of a Report -> heading of its column, at least as wide as a figure: 0.123.
COLUMNS = {
    "macro_average_precision": "macro AP",
    "mean_average_precision": "image MAP",
    "precision_at_1": "  P@1",
    "precision_at_5": "  P@5",
    "recall_at_5": "  R@5",
    "recall_at_10": " R@10",
    "roc_auc": "ROC AUC",
    "calibration_error": "cal. error",
}


@click.command("evaluate")
@corpus_argument
@split_option("The photos to evaluate on")
@click.option(
    "--cross-fit",
    is_flag=True,
    help="Judge the calibration by probabilities that the other four fifths of the"
    " photos calibrated: honest on photos that the model was calibrated on.",
)
@click.option(
    "--min-photos",
    type=click.IntRange(min=0),
    default=0,
    show_default=False,
    help="Leave tags that the model knows from fewer training photos of a source out"
    " of its means over tags (macro AP, ROC AUC).",
)
@click.option(
    "--accept",
    metavar="N,N",
    help="Image MAP of each photo's other tags after so many of its own were"
    " accepted, by the photo alone and reranked by what was accepted.",
)
@ranking_option
@bundle_option
@json_option
def evaluate_command(
    corpus: Path,
    split: str,
    cross_fit: bool,
    min_photos: int,
    accept: str | None,
    ranking: str,
    bundle: Path | None,
    as_json: bool,
) -> None:
    """Compare the model's tags with the known tags of CORPUS.

    CORPUS is a folder with photos.jsonl or photos.csv, such a file, or a folder of
    one folder per tag. Every tag of the model competes for every photo. Each source
    of photos has its line, and "all" has the last.

    \b
    Examples:
      lablr evaluate corpus/
      lablr evaluate corpus/ --split val --cross-fit --json
      lablr evaluate corpus/ --min-photos 20
      lablr evaluate corpus/ --accept 0,1,2,3
      lablr evaluate corpus/ --ranking mahalanobis --bundle my-bundle/
    """
    n_accepted = None if accept is None else _numbers(accept)
    from lablr.bundle import Bundle
    from lablr.corpus import Corpus

    model, photos = Bundle.load(bundle), Corpus.open(corpus)
    part = None if split == "all" else split
    if n_accepted is not None:
        from lablr.fitting.rerank_gain import evaluate_rerank_gain

        gains = evaluate_rerank_gain(
            model, photos, n_accepted, split=part, progress=progress_bar
        )
        _show({"split": split}, gains, _accepting, as_json)
        return
    from lablr.fitting.evaluate import evaluate_bundle

    reports = evaluate_bundle(
        model,
        photos,
        split=part,
        ranking=ranking,
        cross_fit=cross_fit,
        min_photos=min_photos,
        progress=progress_bar,
    )
    _show({"split": split, "ranking": ranking}, reports, _table, as_json)


def _show(
    about: dict[str, str],
    reports: list[R],
    lines: Callable[[list[R]], list[str]],
    as_json: bool,
) -> None:
    records = [report.to_dict() for report in reports]
    emit(as_json, {**about, "reports": records}, *lines(reports))


def _numbers(text: str) -> tuple[int, ...]:
    """Parse a list of whole numbers up to 75, the most tags that Flickr allows."""
    words = text.split(",")
    if not all(w.isascii() and w.isdigit() and len(w) <= 2 for w in words):
        raise click.BadParameter(
            "expected numbers such as 0,1,2,3", param_hint="accept"
        )
    return tuple(sorted({int(word) for word in words}))


def _accepting(reports: list[RerankGain]) -> list[str]:
    """Lay the reports out with a line for each, columns aligned."""
    width = max(len("source"), *(len(report.source) for report in reports))
    lines = [f"{'source':{width}}  accepts  tags  photos   alone  listening    gain"]
    for report in reports:
        figures = f"{figure(report.alone, 6)}  {figure(report.listening, 9)}"
        lines.append(
            f"{report.source:{width}}  {report.protocol:7}  {report.n_accepted:4}  "
            f"{report.n_photos:6}  {figures}  {figure(report.gain, 6)}"
        )
    return lines


def _table(reports: list[Report]) -> list[str]:
    """Lay the reports out with one line per source, columns aligned."""
    width = max(len("source"), *(len(report.source) for report in reports))
    lines = [f"{'source':{width}}  photos  " + "  ".join(COLUMNS.values())]
    for report in reports:
        figures = figures_of(report, COLUMNS)
        lines.append(f"{report.source:{width}}  {report.n_photos:6}  {figures}")
    return lines
