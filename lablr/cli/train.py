"""``lablr train``: a VAE from tagged photos, or a head on finished encoders."""

from __future__ import annotations

import dataclasses
import logging
import os
from pathlib import Path
from typing import Any

import click

from lablr.cli.messages import print_message, shown
from lablr.cli.options import corpus_argument, out_option, path_option, table_options
from lablr.cli.report import progress_bar
from lablr.cli.train_methods import (
    CONSE,
    HEAD_OPTIONS,
    METHODS,
    make_conse_command,
    refuse_useless,
    train_head_command,
)
from lablr.errors import CorpusError, MissingExtra
from lablr.system.progress import silent

# lablr.training.run.PRECISIONS, written again so that --help need not load PyTorch; a
# test holds the two equal.
PRECISIONS = ("auto", "float32", "bfloat16", "float16")

# Left out, an option takes the default of the configuration it belongs to, which
# depends on the backbone; the help of each says what that is.
VAE_OPTIONS = (
    ("image_size", int, "Side of the encoder's input, in pixels."),
    ("n_latent", int, "Numbers in a latent."),
    ("n_frozen", int, "Pretrained stages that do not learn, from the input; -1: all."),
    ("pixel_weight", float, "Weight of the pixels' reconstruction."),
    ("feature_weight", float, "Weight of the features' reconstruction."),
    ("beta", float, "Weight of the KL divergence."),
    ("tag_weight", float, "Weight of the tag head (lambda); 0: a plain VAE."),
)
TRAINING_OPTIONS = (
    ("epochs", int, "Passes over the training photos."),
    ("batch_size", int, "Photos a step."),
    ("train_size", int, "Side of a training crop, in pixels; 0: as in serving."),
    ("learning_rate", float, "Of heads and decoder."),
    ("backbone_learning_rate", float, "Of pretrained stages that learn."),
    ("average_decay", float, "Of the running average of the weights that is kept."),
    ("optimizer", click.Choice(["adamw", "rmsprop"]), "How the weights descend."),
    ("patience", int, "Epochs without improvement before stopping; 0: never."),
    ("unknown_weight", float, "Evidence of a tag that its photo's source never uses."),
    ("seed", int, "Of everything random."),
    (
        "precision",
        click.Choice(PRECISIONS),
        "What layers compute with; auto: float32 on a CPU, and 16 bits on a GPU.",
    ),
)


