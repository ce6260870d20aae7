"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

__all__ = [
    "METHODS",
    "RANKINGS",
    "accepted_option",
    "bundle_option",
    "corpus_argument",
    "database_option",
    "json_option",
    "language_option",
    "model_option",
    "ranking_option",
    "reach_option",
    "rejected_option",
    "runs_option",
    "state_option",
    "undo_option",
    "vocabulary_option",
]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

# lablr.ranking.ranker.RANKINGS and the methods that a bundle may hold, written again so
# that
# --help need not load NumPy; a test holds them equal.
RANKINGS = ("calibrated", "likelihood", "mahalanobis")
METHODS = ("blend", "classifier", "triplet", "semantic", "neighbours", "conse")

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
    type=click.Choice(RANKINGS + METHODS),
    default=RANKINGS[0],
    show_default=True,
    help="Order tags by the Gaussians' probability, log-likelihood ratio or distance, "
    "or by another method of the model.",
)

vocabulary_option = click.option(
    "--vocabulary",
    type=click.Path(path_type=Path),
    metavar="FILE",
    envvar="LABLR_VOCABULARY",
    show_envvar=True,
    help="Your own words for tags, a .csv or .json file (docs/vocabulary.md).",
)

language_option = click.option(
    "--language",
    metavar="CODE",
    envvar="LABLR_LANGUAGE",
    show_envvar=True,
    default="en",
    show_default=True,
    help="Show tags in a language: de, en, es, fa, fr, or one of your own file.",
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

runs_option = click.option(
    "--runs", "lists_runs", is_flag=True, help="List what can be undone."
)

state_option = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    envvar="LABLR_STATE",
    show_envvar=True,
    help="Where Lablr keeps its journals.  [default: ~/.local/state/lablr]",
)


def undo_option(text: str) -> Decorator:
    """``--undo [RUN]``: "" is the last run, None where it is absent."""
    return click.option(
        "--undo", "undone", is_flag=False, flag_value="", metavar="[RUN]", help=text
    )
