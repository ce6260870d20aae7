"""Runs of every kind that the training tests share, and how two are compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from training_makers import make_corpus

from lablr.corpus import Corpus
from lablr.training.train import TrainingConfig, train
from lablr.training.vae import VAEConfig

LITE = {
    "backbone": "efficientnet-lite0",
    "image_size": 64,
    "n_latent": 16,
    "reconstruction_size": 16,
}
QUICK = {"epochs": 3, "batch_size": 6, "warmup_steps": 2, "average_decay": 0.5}
QUICK |= {"beta_warmup_epochs": 0.0, "patience": 0, "min_crop": 0.7}

VAES = {
    "seed": VAEConfig.seed(),
    "scratch": VAEConfig.scratch(tag_weight=1.0),
    "frozen": VAEConfig(**LITE, n_frozen=-1),
    "fine-tuned": VAEConfig(**LITE, n_frozen=8),
}
CONFIGS = {
    "seed": TrainingConfig(**QUICK, optimizer="rmsprop", learning_rate=1e-3),
    "scratch": TrainingConfig(**QUICK, learning_rate=1e-3),
    "frozen": TrainingConfig(**QUICK),
    "fine-tuned": TrainingConfig(**QUICK, train_size=48),
}
KINDS = list(VAES)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def finished(corpus, cache, tmp_path_factory):
    """The folder of a run of a kind that nobody stopped; trained once."""
    folders: dict[str, Path] = {}

    def run(kind: str) -> Path:
        if kind not in folders:
            folders[kind] = tmp_path_factory.mktemp("runs") / kind
            train(corpus, folders[kind], VAES[kind], CONFIGS[kind], cache_folder=cache)
        return folders[kind]

    return run


def history_of(folder: Path) -> list[dict[str, float]]:
    return json.loads((folder / "history.json").read_text())


def checkpoint_of(folder: Path) -> dict:
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def assert_equal_runs(found: Path, expected: Path) -> None:
    """The same losses in every epoch and the same weights, to 1e-6."""
    for record, wanted in zip(history_of(found), history_of(expected), strict=True):
        assert record == pytest.approx(wanted, rel=1e-6)
    found_weights, weights = checkpoint_of(found), checkpoint_of(expected)
    for part in ("model", "average"):
        for name, wanted in weights[part].items():
            torch.testing.assert_close(
                found_weights[part][name], wanted, rtol=1e-6, atol=1e-6
            )
