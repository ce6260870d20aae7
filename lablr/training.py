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

import copy
import dataclasses
import hashlib
import json
import math
import os
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lablr.corpus import Corpus
from lablr.errors import TrainingError
from lablr.machine import available_threads, keep_freed_memory
from lablr.progress import Progress, silent
from lablr.training_set import FeatureBatches, ImageBatches, TrainingSet
from lablr.vae import VAE, Losses, VAEConfig

__all__ = ["Run", "TrainingConfig", "train"]

Batches = ImageBatches | FeatureBatches
History = list[dict[str, float]]


@dataclass(frozen=True)
class TrainingConfig:
    """How a VAE is trained.

    Parameters
    ----------
    epochs : passes over the training photos.
    batch_size : photos a step.
    train_size : side of a training crop in pixels; smaller than the serving size
        is quicker and generalizes better, since random crops show things larger
        than they are (Touvron et al., "Fixing the train-test resolution
        discrepancy", 2019). 0 means the serving size.
    min_crop : smallest share of a photo's area that a random crop keeps.
    learning_rate : of the heads and the decoder.
    backbone_learning_rate : of pretrained stages.
    optimizer : ``"adamw"``, or ``"rmsprop"`` as the seed.
    warmup_steps : steps until the full learning rate; a cosine follows.
    beta_warmup_epochs : epochs over which beta grows from 0 to its full weight.
    average_decay : of the running average of the weights, which is what is kept.
    patience : epochs without a better validation objective before stopping; 0
        never stops early.
    unknown_weight : evidence of a missing tag where its source never uses it.
    """

    epochs: int = 8
    batch_size: int = 48
    train_size: int = 0
    min_crop: float = 0.35
    learning_rate: float = 2e-3
    backbone_learning_rate: float = 1e-4
    optimizer: str = "adamw"
    weight_decay: float = 0.02
    warmup_steps: int = 200
    beta_warmup_epochs: float = 1.0
    average_decay: float = 0.998
    gradient_clip: float = 5.0
    patience: int = 4
    unknown_weight: float = 0.1
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a JSON file beside the weights."""
        return dataclasses.asdict(self)


@dataclass
class Run:
    """A run in progress: the model, its running average and what drives them."""

    folder: Path
    config: TrainingConfig
    model: VAE
    tags: tuple[str, ...]
    n_steps_an_epoch: int
    history: History = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self.average = copy.deepcopy(self.model).eval()
        self.optimizer = _optimizer(self.model, self.config)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, self._rate_factor
        )
        self.n_steps = 0

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return len(self.history)

    def _rate_factor(self, step: int) -> float:
        """Linear warm-up, then half a cosine down to zero at the last epoch."""
        total = max(self.config.epochs * self.n_steps_an_epoch, 1)
        warm = min((step + 1) / max(self.config.warmup_steps, 1), 1.0)
        return min(warm, 0.5 * (1 + math.cos(math.pi * min(step / total, 1.0))))

    def beta(self) -> float:
        """The weight of the KL divergence at this step."""
        warm_steps = self.config.beta_warmup_epochs * self.n_steps_an_epoch
        warm = min(self.n_steps / warm_steps, 1.0) if warm_steps else 1.0
        return warm * self.model.config.beta

    def step(self, losses: Losses) -> None:
        """Descend along the gradient of the objective once."""
        self.optimizer.zero_grad()
        losses.objective.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_clip)
        self.optimizer.step()
        self.scheduler.step()
        self.n_steps += 1
        self._update_average()

    @torch.no_grad()
    def _update_average(self) -> None:
        """Exponential moving average of the weights, shorter while it is young."""
        young = (1 + self.n_steps) / (10 + self.n_steps)
        decay = min(self.config.average_decay, young)
        weights = zip(self.average.parameters(), self.model.parameters(), strict=True)
        for kept, new in weights:
            if new.requires_grad:
                kept.lerp_(new, 1 - decay)
        buffers = zip(self.average.buffers(), self.model.buffers(), strict=True)
        for kept_buffer, new_buffer in buffers:
            kept_buffer.copy_(new_buffer)

    def save(self) -> None:
        """Write the checkpoint and the history, each whole or not at all."""
        checkpoint = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "n_steps": self.n_steps,
            "history": self.history,
        }
        _write_whole(self.folder / "checkpoint.pt", lambda f: torch.save(checkpoint, f))
        _write_json(self.folder / "history.json", self.history)

    def load(self) -> None:
        """Go back to the last checkpoint of the folder.

        Raises `TrainingError` when it does not fit the configuration.
        """
        checkpoint = _read_checkpoint(self.folder)
        try:
            self.model.load_state_dict(checkpoint["model"])
            self.average.load_state_dict(checkpoint["average"])
            self.optimizer.load_state_dict(checkpoint["optimizer"])
            self.scheduler.load_state_dict(checkpoint["scheduler"])
        except (RuntimeError, KeyError, ValueError) as error:
            raise TrainingError(f"cannot resume {self.folder}: {error}") from error
        self.n_steps = checkpoint["n_steps"]
        self.history = checkpoint["history"]


def train(
    corpus: Corpus,
    folder: Path,
    vae: VAEConfig,
    config: TrainingConfig,
    *,
    start: Path | None = None,
    resume: bool = False,
    cache: Path | None = None,
    progress: Progress = silent,
) -> History:
    """Train a VAE on `corpus` into the run `folder` and return its history.

    `start` is another run, of the same networks, whose averaged weights this one
    begins with. Heads trained on a frozen backbone make a good start for
    fine-tuning: random ones would first spoil the pretrained features (Kumar et
    al., "Fine-tuning can distort pretrained features", ICLR 2022).

    With `resume` an existing run goes on after its last whole epoch; its
    configuration must be the same. `cache` (default: inside the folder) keeps
    decoded photos and may be shared between runs.

    Raises `TrainingError` when the folder holds another run, or the corpus lacks
    training or validation photos.
    """
    keep_freed_memory()
    torch.set_num_threads(available_threads())
    folder.mkdir(parents=True, exist_ok=True)
    cache = cache or folder / "cache"
    photos = TrainingSet.prepare(
        corpus, vae.image_size, config.unknown_weight, cache, progress
    )
    description = _describe(vae, config, photos, corpus)
    if start:
        description["start"] = _digest(start / "checkpoint.pt")
    _claim(folder, description, resume)
    torch.manual_seed(config.seed)
    model = VAE(vae, len(photos.tags))
    model.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if start:
        try:
            model.load_state_dict(_read_checkpoint(start)["average"])
        except RuntimeError as error:
            raise TrainingError(f"{start} has other networks: {error}") from error
    batches = _batches(photos, model, config, cache, progress)
    n_steps = len(batches.rows(True, np.random.default_rng(0)))
    run = Run(folder, config, model, photos.tags, n_steps)
    if resume and (folder / "checkpoint.pt").exists():
        run.load()
    while run.epoch < config.epochs and not _stopped_early(run):
        _run_epoch(run, batches, progress)
        run.save()
    _finish(run, batches)
    return run.history


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
    return ImageBatches(photos, config.batch_size, size, train_size, config.min_crop)


def _run_epoch(run: Run, batches: Batches, progress: Progress) -> None:
    """One pass over the training photos, then one over the validation photos."""
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
    validation = _validate(run.average, batches)
    record |= {f"validation_{name}": value for name, value in validation.items()}
    run.history.append(record)


@torch.no_grad()
def _validate(model: VAE, batches: Batches) -> dict[str, float]:
    """Mean losses over the validation photos, the same noise every time."""
    torch.manual_seed(0)
    totals = np.zeros(len(Losses._fields))
    n_photos = 0
    for batch in batches.epoch(False, np.random.default_rng(0)):
        posterior = batch.posterior(model)
        losses = model.negative_elbo(
            posterior, batch.pixels, batch.tags, batch.tag_weights, model.config.beta
        )
        totals += len(batch.tags) * np.array([loss.item() for loss in losses])
        n_photos += len(batch.tags)
    return dict(zip(Losses._fields, (totals / n_photos).tolist(), strict=True))


def _stopped_early(run: Run) -> bool:
    """Whether the validation objective has not improved for `patience` epochs."""
    objectives = [record["validation_objective"] for record in run.history]
    if not run.config.patience or not objectives:
        return False
    return len(objectives) - 1 - int(np.argmin(objectives)) >= run.config.patience


def _optimizer(model: VAE, config: TrainingConfig) -> torch.optim.Optimizer:
    """AdamW (or the seed's RMSprop) with a rate of its own for pretrained stages."""
    backbone: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            pretrained = model.config.pretrained and name.startswith("encoder.")
            (backbone if pretrained else others).append(parameter)
    groups = [
        {"params": backbone, "lr": config.backbone_learning_rate},
        {"params": others, "lr": config.learning_rate},
    ]
    groups = [group for group in groups if group["params"]]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, weight_decay=config.weight_decay)
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups)
    raise TrainingError(
        f"no optimizer is called {config.optimizer!r}: use adamw or rmsprop"
    )


