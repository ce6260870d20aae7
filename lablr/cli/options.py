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
    "credentials_option",
    "database_option",
    "dry_run_option",
    "from_environment",
    "json_option",
    "k_option",
    "language_option",
    "model_card_option",
    "model_option",
    "out_option",
    "path_option",
    "precision_option",
    "ranking_option",
    "reach_option",
    "rejected_option",
    "runs_option",
    "split_option",
    "state_option",
    "undo_option",
    "vocabulary_option",
]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

# lablr.ranking.ranker.RANKINGS and the methods that a bundle may hold, written again so
# that --help need not load NumPy; a test holds them equal.
RANKINGS = ("calibrated", "likelihood", "mahalanobis")
METHODS = ("blend", "classifier", "triplet", "semantic", "neighbours", "conse")

# --- kinds of options


def from_environment(variable: str, *names: str, **options: Any) -> Decorator:
    """Return an option that an environment variable sets, too."""
    return click.option(*names, envvar=variable, show_envvar=True, **options)


def path_option(
    *names: str, is_folder: bool | None = None, **options: Any
) -> Decorator:
    """Return an option of a path, which may have to be a folder or a file."""
    kind = click.Path(
        path_type=Path, file_okay=not is_folder, dir_okay=is_folder is not False
    )
    return click.option(*names, type=kind, **options)


def out_option(metavar: str, text: str, **options: Any) -> Decorator:
    """Return ``--out``, where the command writes."""
    return path_option(
        "--out", "-o", **{"required": True, **options}, metavar=metavar, help=text
    )


def share_option(flag: str, text: str, **options: Any) -> Decorator:
    """Return an option of a number from 0 to 1."""
    kind = click.FloatRange(0, 1)
    return click.option(flag, type=kind, show_default=True, help=text, **options)


def k_option(default: int, text: str) -> Decorator:
    """Return ``-k``, how many; 0 means all."""
    kind = click.IntRange(min=0)
    return click.option("-k", type=kind, default=default, show_default=True, help=text)


def split_option(text: str) -> Decorator:
    """Return ``--split``, which photos of a corpus are taken."""
    text = f"{text}; 'all' takes every photo."
    return click.option("--split", default="val", show_default=True, help=text)


def precision_option(text: str) -> Decorator:
    """Return ``--precision``, by which a threshold is set."""
    text = f"Share of suggested tags that should be right; sets {text}."
    return share_option("--precision", text, default=0.8)


def dry_run_option(text: str) -> Decorator:
    """Return ``--dry-run``."""
    return click.option("--dry-run", is_flag=True, help=text)


def undo_option(text: str) -> Decorator:
    """Return ``--undo [RUN]``: "" is the last run, None where it is absent."""
    return click.option(
        "--undo", "undone", is_flag=False, flag_value="", metavar="[RUN]", help=text
    )


# --- options that are everywhere the same

corpus_argument = click.argument("corpus", type=click.Path(path_type=Path))

bundle_option = from_environment(
    "LABLR_BUNDLE",
    "--bundle",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="The model to use, instead of the one that came with Lablr.",
)

database_option = from_environment(
    "LABLR_DATABASE",
    "--database",
    metavar="URL",
    default="judgements.sqlite",
    show_default=True,
    help="An SQLite file, or postgresql://USER@HOST/NAME.",
)

state_option = from_environment(
    "LABLR_STATE",
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where Lablr keeps its journals.  [default: ~/.local/state/lablr]",
)

vocabulary_option = from_environment(
    "LABLR_VOCABULARY",
    "--vocabulary",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Your own words for tags, a .csv or .json file (docs/vocabulary.md).",
)

language_option = from_environment(
    "LABLR_LANGUAGE",
    "--language",
    metavar="CODE",
    default="en",
    show_default=True,
    help="Show tags in a language: de, en, es, fa, fr, or one of your own file.",
)

model_option = click.option(
    "--model",
    metavar="DIGEST",
    help="The model whose predictions were judged, by the beginning of its digest."
    "  [default: the one stored last]",
)

model_card_option = click.option(
    "--model-card",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A Markdown file that tells people about the model.",
)

ranking_option = click.option(
    "--ranking",
    type=click.Choice(RANKINGS + METHODS),
    default=RANKINGS[0],
    show_default=True,
    help="Order tags by the Gaussians' probability, log-likelihood ratio or distance, "
    "or by another method of the model.",
)

accepted_option = click.option(
    "--accepted",
    default="",
    metavar="TAG,TAG",
    help="Tags that were accepted or typed; the others are ranked again by what goes"
    " together.",
)

rejected_option = click.option(
    "--rejected", default="", metavar="TAG,TAG", help="Tags that were rejected."
)

reach_option = share_option(
    "--reach",
    "From 0, the most fitting tags first, to 1, also by how much a tag is seen.",
    default=0.0,
)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for a program to read."
)

runs_option = click.option(
    "--runs", "lists_runs", is_flag=True, help="List what can be undone."
)

credentials_option = path_option(
    "--credentials",
    metavar="FILE",
    help="The API key and secret, in a file of mode 600.",
)
