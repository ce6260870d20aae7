"""``lablr train --method``: a head on what finished encoders say of photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lablr.cli.messages import print_message, shown
from lablr.cli.report import progress_bar

if TYPE_CHECKING:
    from lablr.corpus import Corpus
    from lablr.training.heads.run import HeadRun

# Beside "vae": the keys of lablr.training.heads.settings.CONFIGS, written again so that
# --help need not load PyTorch; a test holds the two equal.
METHODS = ("classifier", "triplet", "semantic")
# Looks at the photo itself, by the names of ImageNet's classes; learns nothing.
CONSE = "conse"

# Left out, an option takes the default of the method's configuration.
HEAD_OPTIONS: tuple[tuple[str, Any, str], ...] = (
    ("inputs", click.Choice(["latents", "features"]), "What a head learns from."),
    ("views", int, "Random views of a photo, beside it and its mirror image."),
    ("loss", str, "cross-entropy or asymmetric; ridge, cosine or rank (semantic)."),
    ("hidden", int, "Units of a hidden layer; 0: a linear head."),
    ("dropout", float, "Share of the inputs hidden in a step."),
    ("weight_decay", float, "Pull of the weights toward 0."),
    ("heads", int, "Heads of which the mean is kept (classifier)."),
    ("mixup", float, "How much photos are mixed (classifier); 0: not."),
    ("label_smoothing", float, "Share of a target that is the frequency (classifier)."),
    ("doubt", float, "Probability under which a tag is not believed (classifier)."),
    ("dimensions", int, "Of the space of photos and tags (triplet)."),
    ("margin", float, "Between tags that fit and others (triplet, semantic)."),
    ("prompt", str, "What is embedded for a tag, {} (semantic)."),
    ("ridge", float, "Penalty of --loss ridge, as a share of the photos (semantic)."),
    ("text_ridge", float, "The same on the texts' side, in tags (semantic)."),
    ("hold_out", int, "Tags kept out of training, to see their ranks (semantic)."),
)

# What every method takes, beside the settings of its configuration.
COMMON = {"corpus", "out", "method", "tags", "cache_folder"}
OF_A_BACKBONE = {"backbone", "image_size", "n_latent"}


def refuse_useless(context: click.Context, method: str) -> None:
    """Raise UsageError for an option that was given and is of no use."""
    useful = _useful(method, bool(context.params["encoders"]))
    for parameter in context.command.params:
        source = context.get_parameter_source(str(parameter.name))
        given = source is not None and source.name in {"COMMANDLINE", "ENVIRONMENT"}
        if given and not useful(str(parameter.name)):
            beside = " and --encoder" if parameter.name in OF_A_BACKBONE else ""
            raise click.UsageError(
                f"{parameter.opts[0]} is of no use with --method {method}{beside}",
                context,
            )


def _useful(method: str, has_encoders: bool) -> Any:
    """Return a function of an option's name: does `method` use it?"""
    own = {name for name, *_ in HEAD_OPTIONS} | {"encoders", "vectors"}
    if method == "vae":
        return lambda name: name not in own
    if method == CONSE:
        return lambda name: name in {"corpus", "out", "method", "tags", "backbone"}
    import dataclasses

    from lablr.training.heads.settings import CONFIGS

    settings = {field.name for field in dataclasses.fields(CONFIGS[method])}
    useful = COMMON | settings | ({"encoders"} if has_encoders else OF_A_BACKBONE)
    if method == "semantic":
        useful |= {"vectors"}
    return lambda name: name in useful


def make_conse_command(corpus: Corpus, out: Path, backbone: str) -> None:
    """Make ConSE of the corpus's tags and say where it is."""
    from lablr.training.conse import write_conse_run

    conse = write_conse_run(corpus, out, backbone)
    print_message(f"conse of {len(conse.tags)} tags in {shown(str(out))}")


def train_head_command(
    corpus: Corpus,
    out: Path,
    method: str,
    encoders: Sequence[Path],
    backbone: str,
    vectors: Path | None,
    cache_folder: Path | None,
    options: dict[str, Any],
) -> None:
    """Train a head, print its figures and say where it is."""
    from lablr.training.heads.frozen import Frozen
    from lablr.training.heads.run import train_head
    from lablr.training.heads.settings import CONFIGS

    given = {name: value for name, value in options.items() if value is not None}
    sizes = {
        name: given.pop(name) for name in ("image_size", "n_latent") if name in given
    }
    run = train_head(
        corpus,
        out,
        CONFIGS[method](**given),
        encoders=encoders,
        frozen=None if encoders else Frozen(backbone, **sizes),
        vectors=vectors,
        cache_folder=cache_folder,
        progress=progress_bar,
    )
    _print(run)
    print_message(
        f"{method} of {len(run.learned.method.tags)} tags in {shown(str(out))}"
    )


def _print(run: HeadRun) -> None:
    """Print the table of figures on standard output."""
    from lablr.training.heads.judging import table

    rows = table(run.figures)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        numbers = zip(others, widths[1:], strict=True)
        cells = [
            first.ljust(widths[0]),
            *(cell.rjust(width) for cell, width in numbers),
        ]
        click.echo("  ".join(cells))
    if run.unseen is not None:
        click.echo(
            f"{len(run.unseen.tags)} tags never seen: median rank "
            f"{run.unseen.median_rank:g} of {run.unseen.n_tags}, in "
            f"{len(run.unseen.ranks)} places"
        )
