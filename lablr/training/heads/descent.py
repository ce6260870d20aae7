"""Dense layers by gradient descent: one loop for every loss.

Each epoch draws its randomness from (seed, epoch) alone, and nothing depends on what
ran before, so a configuration gives the same numbers whenever it is trained on the
same machine.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lablr.errors import TrainingError
from lablr.ranking.methods.layers import Layers
from lablr.system.progress import Progress
from lablr.training.heads.inputs import HeadPhotos
from lablr.training.heads.objectives import Objective
from lablr.training.heads.settings import HeadConfig

History = list[dict[str, float]]
Batch = tuple[Tensor, Tensor, Tensor]

# Changes the inputs, tags and weights of a batch before the head sees them.
Mix = Callable[[Batch, np.random.Generator], Batch]


# Dropout after a hidden layer; that of the inputs is a setting.
HIDDEN_DROPOUT = 0.5


def descend(
    objective: Objective,
    photos: HeadPhotos,
    config: HeadConfig,
    seed: int,
    *,
    mix: Mix | None = None,
    doubt: float = 0.0,
    progress: Progress,
    label: str,
) -> tuple[Layers, History]:
    """Find layers that minimize `objective` over the training photos, and their losses.

    The inputs are standardized on the way, which the layers contain. Of all epochs
    the one with the least validation loss is kept, in the `objective` as well. With
    `doubt`, tags that the head finds unlikely are weighed nothing, see
    `ClassifierConfig`. Raises `TrainingError` when the loss is not finite.
    """
    descent = _Descent(objective, photos, config, seed)
    best: tuple[float, Any] = (np.inf, None)
    history: History = []
    for epoch in progress(range(config.epochs), config.epochs, label):
        if doubt and epoch >= config.epochs // 2:
            descent.disbelieve(doubt)
        loss, validation = descent.epoch(epoch, mix), descent.validate()
        if not np.isfinite(validation):
            raise TrainingError("the loss is not finite: lower learning_rate")
        history.append({"loss": loss, "validation_loss": validation})
        if validation < best[0]:
            best = validation, copy.deepcopy(descent.state())
        if config.patience and _n_since_best(history) >= config.patience:
            break
    descent.restore(best[1])
    return descent.layers(), history


def _n_since_best(history: History) -> int:
    losses = [record["validation_loss"] for record in history]
    return len(losses) - 1 - int(np.argmin(losses))


class _Descent:
    """A head on its way, the photos it learns from and what drives it."""

    def __init__(
        self, objective: Objective, photos: HeadPhotos, config: HeadConfig, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self.objective = objective
        self.photos = photos
        self.config = config
        self.seed = seed
        self.evidence = photos.evidence
        self.mean, self.scale = photos.moments()
        self.net = _net(photos.n_inputs, objective, config)
        n_steps = max(len(photos.train_rows) // config.batch_size, 1) * config.epochs
        self.optimizer = _optimizer(self.net, objective, config)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, config.learning_rate, total_steps=n_steps
        )

    def epoch(self, number: int, mix: Mix | None) -> float:
        """Pass once over the training photos; returns the mean loss."""
        generator = np.random.default_rng((self.seed, number))
        torch.manual_seed(int(generator.integers(2**63)))
        self.net.train()
        losses = []
        for rows in self._batches(generator):
            views = generator.integers(0, self.photos.views.shape[1], len(rows))
            batch = self._batch(rows, views)
            x, tags, weights = mix(batch, generator) if mix else batch
            outputs = self.net(F.dropout(x, self.config.dropout))
            loss = self.objective(outputs, tags, weights)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            losses.append(loss.item())
        return float(np.mean(losses))

    def _batches(self, generator: np.random.Generator) -> Iterator[Any]:
        rows = generator.permutation(self.photos.train_rows)
        n_batches = max(len(rows) // self.config.batch_size, 1)
        yield from np.array_split(rows[: n_batches * self.config.batch_size], n_batches)

    def _batch(self, rows: Any, views: Any) -> Batch:
        seen = self.photos.views[rows, views]
        return (
            torch.from_numpy((seen - self.mean) / self.scale),
            torch.from_numpy(self.photos.membership[rows].astype(np.float32)),
            torch.from_numpy(self.evidence[rows]),
        )

    @torch.no_grad()
    def validate(self) -> float:
        """Return mean loss over the validation photos, as they are."""
        self.net.eval()
        rows = self.photos.validation_rows
        total = 0.0
        for part in np.array_split(rows, -(-len(rows) // self.config.batch_size)):
            x, tags, weights = self._batch(part, np.zeros(len(part), np.int64))
            total += len(part) * self.objective(self.net(x), tags, weights).item()
        return total / len(rows)

    @torch.no_grad()
    def disbelieve(self, doubt: float) -> None:
        """Weigh nothing what the head gives a chance below `doubt`."""
        self.net.eval()
        rows = self.photos.train_rows
        evidence = self.photos.evidence.copy()
        for part in np.array_split(rows, -(-len(rows) // self.config.batch_size)):
            x, tags, _ = self._batch(part, np.zeros(len(part), np.int64))
            chance = torch.sigmoid(self.net(x))
            of_what_is_said = torch.where(tags > 0, chance, 1 - chance).numpy()
            evidence[part] *= of_what_is_said >= doubt
        self.evidence = evidence

    def state(self) -> Any:
        """Return everything that is learned."""
        return self.net.state_dict(), self.objective.state_dict()

    def restore(self, state: Any) -> None:
        """Take back what `state` gave."""
        self.net.load_state_dict(state[0])
        self.objective.load_state_dict(state[1])

    def layers(self) -> Layers:
        """Return the head as it serves: without dropout, its standardization inside."""
        dense = [module for module in self.net if isinstance(module, nn.Linear)]
        weights = [module.weight.detach().numpy().T.astype(float) for module in dense]
        biases = [module.bias.detach().numpy().astype(float) for module in dense]
        weights[0] = weights[0] / self.scale[:, None]
        biases[0] = biases[0] - self.mean @ weights[0]
        return Layers(tuple(weights), tuple(biases))


def _net(n_inputs: int, objective: Objective, config: HeadConfig) -> nn.Sequential:
    """Stack dense layers of which the last begins at the objective's bias."""
    last = nn.Linear(config.hidden or n_inputs, objective.n_outputs)
    hidden: list[nn.Module] = []
    if config.hidden:
        first = nn.Linear(n_inputs, config.hidden)
        hidden = [first, nn.ReLU(), nn.Dropout(HIDDEN_DROPOUT)]
    with torch.no_grad():
        last.bias.copy_(objective.first_bias)
        if objective.starts_at_bias:
            last.weight.zero_()
    return nn.Sequential(*hidden, last)


def _optimizer(
    net: nn.Module, objective: Objective, config: HeadConfig
) -> torch.optim.Optimizer:
    """Make an AdamW that decays matrices, and neither shifts nor points."""
    decaying = [own for own in net.parameters() if own.dim() > 1]
    others = [own for own in net.parameters() if own.dim() <= 1]
    groups = [
        {"params": decaying, "weight_decay": config.weight_decay},
        {"params": [*others, *objective.parameters()], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, config.learning_rate)
