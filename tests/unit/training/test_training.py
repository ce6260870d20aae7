"""Runs of every kind: they learn, stop, go on, and leave an encoder that serves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from training_makers import (
    Heard,
    crops,
    one_core,  # noqa: F401
)
from training_runs import (
    CONFIGS,
    KINDS,
    QUICK,
    VAES,
    assert_equal_runs,
    cache,  # noqa: F401
    checkpoint_of,
    corpus,  # noqa: F401
    finished,  # noqa: F401
    history_of,
)

from lablr.encoders.encoder import Encoder, Preprocessing
from lablr.training.backbones import load_backbone
from lablr.training.export import rounded
from lablr.training.train import TrainingConfig, kept_epoch, train
from lablr.training.vae import VAE

# --- runs of every kind


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_goes_down(finished, kind):
    history = history_of(finished(kind))
    objectives = [record["objective"] for record in history]
    assert len(history) == 3
    assert objectives[-1] < objectives[0]
    assert all(np.isfinite(list(record.values())).all() for record in history)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_leaves_what_it_says(finished, kind):
    folder = finished(kind)
    names = {path.name for path in folder.iterdir() if path.is_file()}
    assert names == {
        ".training",
        "checkpoint.pt",
        "config.json",
        "encoder.json",
        "encoder.onnx",
        "history.json",
        "loss.png",
        "reconstructions.png",
        "split.csv",
    }
    for name in ("loss.png", "reconstructions.png"):
        with Image.open(folder / name) as picture:
            picture.load()
            assert picture.format == "PNG"
            assert picture.width > 500
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 10


def averaged(folder: Path, kind: str) -> VAE:
    weights = checkpoint_of(folder)["average"]
    model = VAE(VAES[kind], len(weights["tag_head.bias"]), pretrained=False)
    model.load_state_dict(weights)
    return model.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_the_exported_encoder_equals_the_averaged_model(finished, kind):
    folder, size = finished(kind), VAES[kind].image_size
    preprocessing = json.loads((folder / "encoder.json").read_text())
    graph = (folder / "encoder.onnx").read_bytes()
    encoder = Encoder(graph, Preprocessing.from_dict(preprocessing))
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    model = rounded(averaged(folder, kind)).eval()
    images = np.stack([np.asarray(photo) for photo, _ in crops(5, size, seed=4)])
    normalized = model.normalize(torch.from_numpy(images).permute(0, 3, 1, 2))
    with torch.no_grad():
        expected = model.encode(normalized)
        plain = averaged(folder, kind).encode(normalized).mean
    for n_photos in (1, 5):
        means = encoder.encode(images[:n_photos])
        given = {"image": normalized[:n_photos].contiguous().numpy()}
        (log_variances,) = session.run(["log_variance"], given)
        assert np.abs(means - expected.mean[:n_photos].numpy()).max() <= 1e-4
        wanted = expected.log_variance[:n_photos].numpy()
        assert np.abs(log_variances - wanted).max() <= 1e-4
    # Rounding the weights changes what they say by less than photos differ.
    spread = plain.std(dim=0).mean()
    assert (expected.mean - plain).abs().max() < 0.05 * spread


def test_an_exported_weight_takes_two_bytes(finished):
    folder = finished("frozen")
    n_numbers = sum(
        tensor.numel()
        for name, tensor in checkpoint_of(folder)["average"].items()
        if name.startswith(("encoder.", "mean_head.", "log_variance_head."))
    )
    assert (folder / "encoder.onnx").stat().st_size < 2.2 * n_numbers


def test_frozen_stages_do_not_change(finished):
    published = load_backbone("efficientnet-lite0", n_frozen=8).stages.state_dict()
    weights = checkpoint_of(finished("fine-tuned"))
    changed = set()
    for part in ("model", "average"):
        for name, before in published.items():
            if not weights[part][f"encoder.stages.{name}"].equal(before):
                changed.add(int(name.split(".")[0]))
    assert changed == set(range(8, 18))


def test_a_frozen_backbone_is_run_once(corpus, tmp_path):
    heard = Heard()
    train(corpus, tmp_path / "run", VAES["frozen"], CONFIGS["frozen"], progress=heard)
    assert heard.labels[:2] == ["reading photos", "computing features"]
    assert heard.labels[2:] == [
        label for n in (1, 2, 3) for label in (f"epoch {n} of 3", "validation")
    ]
    kept = {path.name.split("-")[0] for path in (tmp_path / "run/cache").glob("*.npy")}
    assert kept == {"images", "readable", "features"}


def test_beta_warms_up_over_its_epochs(corpus, cache, tmp_path):
    config = TrainingConfig(**{**QUICK, "beta_warmup_epochs": 2.0, "epochs": 4})
    history = train(corpus, tmp_path, VAES["frozen"], config, cache_folder=cache)
    vae = VAES["frozen"]
    for epoch, record in enumerate(history):
        # Three steps an epoch, so beta takes the values 0, 1/6, ... 5/6, 1, 1, ...
        rest = record["objective"] - record["pixels"] - record["features"]
        beta = (rest - record["tags"]) / record["kl"] / vae.beta
        expected = np.mean([min((3 * epoch + step) / 6, 1) for step in range(3)])
        assert beta == pytest.approx(expected, abs=0.05)


def test_photos_in_memory_train_as_photos_on_disk(corpus, cache, finished, tmp_path):
    held = {"cache": "memory", "cache_folder": cache}
    train(corpus, tmp_path, VAES["frozen"], CONFIGS["frozen"], **held)
    assert_equal_runs(tmp_path, finished("frozen"))


# --- stopping and going on


@pytest.mark.parametrize("kind", ["frozen"])  # the others: tests/soak
def test_a_resumed_run_equals_one_that_was_not_stopped(
    corpus, cache, finished, tmp_path, kind
):
    stop = Heard("epoch 2 of 3", 2)
    with pytest.raises(KeyboardInterrupt):
        train(
            corpus,
            tmp_path,
            VAES[kind],
            CONFIGS[kind],
            cache_folder=cache,
            progress=stop,
        )
    assert len(history_of(tmp_path)) == 1
    assert not (tmp_path / "encoder.onnx").exists()
    train(corpus, tmp_path, VAES[kind], CONFIGS[kind], cache_folder=cache, resume=True)
    assert_equal_runs(tmp_path, finished(kind))


def test_a_finished_run_can_be_resumed_and_stays_the_same(
    corpus, cache, finished, tmp_path
):
    shutil.copytree(finished("frozen"), tmp_path / "run")
    (tmp_path / "run/encoder.onnx").unlink()
    heard = Heard()
    train(
        corpus,
        tmp_path / "run",
        VAES["frozen"],
        CONFIGS["frozen"],
        cache_folder=cache,
        resume=True,
        progress=heard,
    )
    assert heard.labels == []
    assert_equal_runs(tmp_path / "run", finished("frozen"))
    assert (tmp_path / "run/encoder.onnx").exists()


# --- early stopping

STOPPING = TrainingConfig(
    **{**QUICK, "epochs": 30, "patience": 2}, learning_rate=0.03, seed=1
)


@pytest.fixture(scope="module")
def stopped(corpus, cache, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stopped")
    train(corpus, folder, VAES["frozen"], STOPPING, cache_folder=cache)
    return folder


def test_a_run_that_gets_no_better_stops(stopped):
    objectives = [record["validation_objective"] for record in history_of(stopped)]
    best = int(np.argmin(objectives))
    assert len(objectives) == best + 1 + STOPPING.patience < STOPPING.epochs
    assert kept_epoch(history_of(stopped), STOPPING) == best + 1


def test_a_stopped_run_keeps_its_best_epoch(corpus, cache, stopped, tmp_path):
    best = kept_epoch(history_of(stopped), STOPPING)
    stop = Heard(f"epoch {best + 1} of 30", 0)
    with pytest.raises(KeyboardInterrupt):
        train(
            corpus,
            tmp_path,
            VAES["frozen"],
            STOPPING,
            cache_folder=cache,
            progress=stop,
        )
    expected = checkpoint_of(tmp_path)["average"]
    found = checkpoint_of(stopped)["average"]
    assert all(found[name].equal(weights) for name, weights in expected.items())
    # Resuming it neither trains on nor falls back to the last epoch.
    heard = Heard()
    train(
        corpus,
        stopped,
        VAES["frozen"],
        STOPPING,
        cache_folder=cache,
        resume=True,
        progress=heard,
    )
    assert heard.labels == []
    model = rounded(averaged(stopped, "frozen")).eval()
    preprocessing = json.loads((stopped / "encoder.json").read_text())
    graph = (stopped / "encoder.onnx").read_bytes()
    images = np.stack([np.asarray(photo) for photo, _ in crops(2, 64, seed=4)])
    with torch.no_grad():
        tensors = torch.from_numpy(images).permute(0, 3, 1, 2)
        wanted = model.encode(model.normalize(tensors)).mean.numpy()
    encoder = Encoder(graph, Preprocessing.from_dict(preprocessing))
    assert np.abs(encoder.encode(images) - wanted).max() <= 1e-4


def test_a_run_that_is_not_stopped_keeps_its_last_epoch():
    history = [{"validation_objective": value} for value in (3.0, 1.0, 2.0)]
    assert kept_epoch(history, TrainingConfig(epochs=3, patience=1)) == 3
    assert kept_epoch(history, TrainingConfig(epochs=9, patience=0)) == 3
    assert kept_epoch(history, TrainingConfig(epochs=9, patience=1)) == 2


def test_patience_does_not_change_a_run_that_is_not_stopped(
    corpus, cache, finished, tmp_path
):
    config = TrainingConfig(**{**QUICK, "patience": 3})
    train(corpus, tmp_path, VAES["frozen"], config, cache_folder=cache)
    assert_equal_runs(tmp_path, finished("frozen"))
