"""A training run in progress: its configuration, its state, its checkpoint.

What a run keeps is a running average of its weights: that of the last epoch, or
of the best one on validation when the run was stopped early.
"""

from __future__ import annotations

import copy
import dataclasses
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lablr.errors import TrainingError
from lablr.training.batches import Batch
from lablr.training.config import Config, number, word
from lablr.training.distributed import Processes
from lablr.training.run_folder import read_checkpoint, write_checkpoint, write_json
from lablr.training.vae import VAE, Losses

History = list[dict[str, float]]

# What a checkpoint holds the state of.
PARTS = ("model", "average", "optimizer", "scaler")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class TrainingConfig(Config):
    """Settings of the training of a VAE.

    Parameters
    ----------
    epochs : passes over the training photos.
    batch_size : photos a step, of all processes together.
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
    precision : of the numbers that layers compute with; weights, sums and losses are
        always float32 (Micikevicius et al., "Mixed precision training", ICLR 2018).
        ``"auto"`` is float32 on a CPU, and on a GPU bfloat16, or float16 where it
        has no bfloat16.

    Raises `TrainingError` when a number makes no sense.
    """

    epochs: int = number(8, 1, 100_000)
    batch_size: int = number(48, 1, 65_536)
    train_size: int = number(0, 0, 1024)
    min_crop: float = number(0.35, 0.01, 1)
    learning_rate: float = number(2e-3, 0, 10)
    backbone_learning_rate: float = number(1e-4, 0, 10)
    optimizer: str = word("adamw", "rmsprop")
    weight_decay: float = number(0.02, 0, 10)
    warmup_steps: int = number(200, 0, 1e9)
    beta_warmup_epochs: float = number(1.0, 0, 1e5)
    average_decay: float = number(0.99, 0, 1)
    gradient_clip: float = number(5.0, 1e-6, 1e9)
    patience: int = number(4, 0, 100_000)
    unknown_weight: float = number(0.1, 0, 1)
    seed: int = number(0, 0, 2**32 - 1)
    precision: str = word(*PRECISIONS)