def _read_checkpoint(folder: Path) -> dict[str, Any]:
    path = folder / "checkpoint.pt"
    try:
        checkpoint: dict[str, Any] = torch.load(path, weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{path} is no checkpoint: {error}") from error
    return checkpoint


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise TrainingError(f"there is no run to start from: {error}") from error


def _describe(
    vae: VAEConfig, config: TrainingConfig, photos: TrainingSet, corpus: Corpus
) -> dict[str, Any]:
    return {
        "vae": vae.to_dict(),
        "training": config.to_dict(),
        "tags": list(photos.tags),
        "corpus_digest": corpus.digest,
    }


def _claim(folder: Path, description: dict[str, Any], resume: bool) -> None:
    """Make the folder this run's, or check that it is."""
    path = folder / "config.json"
    if not path.exists():
        _write_json(path, description)
    elif not resume:
        raise TrainingError(f"{folder} holds a run: resume it or choose another folder")
    elif json.loads(path.read_text()) != description:
        raise TrainingError(
            f"{path} describes another run: give the same options and corpus to resume"
        )


def _finish(run: Run, batches: Batches) -> None:
    """Export the encoder and draw what was learned."""
    from lablr.training_export import draw_losses, draw_reconstructions, export_encoder

    export_encoder(run.average, run.folder)
    draw_losses(run.history, run.folder / "loss.png")
    batch = next(batches.epoch(False, np.random.default_rng(0)))
    if run.model.config.pixel_weight:
        draw_reconstructions(run.average, batch, run.folder / "reconstructions.png")


def _write_json(path: Path, content: Any) -> None:
    text = json.dumps(content, indent=1) + "\n"
    _write_whole(path, lambda file: file.write(text.encode()))


def _write_whole(path: Path, write: Callable[[Any], Any]) -> None:
    """Write a file whole or not at all: temporary file, fsync, rename."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            write(file)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink()
            raise
