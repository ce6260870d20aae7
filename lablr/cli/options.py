"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = [
    "RANKINGS",
    "accepted_option",
    "bundle_option",
    "corpus_argument",
    "database_option",
    "json_option",
    "model_option",
    "ranking_option",
    "reach_option",
    "rejected_option",
]

# lablr.tagger.RANKINGS, written again so that --help need not load NumPy; a test
# holds the two equal.
RANKINGS = ("calibrated", "likelihood", "mahalanobis")

bundle_option = click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    envvar="LABLR_BUNDLE",
    show_envvar=True,
    help="The model to use, instead of the one that came with Lablr.",
)

database_option = click.option(
    "--database",
    metavar="URL",
    envvar="LABLR_DATABASE",
    show_envvar=True,
    default="judgements.sqlite",
    show_default=True,
    help="An SQLite file, or postgresql://USER@HOST/NAME.",
)

model_option = click.option(
    "--model",
    metavar="DIGEST",
    help="The model whose predictions were judged, by the beginning of its digest."
    "  [default: the one stored last]",
)

ranking_option = click.option(
    "--ranking",
    type=click.Choice(RANKINGS),
    default=RANKINGS[0],
    show_default=True,
    help="Order tags by probability, by log-likelihood ratio or by distance.",
)

accepted_option = click.option(
    "--accepted",
    default="",
    metavar="TAG,TAG",
    help="Tags that were accepted or typed; the others are ranked again by what goes"
    " together.",
)

rejected_option = click.option(
    "--rejected",
    default="",
    metavar="TAG,TAG",
    help="Tags that were rejected.",
)

reach_option = click.option(
    "--reach",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="From 0, the most fitting tags first, to 1, also by how much a tag is seen.",
)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for a program to read."
)

corpus_argument = click.argument("corpus", type=click.Path(path_type=Path))