@dataclass
class TrainingRun:
    """A run in progress: the model, its running average and what drives them."""

    folder: Path
    config: TrainingConfig
    model: VAE
    tags: tuple[str, ...]
    n_steps_an_epoch: int
    processes: Processes = dataclasses.field(default_factory=Processes)
    history: History = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self.average = copy.deepcopy(self.model).eval()
        self.optimizer = _optimizer(self.model, self.config)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.dtype = _dtype(self.config.precision, self.processes.device)
        # Small gradients would be zero in half precision.
        self.scaler = torch.amp.GradScaler(
            self.processes.device.type, enabled=self.dtype is torch.float16
        )
        self.n_steps = 0
        # The averaged weights of the best epoch so far, when they may be needed.
        self.best: dict[str, Tensor] | None = None

    @property
    def epoch(self) -> int:
        """Return how many epochs are done."""
        return len(self.history)

    @property
    def done(self) -> bool:
        """Tell whether every epoch is done, or validation has stopped improving."""
        return self.epoch >= self.config.epochs or _stopped_early(
            self.history, self.config
        )

    def end_epoch(self, record: dict[str, float]) -> None:
        """Enter the losses of an epoch into the history, and write the checkpoint."""
        self.history.append(record)
        if self.config.patience and _best_epoch(self.history) == self.epoch:
            weights = self.average.state_dict()
            self.best = {name: kept.clone() for name, kept in weights.items()}
        if self.best and _stopped_early(self.history, self.config):
            self.average.load_state_dict(self.best)
        self.save()

    def _rate_factor(self, step: int) -> float:
        """Return the rate's factor: linear warm-up, then half a cosine to zero."""
        total = max(self.config.epochs * self.n_steps_an_epoch, 1)
        warm = min((step + 1) / max(self.config.warmup_steps, 1), 1.0)
        return min(warm, 0.5 * (1 + math.cos(math.pi * min(step / total, 1.0))))

    def beta(self) -> float:
        """Return the weight of the KL divergence at this step."""
        warm_steps = self.config.beta_warmup_epochs * self.n_steps_an_epoch
        warm = min(self.n_steps / warm_steps, 1.0) if warm_steps else 1.0
        return warm * self.model.config.beta

    def losses(self, model: VAE, batch: Batch, beta: float) -> Losses:
        """Return the objective of this process's part of a batch, and its parts."""
        kind, is_mixed = self.processes.device.type, self.dtype is not torch.float32
        autocast = torch.autocast(kind, self.dtype, enabled=is_mixed)
        with self.processes.drawing(batch.n_photos, batch.seed), autocast:
            posterior, told = batch.posterior(model), (batch.tags, batch.tag_weights)
            return model.negative_elbo(posterior, batch.pixels, *told, beta)

    def step(self, batch: Batch) -> list[float]:
        """Descend along the gradient of the whole batch's objective once.

        Returns the batch's losses. Raises `TrainingError` when the objective is no
        number any more.
        """
        losses = self.losses(self.model, batch, self.beta())
        self.optimizer.zero_grad()
        self.scaler.scale(losses.objective * batch.share).backward()
        whole = torch.stack(losses).detach() * batch.share
        gradients = (weight.grad for weight in self.model.parameters())
        self.processes.sum([*(g for g in gradients if g is not None), whole])
        if not torch.isfinite(whole[0]):
            raise TrainingError(
                f"the objective is {whole[0].item()} in epoch {self.epoch + 1}: "
                "lower the learning rate"
            )
        self._descend()
        self.n_steps += 1
        self._update_average()
        numbers: list[float] = whole.tolist()
        return numbers

    def _descend(self) -> None:
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_clip)
        factor = self._rate_factor(self.n_steps)
        groups = self.optimizer.param_groups
        for group, rate in zip(groups, self.rates, strict=True):
            group["lr"] = rate * factor
        self.scaler.step(self.optimizer)
        self.scaler.update()

    @torch.no_grad()
    def _update_average(self) -> None:
        """Average the weights, over fewer steps while the run is young."""
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
        """Write the checkpoint and the history, each whole or not at all.

        Only the leader of several processes writes.
        """
        if self.processes.leader:
            write_checkpoint(self.folder, self._state())
            write_json(self.folder / "history.json", self.history)

    def _state(self) -> dict[str, Any]:
        stepped = {"n_steps": self.n_steps, "history": self.history, "best": self.best}
        return {part: getattr(self, part).state_dict() for part in PARTS} | stepped

    def load(self) -> None:
        """Go back to the last checkpoint of the folder.

        Raises `TrainingError` when it does not fit the configuration.
        """
        self._take(read_checkpoint(self.folder))

    def share(self) -> None:
        """Give every process the leader's state."""
        if self.processes.count == 1:
            return

        def packed() -> bytes:
            buffer = io.BytesIO()
            torch.save(self._state(), buffer)
            return buffer.getvalue()

        state = io.BytesIO(self.processes.share(packed))
        self._take(torch.load(state, map_location="cpu", weights_only=True))

    def _take(self, state: dict[str, Any]) -> None:
        try:
            for part in PARTS:
                getattr(self, part).load_state_dict(state[part])
        except (RuntimeError, KeyError, ValueError) as error:
            reason = first_line(error)
            raise TrainingError(f"cannot resume {self.folder}: {reason}") from error
        self.n_steps = state["n_steps"]
        self.history = state["history"]
        self.best = state.get("best")


def _best_epoch(history: History) -> int:
    """Return the epoch of the least validation objective, the first one being 1."""
    return int(np.argmin([record["validation_objective"] for record in history])) + 1


def _stopped_early(history: History, config: TrainingConfig) -> bool:
    """Tell whether validation did not improve for `patience` epochs before the last."""
    if not config.patience or not 0 < len(history) < config.epochs:
        return False
    return len(history) - _best_epoch(history) >= config.patience


def kept_epoch(history: History, config: TrainingConfig) -> int:
    """Return the epoch whose averaged weights a finished run keeps, counted from 1."""
    if _stopped_early(history, config):
        return _best_epoch(history)
    return len(history)


def _dtype(precision: str, device: torch.device) -> torch.dtype:
    """Return what layers compute with on `device`."""
    if precision != "auto":
        dtype: torch.dtype = getattr(torch, precision)
        return dtype
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def _optimizer(model: VAE, config: TrainingConfig) -> torch.optim.Optimizer:
    """Make an AdamW or the seed's RMSprop, pretrained stages at their own rate."""
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
    return torch.optim.RMSprop(groups)


def first_line(error: Exception) -> str:
    """Return what `load_state_dict` found first, of the many things it lists."""
    _, _, details = str(error).partition("\n")
    return (details or str(error)).strip().partition("\n")[0]
