"""Runs that start from the weights of others."""

from __future__ import annotations

import pytest
import torch
from training_makers import (
    one_core,  # noqa: F401
)
from training_runs import (
    CONFIGS,
    LITE,
    QUICK,
    VAES,
    cache,  # noqa: F401
    checkpoint_of,
    corpus,  # noqa: F401
    finished,  # noqa: F401
)

from lablr.errors import TrainingError
from lablr.training import TrainingConfig, train
from lablr.vae import VAEConfig


def test_a_run_starts_from_averaged_weights(corpus, cache, finished, tmp_path):
    still = {"learning_rate": 0.0, "backbone_learning_rate": 0.0}
    config = TrainingConfig(**{**QUICK, "epochs": 1}, **still)
    heads = finished("frozen")
    train(
        corpus, tmp_path, VAES["fine-tuned"], config, start=[heads], cache_folder=cache
    )
    started, given = checkpoint_of(tmp_path), checkpoint_of(heads)
    assert not given["average"]["mean_head.weight"].equal(
        given["model"]["mean_head.weight"]
    )
    for name in ("mean_head.weight", "tag_head.bias", "feature_decoder.weight"):
        assert started["model"][name].equal(given["average"][name])
        torch.testing.assert_close(started["average"][name], given["average"][name])


PAIR = {**LITE, "backbone": "efficientnet-lite0+efficientnet-lite0", "n_frozen": -1}


def test_backbones_side_by_side_start_from_a_run_each(
    corpus, cache, finished, tmp_path
):
    runs = [finished("fine-tuned"), finished("frozen")]
    config = CONFIGS["frozen"]
    train(corpus, tmp_path, VAEConfig(**PAIR), config, start=runs, cache_folder=cache)
    weights = checkpoint_of(tmp_path)["average"]
    for number, run in enumerate(runs):
        given = checkpoint_of(run)["average"]
        own = {name for name in given if name.startswith("encoder.")}
        assert own
        for name in own:
            joined = name.replace("encoder.", f"encoder.backbones.{number}.")
            assert weights[joined].equal(given[name])
    assert weights["mean_head.weight"].shape == (16, 2560)


@pytest.mark.parametrize("backbone", ["frozen", "pair"])
def test_as_many_runs_as_backbones_are_needed(
    corpus, cache, finished, tmp_path, backbone
):
    vae = VAES["frozen"] if backbone == "frozen" else VAEConfig(**PAIR)
    runs = [finished("frozen")] * 3
    with pytest.raises(TrainingError, match=r"3 runs to start from, but \d backbone"):
        train(corpus, tmp_path, vae, CONFIGS["frozen"], start=runs, cache_folder=cache)


def test_the_start_belongs_to_the_run(corpus, cache, finished, tmp_path):
    vae, config = VAES["frozen"], CONFIGS["frozen"]
    train(corpus, tmp_path, vae, config, start=[finished("frozen")], cache_folder=cache)
    with pytest.raises(TrainingError, match="another start"):
        train(corpus, tmp_path, vae, config, cache_folder=cache, resume=True)


def test_a_start_of_other_networks_is_refused(corpus, cache, finished, tmp_path):
    with pytest.raises(TrainingError, match="has other networks: ") as error:
        train(
            corpus,
            tmp_path,
            VAES["frozen"],
            CONFIGS["frozen"],
            start=[finished("scratch")],
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
            start=[tmp_path / "nowhere"],
            cache_folder=cache,
        )
    assert not (tmp_path / "run").exists()
