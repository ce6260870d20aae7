"""Runs that start from the weights of others."""

from __future__ import annotations

import pytest
import torch
from training_makers import (
    one_core,  # noqa: F401
)
from training_runs import (
    CONFIGS,
    QUICK,
    VAES,
    cache,  # noqa: F401
    checkpoint_of,
    corpus,  # noqa: F401
    finished,  # noqa: F401
)

from lablr.errors import TrainingError
from lablr.training.train import TrainingConfig, train


def test_a_run_starts_from_averaged_weights(corpus, cache, finished, tmp_path):
    still = {"learning_rate": 0.0, "backbone_learning_rate": 0.0}
    config = TrainingConfig(**{**QUICK, "epochs": 1}, **still)
    heads = finished("frozen")
    train(corpus, tmp_path, VAES["fine-tuned"], config, start=heads, cache_folder=cache)
    started, given = checkpoint_of(tmp_path), checkpoint_of(heads)
    assert not given["average"]["mean_head.weight"].equal(
        given["model"]["mean_head.weight"]
    )
    for name in ("mean_head.weight", "tag_head.bias", "feature_decoder.weight"):
        assert started["model"][name].equal(given["average"][name])
        torch.testing.assert_close(started["average"][name], given["average"][name])


def test_the_start_belongs_to_the_run(corpus, cache, finished, tmp_path):
    vae, config = VAES["frozen"], CONFIGS["frozen"]
    train(corpus, tmp_path, vae, config, start=finished("frozen"), cache_folder=cache)
    with pytest.raises(TrainingError, match="another start"):
        train(corpus, tmp_path, vae, config, cache_folder=cache, resume=True)


def test_a_start_of_other_networks_is_refused(corpus, cache, finished, tmp_path):
    with pytest.raises(TrainingError, match="has other networks: ") as error:
        train(
            corpus,
            tmp_path,
            VAES["frozen"],
            CONFIGS["frozen"],
            start=finished("scratch"),
            cache_folder=cache,
        )
    assert "\n" not in str(error.value)


def test_a_start_that_is_not_there_is_refused(corpus, cache, tmp_path):
    with pytest.raises(
        TrainingError, match=r"no run to start from in .*nowhere: No such"
    ):
        train(
            corpus,
            tmp_path / "run",
            VAES["frozen"],
            CONFIGS["frozen"],
            start=tmp_path / "nowhere",
            cache_folder=cache,
        )
    assert not (tmp_path / "run").exists()
