"""``lablr fit``: a bundle from an encoder and tagged photos."""

from __future__ import annotations

from pathlib import Path

import click

from lablr.cli.messages import print_message
from lablr.cli.options import (
    chosen_engine,
    corpus_argument,
    engine_options,
    model_card_option,
    out_option,
    path_option,
    precision_option,
)
from lablr.cli.report import progress_bar


@click.command("fit")
@corpus_argument
@path_option(
    "--encoder",
    "encoders",
    required=True,
    multiple=True,
    metavar="RUN",
    help="A training run, or a bundle whose encoder to use again; given several"
    " times, their latents stand side by side, every second one's of mirror images.",
)
@out_option("BUNDLE", "The folder of the bundle.")
@click.option(
    "--shrinkage",
    type=click.FloatRange(min=0, min_open=True),
    help="Photos at which a tag's own covariance and the tied one weigh the same."
    "  [default: the best on validation]",
)
@click.option(
    "--ridge",
    type=click.FloatRange(min=0, min_open=True),
    default=0.01,
    show_default=False,
)
@click.option(
    "--unknown-weight",
    type=click.FloatRange(0, 1),
    default=0.1,
    help="Evidence of a missing tag where its source never uses it.",
)
@click.option(
    "--mirror/--no-mirror",
    default=True,
    show_default=False,
    help="Count mirror images too.",
)
@precision_option("the threshold")
@click.option(
    "--quantize",
    is_flag=True,
    help="Turn the encoder into 8-bit integers first, which halves its time.",
)
@click.option(
    "--seed", default=0, show_default=False, help="Picks the photos on the map."
)
@model_card_option
@engine_options
def fit_command(
    corpus: Path,
    encoders: tuple[Path, ...],
    out: Path,
    model_card: Path | None,
    engine: str,
    ray_address: str | None,
    **options: object,
) -> None:
    """Fit a Gaussian per tag to the photos of CORPUS and write a bundle.

    The Gaussians see the training photos, the calibration sees those for
    validation. Needs no PyTorch; --quantize and several encoders need the package
    onnx, which is in the extra "train". With --engine ray every machine of the cluster
    reads CORPUS at the same path.

    \b
    Examples:
      lablr fit corpus/ --encoder run --out my-bundle
      lablr fit corpus/ --encoder run --encoder second-run --out better-bundle
      lablr fit corpus/ --encoder run --quantize --out quicker-bundle
      lablr fit corpus/ --encoder my-bundle --out other --shrinkage 100
      lablr fit /shared/corpus --encoder run -o big --engine ray --ray-address head:6379
      lablr serve --bundle my-bundle
    """
    from lablr.corpus import Corpus
    from lablr.encoders.ensemble import joined
    from lablr.encoders.source import read_encoder, read_provenance
    from lablr.fitting.fit import FitConfig, fit

    model, preprocessing = joined([read_encoder(run) for run in encoders])
    bundle = fit(
        Corpus.open(corpus),
        model,
        preprocessing,
        FitConfig(**options),  # type: ignore[arg-type]
        model_card=model_card.read_text("utf-8") if model_card else "",
        provenance=read_provenance(encoders),
        engine=chosen_engine(engine, ray_address),
        progress=progress_bar,
    )
    bundle.save(out)
    shrinkage, threshold = bundle.settings["shrinkage"], bundle.settings["threshold"]
    print_message(
        f"{len(bundle.tags)} tags in {out}; shrinkage {shrinkage:g}, "
        f"threshold {threshold:.2f}"
    )
