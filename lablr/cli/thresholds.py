"""``lablr thresholds``: the probability from which a tag is worth suggesting."""

from __future__ import annotations

from pathlib import Path

import click

from lablr.cli.messages import print_message, shown
from lablr.cli.options import database_option, json_option, model_option, path_option
from lablr.cli.report import emit
from lablr.cli.results import effect_lines


@click.command("thresholds")
@database_option
@model_option
@click.option(
    "--precision",
    type=click.FloatRange(0, 1, min_open=True),
    help="Recommend the lowest threshold at which this share of the tags is right.",
)
@click.option(
    "--youden",
    is_flag=True,
    help="Recommend the threshold with the largest true minus false positive rate.",
)
@path_option(
    "--apply",
    "bundle",
    is_folder=True,
    metavar="BUNDLE",
    help="Write the threshold into this bundle, whose predictions were judged.",
)
@json_option
def thresholds_command(
    database: str,
    model: str | None,
    precision: float | None,
    youden: bool,
    bundle: Path | None,
    as_json: bool,
) -> None:
    """Recommend a threshold from people's judgements, and write it to a bundle.

    Without --apply nothing is changed. A bundle gets the threshold as a whole or not
    at all, and only from judgements of its own predictions; a server that serves it
    takes it within seconds.

    \b
    Examples:
      lablr thresholds --precision 0.9
      lablr thresholds --database judgements.sqlite --youden --apply my-bundle
    """
    if youden == (precision is not None):
        raise click.UsageError("give one of --precision and --youden")
    from lablr.annotation import open_database
    from lablr.bundle import Bundle

    with open_database(database, create=False) as opened:
        # Imported only here: without the extra, open_database says what is missing.
        from lablr.annotation.results import results_of
        from lablr.annotation.thresholds import apply_threshold, judged_digest

        if bundle is not None and model is None:
            model = judged_digest(Bundle.load(bundle))
        results = results_of(opened, model)
    threshold = results.threshold(precision)
    effect = results.curves.at(threshold)
    rule = "youden" if precision is None else f"precision {precision:g}"
    if bundle is not None:
        apply_threshold(bundle, results, threshold, rule)
    applied = None if bundle is None else str(bundle)
    record = {"rule": rule, "applied": applied, **effect.to_dict()}
    emit(as_json, record, *effect_lines(effect))
    if bundle is not None:
        print_message(f"threshold {threshold:.4f} ({rule}) in {shown(str(bundle))}")
