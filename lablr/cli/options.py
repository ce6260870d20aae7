"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

__all__ = [
    "FOLDER",
    "METHODS",
    "RANKINGS",
    "accepted_option",
    "bundle_option",
    "corpus_argument",
    "database_option",
    "json_option",
    "k_option",
    "language_option",
    "model_option",
    "named_database_option",
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
# that --help need not load NumPy; a test holds them equal.
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

FOLDER = click.Path(path_type=Path, file_okay=False)


def named_database_option(*names: str, metavar: str, text: str) -> Decorator:
    """Return an option for the database, the one of LABLR_DATABASE by default."""
    return click.option(
        *names,
        metavar=metavar,
        envvar="LABLR_DATABASE",
        show_envvar=True,
        default="judgements.sqlite",
        show_default=True,
        help=text,
    )


database_option = named_database_option(
    "--database",
    metavar="URL",
    text="An SQLite file, or postgresql://USER@HOST/NAME.",
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
    type=FOLDER,
    metavar="FOLDER",
    envvar="LABLR_STATE",
    show_envvar=True,
    help="Where Lablr keeps its journals.  [default: ~/.local/state/lablr]",
)


def k_option(default: int, text: str) -> Decorator:
    """Return ``-k``, a number of tags or photos of which 0 means all."""
    return click.option(
        "-k",
        type=click.IntRange(min=0),
        default=default,
        show_default=True,
        help=text,
    )


def undo_option(text: str) -> Decorator:
    """Return ``--undo [RUN]``: "" is the last run, None where it is absent."""
    return click.option(
        "--undo", "undone", is_flag=False, flag_value="", metavar="[RUN]", help=text
    )
