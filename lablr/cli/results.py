"""``lablr results``: figures of a model from people's judgements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lablr.cli.messages import print_message
from lablr.cli.options import database_option, json_option, model_option
from lablr.cli.report import emit, figure

if TYPE_CHECKING:
    from lablr.annotation.curves import AtThreshold, Share
    from lablr.annotation.results import Results, TagRow


@click.command("results")
@database_option
@model_option
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    help="Show what this threshold would accept and reject.",
)
@json_option
def results_command(
    database: str, model: str | None, threshold: float | None, as_json: bool
) -> None:
    """Show accuracy, agreement and curves of a model whose tags were judged.

    Intervals are 95 % (Wilson). Where raters disagree the majority counts, and ties are
    left out. Agreement is Cohen's kappa, the mean over
    the pairs of raters where there are several.

    \b
    Examples:
      lablr results --database judgements.sqlite
      lablr results --threshold 0.6 --json
    """
    from lablr.annotation import open_database

    with open_database(database, create=False) as opened:
        # Imported only here: without the extra, open_database says what is missing.
        from lablr.annotation.results import HOW_TO_JUDGE, results_of

        results = results_of(opened, model)
    effect = None if threshold is None else results.curves.at(threshold)
    if not (results.n_ratings or as_json):
        print_message(f"nobody has judged these predictions; {HOW_TO_JUDGE}")
        return
    record, lines = results.to_dict(), _summary(results)
    if effect is not None:
        record["at_threshold"] = effect.to_dict()
        lines += ["", *effect_lines(effect)]
    emit(as_json, record, *lines, *_tag_table(results.tags))


def _summary(results: Results) -> list[str]:
    kappa, n_pairs = results.agreement.kappa, len(results.agreement.pairs)
    curves, n_judged = results.curves, len(results.curves.right)
    return [
        f"model          {results.name} ({results.model[:12]})",
        f"ratings        {results.n_ratings}"
        + (f", raters split on {n} photos" if (n := results.n_split_photos) else ""),
        f"top 1 right    {_share(results.top_1)}",
        f"top k right    {_share(results.top_k)}",
        f"agreement      {figure(kappa, 5)}  kappa, pairs of raters: {n_pairs}",
        f"ROC AUC        {figure(curves.roc_auc, 5)}  of {n_judged} judged tags",
        f"average prec.  {figure(curves.average_precision, 5)}",
    ]


def effect_lines(effect: AtThreshold) -> list[str]:
    """Return the lines on the effect of a threshold."""
    n_accepted = effect.accepted_right + effect.accepted_wrong
    n_rejected = effect.rejected_right + effect.rejected_wrong
    return [
        f"threshold      {effect.threshold:.4f}",
        f"accepts        {n_accepted} judged tags, {effect.accepted_right} right",
        f"rejects        {n_rejected} judged tags, {effect.rejected_wrong} wrong",
        f"precision      {figure(effect.precision, 5)}",
        f"recall         {figure(effect.recall, 5)}",
    ]


def _tag_table(rows: tuple[TagRow, ...]) -> list[str]:
    if not rows:
        return []
    width = max(3, *(len(row.tag) for row in rows))
    lines = ["", f"{'tag':{width}}  judged  right  95 % interval  mean p  typed"]
    for row in rows:
        low, high = row.right.interval
        lines.append(
            f"{row.tag:{width}}  {row.right.n:6}  {figure(row.right.share, 5)}"
            f"  {f'{low:.3f} to {high:.3f}' if row.right.n else '-':>13}"
            f"  {figure(row.mean_probability, 5):>6}  {row.n_typed:5}"
        )
    return lines


def _share(share: Share) -> str:
    low, high = share.interval
    counts = f"{share.n_right} of {share.n} photos"
    return f"{figure(share.share, 5)}  ({low:.3f} to {high:.3f}), {counts}"
