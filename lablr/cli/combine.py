"""``lablr combine``: other methods beside the Gaussians of a bundle."""

from __future__ import annotations

from pathlib import Path

import click

from lablr.cli.messages import print_message
from lablr.cli.options import (
    bundle_option,
    corpus_argument,
    model_card_option,
    out_option,
    path_option,
    precision_option,
)
from lablr.cli.report import progress_bar


@click.command("combine")
@corpus_argument
@path_option(
    "--method",
    "runs",
    multiple=True,
    metavar="RUN",
    help="A run of 'lablr train --method'; may be given several times.",
)
@out_option("BUNDLE", "The folder of the bundle; it may be the one that is read.")
@precision_option("each threshold")
@model_card_option
@bundle_option
def combine_command(
    corpus: Path,
    runs: tuple[Path, ...],
    out: Path,
    precision: float,
    model_card: Path | None,
    bundle: Path | None,
) -> None:
    """Put other methods into a bundle, beside its Gaussians.

    Each --method is calibrated on the validation photos of CORPUS. The nearest
    training photos are a method that needs no run, and the blend weighs the
    Gaussians and the others. Methods that the bundle had are replaced.

    \b
    Examples:
      lablr combine corpus/ --bundle my-bundle --out my-bundle
      lablr combine corpus/ --bundle my-bundle --method classifier -o better-bundle
      lablr compare corpus/ --bundle better-bundle
    """
    from dataclasses import replace

    from lablr.bundle import Bundle
    from lablr.corpus import Corpus
    from lablr.fitting.methods import MethodRun, combine
    from lablr.ranking.ranker import Ranker

    combined = combine(
        Bundle.load(bundle),
        Corpus.open(corpus),
        [MethodRun.read(run) for run in runs],
        precision=precision,
        progress=progress_bar,
    )
    if model_card:
        combined = replace(combined, model_card=model_card.read_text("utf-8"))
    combined.save(out)
    print_message(f"rankings in {out}: {', '.join(Ranker(combined).rankings)}")
