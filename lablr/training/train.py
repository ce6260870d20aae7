"""Training a VAE: epochs, checkpoints, resume, early stopping, export.

A run is a folder::

    run/config.json      the two configurations, the tags, the corpus digest
        checkpoint.pt    everything needed to go on after the last whole epoch
        history.json     the losses of every epoch
        encoder.onnx     the encoder with the averaged weights
        encoder.json     what `lablr fit` must know about it
        loss.png         curves; reconstructions.png photos and their decodings
        split.csv        the photos it learns from, and those it is validated on
        cache/           decoded photos (and features); may be deleted

Each epoch draws its randomness from (seed, epoch) alone, so a run that was
stopped and resumed equals one that was not. Several processes may share a run
(`lablr.training.distributed`); one of them, the leader, keeps the folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lablr.corpus import Corpus
from lablr.errors import TrainingError
from lablr.system.cpu import keep_freed_memory
from lablr.system.progress import Progress, silent
from lablr.training.array_cache import ArrayCache
from lablr.training.batches import Batches, FeatureBatches, ImageBatches
from lablr.training.dataset import TrainingSet, write_split
from lablr.training.distributed import Processes, processes, threads_of_a_process
from lablr.training.run import (
    History,
    TrainingConfig,
    TrainingRun,
    first_line,
    kept_epoch,
)
from lablr.training.run_folder import (
    check_description,
    checkpoint_digest,
    locked,
    read_checkpoint,
    write_json,
)
from lablr.training.vae import VAE, Losses, VAEConfig

__all__ = ["CACHES", "TrainingConfig", "TrainingRun", "kept_epoch", "train"]

CACHES = ("disk", "memory")


def train(
    corpus: Corpus,
    folder: Path,
    vae: VAEConfig,
    config: TrainingConfig,
    *,
    start: Path | None = None,
    resume: bool = False,
    cache: str = "disk",
    cache_folder: Path | None = None,
    device: str = "auto",
    progress: Progress = silent,
) -> History:
    """Train a VAE on `corpus` into the run `folder` and return its history.

    `start` is another run, of the same network, whose averaged weights this one
    begins with. Heads trained on a frozen backbone make a good start for fine-tuning:
    random ones would first spoil the pretrained features (Kumar et al., "Fine-tuning
    can distort pretrained features", ICLR 2022).

    With `resume` an existing run goes on after its last whole epoch; its
    configuration must be the same. `cache_folder` (default: inside the folder) keeps
    decoded photos and may be shared between runs; ``cache="disk"`` reads the photos of
    a batch from there, ``"memory"`` all of them at the start. `device` is as in
    `lablr.training.distributed.processes`.

    Raises `TrainingError` when the folder holds another run or is in use, the corpus
    lacks training or validation photos, the disk is full, there is no such device or
    another process of the run has ended; `MissingExtra` when the backbone's package
    is not installed.
    """
    if cache not in CACHES:
        raise TrainingError(f"cache is {cache!r}: give {' or '.join(CACHES)}")
    keep_freed_memory()
    description = _describe(vae, config, corpus, start)
    with (
        processes(device) as joined,
        _kept(folder, description, resume, joined) as resumed,
    ):
        torch.set_num_threads(threads_of_a_process())
        store = ArrayCache(
            cache_folder or folder / "cache", cache == "memory", progress
        )
        model = _new_model(vae, config, len(description["tags"]), start)
        batches = _prepared(corpus, model, config, joined, store)
        n_steps = len(batches.rows(True, np.random.default_rng(0)))
        run = TrainingRun(folder, config, model, batches.photos.tags, n_steps, joined)
        if resumed:
            run.load()
        run.share()
        if joined.leader:
            if not (folder / "config.json").exists():
                write_json(folder / "config.json", description)
            write_split(corpus, batches.photos.readable, folder / "split.csv")
        while not run.done:
            run.end_epoch(_run_epoch(run, batches, progress))
        if joined.leader:
            _finish(run, batches)
    return run.history


@contextmanager
def _kept(
    folder: Path, description: dict[str, Any], resume: bool, joined: Processes
) -> Iterator[bool]:
    """Let the leader hold `folder`; says whether it has a checkpoint to go on from."""
    if not joined.leader:
        yield False
        return
    folder.mkdir(parents=True, exist_ok=True)
    busy = f"another process is training in {folder}"
    with locked(folder / ".training", busy, wait=False):
        check_description(folder, description, resume)
        yield resume and (folder / "checkpoint.pt").exists()


def _describe(
    vae: VAEConfig, config: TrainingConfig, corpus: Corpus, start: Path | None
) -> dict[str, Any]:
    """Describe what makes two runs the same run."""
    tags = sorted(corpus.read().tag_counts())
    if vae.tag_weight and not tags:
        raise TrainingError("no photo of the corpus has a tag: set tag_weight to 0")
    description = {
        "vae": vae.to_dict(),
        "training": config.to_dict(),
        "tags": tags,
        "corpus_digest": corpus.digest,
    }
    if start:
        description["start"] = checkpoint_digest(start)
    return description


def _new_model(
    vae: VAEConfig, config: TrainingConfig, n_tags: int, start: Path | None
) -> VAE:
    """Make a model before its first step, or with the averaged weights of `start`."""
    torch.manual_seed(config.seed)
    model = VAE(vae, n_tags)
    model.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if start:
        averaged = read_checkpoint(start)["average"]
        try:
            model.load_state_dict(averaged)
        except RuntimeError as error:
            message = f"{start} has other networks: {first_line(error)}"
            raise TrainingError(message) from error
    return model


def _prepared(
    corpus: Corpus,
    model: VAE,
    config: TrainingConfig,
    joined: Processes,
    store: ArrayCache,
) -> Batches:
    """Decode the photos, where no other process or run has, and divide them."""
    with joined.leader_first():
        size, unknown_weight = model.config.image_size, config.unknown_weight
        photos = TrainingSet.prepare(corpus, size, unknown_weight, store)
        return _batches(photos, model.to(joined.device), config, joined, store)


def _batches(
    photos: TrainingSet,
    model: VAE,
    config: TrainingConfig,
    joined: Processes,
    store: ArrayCache,
) -> Batches:
    """Choose features when nothing of a pretrained backbone learns, else images."""
    vae = model.config
    n_photos = min(config.batch_size, len(photos.train_rows))
    if n_photos < joined.count:
        raise TrainingError(
            f"a batch of {n_photos} photos cannot be divided among {joined.count} "
            "processes: start fewer"
        )
    common = (photos, config.batch_size, vae.reconstruction_size, joined)
    if vae.pretrained and not any(p.requires_grad for p in model.encoder.parameters()):
        return FeatureBatches(*common, model, store)
    train_size = config.train_size or vae.image_size
    if not vae.pretrained and train_size != vae.image_size:
        raise TrainingError(
            f"the {vae.backbone} encoder learns from {vae.image_size} px images, not "
            f"{train_size}: leave train_size out"
        )
    if not vae.pretrained and n_photos < 2:
        raise TrainingError(
            f"the {vae.backbone} encoder normalizes over a batch: it needs two "
            "training photos and a batch_size of 2 or more"
        )
    return ImageBatches(*common, train_size, config.min_crop)


def _run_epoch(
    run: TrainingRun, batches: Batches, progress: Progress
) -> dict[str, float]:
    """Return mean losses of a pass over the training photos, and of validation."""
    epoch = run.epoch + 1
    generator = np.random.default_rng((run.config.seed, epoch))
    label = f"epoch {epoch} of {run.config.epochs}"
    run.model.train()
    passed = progress(batches.epoch(True, generator), run.n_steps_an_epoch, label)
    training = [run.step(batch) for batch in passed]
    names = Losses._fields
    record = dict(zip(names, np.mean(training, axis=0).tolist(), strict=True))
    validation = _validate(run, batches, progress)
    return record | {f"validation_{name}": value for name, value in validation.items()}


@torch.no_grad()
def _validate(
    run: TrainingRun, batches: Batches, progress: Progress
) -> dict[str, float]:
    """Return mean losses over all validation photos, the same noise every time."""
    model = run.average
    totals = torch.zeros(1 + len(Losses._fields), dtype=torch.float64)
    n_batches = len(batches.rows(False, np.random.default_rng(0)))
    passed = batches.epoch(False, np.random.default_rng(0))
    for batch in progress(passed, n_batches, "validation"):
        losses = run.losses(model, batch, model.config.beta)
        parts = [1.0, *torch.stack(losses).tolist()]
        totals += len(batch.tags) * torch.tensor(parts, dtype=torch.float64)
    run.processes.sum([totals])
    n_photos, *sums = totals.tolist()
    return {
        name: total / n_photos for name, total in zip(Losses._fields, sums, strict=True)
    }


def _finish(run: TrainingRun, batches: Batches) -> None:
    """Export the encoder and draw what was learned."""
    from lablr.training.export import draw_losses, draw_reconstructions, export_encoder

    export_encoder(run.average, run.folder)
    draw_losses(run.history, run.folder / "loss.png")
    if run.model.config.pixel_weight:
        batch = batches.validation_batch()
        draw_reconstructions(run.average, batch, run.folder / "reconstructions.png")