@click.command("train")
@corpus_argument
@out_option("RUN", "The folder of the run.")
@click.option(
    "--method",
    type=click.Choice(["vae", *METHODS, CONSE]),
    default="vae",
    help="What to train: an encoder, or a head on what encoders say of the photos.",
)
@click.option(
    "--backbone",
    default="efficientnet-lite2",
    help="seed, scratch, efficientnet-lite0|1|2 or a torchvision classifier.",
)
@path_option(
    "--start",
    metavar="RUN",
    help="Start from the weights of another run of the same backbone.",
)
@click.option("--resume", is_flag=True, help="Go on where the run stopped.")
@click.option(
    "--tags",
    metavar="A,B,C|@FILE",
    help="Train on photos with at least one of these tags, and on no other tags; "
    "@FILE names one tag a line.",
)
@click.option(
    "--cache",
    type=click.Choice(["disk", "memory"]),
    default="disk",
    help="Read decoded photos a batch at a time, so that memory does not grow with "
    "the corpus, or all of them at the start.",
)
@path_option(
    "--cache-folder",
    metavar="FOLDER",
    help="Where decoded photos are kept; runs may share it.  [default: RUN/cache]",
)
@click.option(
    "--device",
    default="auto",
    help="cpu, cuda or another of PyTorch's; auto: a GPU where there is one.",
)
@table_options(VAE_OPTIONS + TRAINING_OPTIONS)
@path_option(
    "--encoder",
    "encoders",
    multiple=True,
    metavar="RUN",
    help="A finished run or a bundle that a head learns from; several stand side"
    " by side, as in lablr fit.",
)
@path_option(
    "--vectors",
    metavar="FILE",
    help="Word vectors as GloVe's, instead of the text model (semantic).",
)
@table_options(HEAD_OPTIONS)
@click.pass_context
def train_command(
    context: click.Context,
    /,
    corpus: Path,
    out: Path,
    method: str,
    backbone: str,
    start: Path | None,
    resume: bool,
    tags: str | None,
    cache: str,
    cache_folder: Path | None,
    device: str,
    encoders: tuple[Path, ...],
    vectors: Path | None,
    **options: Any,
) -> None:
    """Train a convolutional VAE on the tagged photos of CORPUS, or a head on one.

    CORPUS is a folder with photos.jsonl or photos.csv, such a file, or a folder of
    one folder per tag. RUN gets the encoder (encoder.onnx), a checkpoint after every
    epoch, the losses and pictures of both. Ctrl-C keeps the last checkpoint.

    With --method classifier, triplet or semantic a head learns from what finished
    encoders say of the photos (--encoder), or an ImageNet backbone as it is
    (--backbone). That takes seconds once the photos are encoded; RUN is whole or not
    there. Its figures on the validation photos are printed. --method conse learns
    nothing: it knows tags by the names of ImageNet's classes.

    \b
    Examples:
      lablr train corpus/ --out heads --frozen -1 --epochs 20 --batch-size 128
      lablr train corpus/ --out run --start heads --epochs 8
      lablr train corpus/ --out run --start heads --epochs 8 --resume
      lablr train corpus/ --out plain --backbone scratch --tag-weight 0
      lablr train corpus/ --out few --tags sunset,beach,snow
      torchrun --nproc-per-node 2 -m lablr train corpus/ --out run
      lablr train corpus/ --method classifier --encoder run --out head
      lablr train corpus/ --method triplet --backbone mobilenet_v2 --out near
      lablr train corpus/ --method semantic --encoder run --hold-out 20 --out said
      lablr train corpus/ --method conse --backbone efficientnet-lite0 --out zero
    """
    try:
        from lablr.training.train import TrainingConfig, kept_epoch, train
        from lablr.training.vae import VAEConfig
    except ModuleNotFoundError as error:
        raise MissingExtra("train", "train a model") from error
    from lablr.corpus import Corpus

    refuse_useless(context, method)
    records = Corpus.open(corpus)
    if tags is not None:
        records = records.of_tags(_tags_of(tags))
    if method == CONSE:
        make_conse_command(records, out, backbone)
        return
    if method != "vae":
        train_head_command(
            records, out, method, encoders, backbone, vectors, cache_folder, options
        )
        return
    if not _is_leader():
        logging.getLogger("lablr").setLevel(logging.ERROR)
    given = {name: value for name, value in options.items() if value is not None}
    vae_given = {name: given.pop(name) for name, *_ in VAE_OPTIONS if name in given}
    recipe = {"seed": VAEConfig.seed, "scratch": VAEConfig.scratch}
    make = recipe.get(backbone) or (lambda **kw: VAEConfig(backbone=backbone, **kw))
    config = dataclasses.replace(TrainingConfig(), **given)
    history = train(
        records,
        out,
        make(**vae_given),
        config,
        start=start,
        resume=resume,
        cache=cache,
        cache_folder=cache_folder,
        device=device,
        progress=progress_bar if _is_leader() else silent,
    )
    if not _is_leader():
        return
    kept = kept_epoch(history, config)
    epochs = f"{len(history)} epochs"
    if kept < len(history):
        epochs = f"stopped early after {epochs}, epoch {kept} is kept"
    objective = history[kept - 1]["validation_objective"]
    print_message(f"{epochs}; validation objective {objective:.3f}")
    print_message(f"encoder in {shown(str(out / 'encoder.onnx'))}")


def _is_leader() -> bool:
    """Tell whether this process speaks for all that torchrun has started."""
    return os.environ.get("RANK", "0") == "0"


def _tags_of(text: str) -> list[str]:
    """Return the tags of ``a,b,c``, or of the lines of ``@FILE``."""
    if not text.startswith("@"):
        return [tag for tag in text.split(",") if tag.strip()]
    try:
        lines = Path(text[1:]).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise CorpusError(f"{text[1:]} is not a text file (UTF-8)") from error
    return [line for line in lines if line.strip()]
