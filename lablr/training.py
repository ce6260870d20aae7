"""Training a VAE: epochs, checkpoints, resume, early stopping, export.

A run is a folder::

    run/config.json      the two configurations, the tags, the corpus digest
        checkpoint.pt    everything needed to go on after the last whole epoch
        history.json     the losses of every epoch
        encoder.onnx     the encoder with the averaged weights
        encoder.json     what `lablr fit` must know about it
        loss.png         curves; reconstructions.png photos and their decodings
        cache/           decoded photos (and features); may be deleted

Each epoch draws its randomness from (seed, epoch) alone, so a run that was
stopped and resumed equals one that was not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lablr.backbones import SideBySide
from lablr.corpus import Corpus
from lablr.errors import TrainingError
from lablr.machine import available_threads, keep_freed_memory
from lablr.progress import Progress, silent
from lablr.run_folder import (
    check_description,
    checkpoint_digest,
    claim,
    locked,
    read_checkpoint,
)
from lablr.training_run import History, Run, TrainingConfig, first_line, kept_epoch
from lablr.training_set import FeatureBatches, ImageBatches, TrainingSet
from lablr.vae import VAE, Losses, VAEConfig

__all__ = ["Run", "TrainingConfig", "kept_epoch", "train"]

Batches = ImageBatches | FeatureBatches


def train(
    corpus: Corpus,
    folder: Path,
    vae: VAEConfig,
    config: TrainingConfig,
    *,
    start: Sequence[Path] = (),
    resume: bool = False,
    cache: Path | None = None,
    progress: Progress = silent,
) -> History:
    """Train a VAE on `corpus` into the run `folder` and return its history.

    `start` is another run, of the same networks, whose averaged weights this one
    begins with; or, for backbones side by side, one run of each. Heads trained on a
    frozen backbone make a good start for fine-tuning: random ones would first spoil
    the pretrained features (Kumar et al., "Fine-tuning can distort pretrained
    features", ICLR 2022).

    With `resume` an existing run goes on after its last whole epoch; its
    configuration must be the same. `cache` (default: inside the folder) keeps
    decoded photos and may be shared between runs.

    Raises `TrainingError` when the folder holds another run or is in use, the corpus
    lacks training or validation photos, or the disk is full; `MissingExtra` when the
    backbone's package is not installed.
    """
    keep_freed_memory()
    torch.set_num_threads(available_threads())
    description = _describe(vae, config, corpus, start)
    folder.mkdir(parents=True, exist_ok=True)
    busy = f"another process is training in {folder}"
    with locked(folder / ".training", busy, wait=False):
        check_description(folder, description, resume)
        model = _new_model(vae, config, len(description["tags"]), start)
        cache = cache or folder / "cache"
        photos = TrainingSet.prepare(
            corpus, vae.image_size, config.unknown_weight, cache, progress
        )
        batches = _batches(photos, model, config, cache, progress)
        n_steps = len(batches.rows(True, np.random.default_rng(0)))
        run = Run(folder, config, model, photos.tags, n_steps)
        if resume and (folder / "checkpoint.pt").exists():
            run.load()
        claim(folder, description)
        while not run.done:
            run.end_epoch(_run_epoch(run, batches, progress))
        _finish(run, batches)
    return run.history


def _describe(
    vae: VAEConfig, config: TrainingConfig, corpus: Corpus, start: Sequence[Path]
) -> dict[str, Any]:
    """What makes two runs the same run."""
    tags = sorted({tag for photo in corpus.photos() for tag in photo.tags})
    if vae.tag_weight and not tags:
        raise TrainingError("no photo of the corpus has a tag: set tag_weight to 0")
    description = {
        "vae": vae.to_dict(),
        "training": config.to_dict(),
        "tags": tags,
        "corpus_digest": corpus.digest,
    }
    if start:
        description["start"] = [checkpoint_digest(run) for run in start]
    return description


def _new_model(
    vae: VAEConfig, config: TrainingConfig, n_tags: int, start: Sequence[Path]
) -> VAE:
    """A model before its first step, with the averaged weights of `start` if given."""
    torch.manual_seed(config.seed)
    model = VAE(vae, n_tags)
    model.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if start:
        _take_weights(model, start)
    return model


def _take_weights(model: VAE, start: Sequence[Path]) -> None:
    """Give `model` all weights of one run, or each backbone those of its run."""
    parts: Sequence[tuple[nn.Module, str]] = [(model, "")]
    if len(start) > 1:
        encoder = model.encoder
        backbones = encoder.backbones if isinstance(encoder, SideBySide) else [encoder]
        if len(backbones) != len(start):
            raise TrainingError(
                f"{len(start)} runs to start from, but {len(backbones)} backbones: "
                "join as many backbones with +"
            )
        parts = [(backbone, "encoder.") for backbone in backbones]
    for (part, prefix), run in zip(parts, start, strict=True):
        average = read_checkpoint(run)["average"]
        weights = {
            name.removeprefix(prefix): weight
            for name, weight in average.items()
            if name.startswith(prefix)
        }
        try:
            part.load_state_dict(weights)
        except RuntimeError as error:
            message = f"{run} has other networks: {first_line(error)}"
            raise TrainingError(message) from error


def _batches(
    photos: TrainingSet,
    model: VAE,
    config: TrainingConfig,
    cache: Path,
    progress: Progress,
) -> Batches:
    """Features when nothing of a pretrained backbone learns, else images."""
    vae = model.config
    size = vae.reconstruction_size
    if vae.pretrained and not any(p.requires_grad for p in model.encoder.parameters()):
        return FeatureBatches(photos, config.batch_size, size, model, cache, progress)
    train_size = config.train_size or vae.image_size
    if not vae.pretrained and train_size != vae.image_size:
        raise TrainingError(
            f"the {vae.backbone} encoder learns from {vae.image_size} px images, not "
            f"{train_size}: leave train_size out"
        )
    if not vae.pretrained and min(config.batch_size, len(photos.train_rows)) < 2:
        raise TrainingError(
            f"the {vae.backbone} encoder normalizes over a batch: it needs two "
            "training photos and a batch_size of 2 or more"
        )
    return ImageBatches(photos, config.batch_size, size, train_size, config.min_crop)


def _run_epoch(run: Run, batches: Batches, progress: Progress) -> dict[str, float]:
    """Mean losses of a pass over the training photos, and over those of validation."""
    epoch = run.epoch + 1
    torch.manual_seed(run.config.seed * 1_000_003 + epoch)
    generator = np.random.default_rng((run.config.seed, epoch))
    label = f"epoch {epoch} of {run.config.epochs}"
    run.model.train()
    training = []
    for batch in progress(batches.epoch(True, generator), run.n_steps_an_epoch, label):
        posterior = batch.posterior(run.model)
        losses = run.model.negative_elbo(
            posterior, batch.pixels, batch.tags, batch.tag_weights, run.beta()
        )
        if not torch.isfinite(losses.objective):
            raise TrainingError(
                f"the objective is {losses.objective.item()} in epoch {epoch}: "
                "lower the learning rate"
            )
        run.step(losses)
        training.append([loss.item() for loss in losses])
    names = Losses._fields
    record = dict(zip(names, np.mean(training, axis=0).tolist(), strict=True))
    validation = _validate(run.average, batches, progress)
    return record | {f"validation_{name}": value for name, value in validation.items()}


@torch.no_grad()
def _validate(model: VAE, batches: Batches, progress: Progress) -> dict[str, float]:
    """Mean losses over the validation photos, the same noise every time."""
    torch.manual_seed(0)
    totals = np.zeros(len(Losses._fields))
    n_photos = 0
    n_batches = len(batches.rows(False, np.random.default_rng(0)))
    passed = batches.epoch(False, np.random.default_rng(0))
    for batch in progress(passed, n_batches, "validation"):
        posterior = batch.posterior(model)
        losses = model.negative_elbo(
            posterior, batch.pixels, batch.tags, batch.tag_weights, model.config.beta
        )
        totals += len(batch.tags) * np.array([loss.item() for loss in losses])
        n_photos += len(batch.tags)
    return dict(zip(Losses._fields, (totals / n_photos).tolist(), strict=True))


def _finish(run: Run, batches: Batches) -> None:
    """Export the encoder and draw what was learned."""
    from lablr.training_export import draw_losses, draw_reconstructions, export_encoder

    export_encoder(run.average, run.folder)
    draw_losses(run.history, run.folder / "loss.png")
    batch = next(batches.epoch(False, np.random.default_rng(0)))
    if run.model.config.pixel_weight:
        draw_reconstructions(run.average, batch, run.folder / "reconstructions.png")
