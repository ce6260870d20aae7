"""Several processes train one model: the same losses as one process alone.

The processes are real: torchrun starts them, and they speak over 127.0.0.1.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from places import ROOT
from torch import nn
from training_makers import (
    Heard,
    one_core,  # noqa: F401
)
from training_runs import (
    cache,  # noqa: F401
    checkpoint_of,
    corpus,  # noqa: F401
    history_of,
)

from lablr.training.distributed import BatchNorm1d, BatchNorm2d, Processes
from lablr.training.train import TrainingConfig, train
from lablr.training.vae import VAEConfig

LITE = {"backbone": "efficientnet-lite0", "image_size": 64, "n_latent": 16}
VAES = {
    "fine-tuned": VAEConfig(**LITE, n_frozen=8),
    "frozen": VAEConfig(**LITE, n_frozen=-1),
    "scratch": VAEConfig.scratch(tag_weight=1.0),
}
# Five photos among two processes: three and two.
CONFIG = TrainingConfig(epochs=2, batch_size=5, learning_rate=5e-4, average_decay=0.5)


def words_of(kind: str) -> list[str]:
    """The command line of a kind of run."""
    words = ["--epochs", "2", "--batch-size", "5", "--learning-rate", "5e-4"]
    words += ["--average-decay", ".5"]
    if kind == "scratch":
        return [*words, "--backbone", "scratch", "--tag-weight", "1"]
    words += ["--backbone", "efficientnet-lite0", "--image-size", "64"]
    return [*words, "--latent", "16", "--frozen", str(VAES[kind].n_frozen)]


def started(n_processes: int, *words: object) -> subprocess.Popen[str]:
    """Start ``lablr train`` in several processes of this machine."""
    torchrun = ["torch.distributed.run", "--standalone"]
    torchrun += [f"--nproc-per-node={n_processes}"]
    command = [sys.executable, "-m", *torchrun, "-m", "lablr", "train"]
    return subprocess.Popen(
        [*command, *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def trained(n_processes: int, *words: object) -> tuple[int, str]:
    """Exit code and standard error of a parallel run that is waited for."""
    process = started(n_processes, *words)
    printed, told = process.communicate(timeout=300)
    assert printed == ""
    return process.returncode, told


@pytest.fixture(scope="module")
def alone(corpus, cache, tmp_path_factory):
    """The folder of a run of a kind in one process; trained once."""
    folders: dict[str, Path] = {}

    def run(kind: str) -> Path:
        if kind not in folders:
            folders[kind] = tmp_path_factory.mktemp("alone") / kind
            train(corpus, folders[kind], VAES[kind], CONFIG, cache_folder=cache)
        return folders[kind]

    return run


def assert_nearly_equal_runs(found: Path, expected: Path) -> None:
    """The same losses in every epoch to 1e-4, and nearly the same weights."""
    for record, wanted in zip(history_of(found), history_of(expected), strict=True):
        assert record == pytest.approx(wanted, rel=1e-4, abs=1e-6)
    found_weights, weights = checkpoint_of(found)["average"], checkpoint_of(expected)
    for name, wanted in weights["average"].items():
        torch.testing.assert_close(found_weights[name], wanted, rtol=0.01, atol=1e-3)


@pytest.mark.parametrize("kind", VAES)
def test_two_processes_train_as_one(corpus, cache, alone, tmp_path, kind):
    words = [corpus.root, "--out", tmp_path, "--cache-folder", cache, *words_of(kind)]
    status, told = trained(2, *words)
    assert status == 0, told
    assert_nearly_equal_runs(tmp_path, alone(kind))
    for name in ("encoder.onnx", "loss.png", "reconstructions.png", "split.csv"):
        assert (tmp_path / name).stat().st_size > 0
    # One of them speaks, and says it once.
    assert told.count("lablr: encoder in") == 1
    assert told.count("validation objective") == 1


def test_a_stopped_run_goes_on_in_two_processes(corpus, cache, alone, tmp_path):
    kind, stop = "frozen", Heard("epoch 2 of 2", 1)
    train_alone = partial(train, corpus, tmp_path, VAES[kind], CONFIG)
    with pytest.raises(KeyboardInterrupt):
        train_alone(cache_folder=cache, progress=stop)
    words = [corpus.root, "--out", tmp_path, "--cache-folder", cache, *words_of(kind)]
    status, told = trained(2, *words)
    assert status == 1
    assert told.count("holds a run: resume it or choose another folder") == 1
    status, told = trained(2, *words, "--resume")
    assert status == 0, told
    assert_nearly_equal_runs(tmp_path, alone(kind))


# --- one process ends

ENDING = """
import os, signal, sys
from pathlib import Path
from lablr.corpus import Corpus
from lablr.errors import TrainingError
from lablr.training.train import train
from test_training_parallel import CONFIG, VAES

def ending(items, total, label):
    for i, item in enumerate(items):
        if (label, i) == ("epoch 2 of 2", 1) and os.environ["RANK"] == ends:
            os.kill(os.getpid(), int(signal_number))
        yield item

corpus, cache, folder, ends, signal_number = sys.argv[1:]
try:
    train(Corpus.open(corpus), Path(folder), VAES["frozen"], CONFIG,
          cache_folder=Path(cache), progress=ending)
except TrainingError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize(("ends", "how"), [(0, signal.SIGINT), (1, signal.SIGKILL)])
def test_when_one_process_ends_the_other_does(corpus, cache, tmp_path, ends, how):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    world = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    paths = (ROOT, ROOT / "tests" / "soak", ROOT / "tests" / "support")
    world |= {"PYTHONPATH": ":".join(map(str, paths)), "LOCAL_WORLD_SIZE": "2"}
    words = [corpus.root, cache, tmp_path, ends, int(how)]
    command = [sys.executable, "-c", ENDING, *map(str, words)]
    processes = [
        subprocess.Popen(
            command,
            env={**os.environ, **world, "RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    told = [process.communicate(timeout=300)[1] for process in processes]
    assert processes[ends].returncode == -how, told[ends]
    assert processes[1 - ends].returncode == 1, told[1 - ends]
    assert "another process of this run has ended: it says why" in told[1 - ends]
    assert "Traceback" not in told[1 - ends]
    assert len(history_of(tmp_path)) == 1


def test_a_batch_is_divided_among_all(corpus, cache, tmp_path):
    words = [corpus.root, "--out", tmp_path, "--cache-folder", cache]
    status, told = trained(2, *words, *words_of("frozen"), "--batch-size", "1")
    assert status == 1
    assert "a batch of 1 photos cannot be divided among 2 processes" in told


# --- the parts, in this process


@pytest.mark.parametrize("n_photos", [1, 2, 5, 7, 48])
@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_every_photo_of_a_batch_is_some_process_s(n_photos, count):
    parts = [Processes(rank, count).part(n_photos) for rank in range(count)]
    photos = [list(range(n_photos))[part] for part in parts]
    assert [photo for own in photos for photo in own] == list(range(n_photos))
    sizes = [len(own) for own in photos]
    assert max(sizes) - min(sizes) <= 1
    assert sizes[0] == max(sizes)


def noise(features: torch.Tensor) -> torch.Tensor:
    """Everything random on the way of features (n, 4), side by side."""
    kept = torch.empty(len(features), 1, 1, 1).bernoulli_(0.5).flatten(1)
    return torch.cat(
        [
            F.dropout(features, 0.5, training=True),
            F.dropout(features, 0.5, training=False),
            torch.randn_like(features),
            torch.rand([len(features), 1, 1, 1]).flatten(1),
            torch.rand(len(features), 2),
            kept,
        ],
        dim=1,
    )


def test_what_is_random_is_drawn_for_the_whole_batch():
    features = torch.arange(1.0, 29).view(7, 4)
    with Processes().drawing(7, seed=3):
        whole = noise(features)
    parts = []
    for rank in range(3):
        process = Processes(rank, 3)
        with process.drawing(7, seed=3):
            parts.append(noise(features[process.part(7)]))
    assert torch.cat(parts).equal(whole)


@pytest.fixture
def group():
    """A group of one process, in which all that is summed goes over the network."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    torch.distributed.init_process_group("gloo", address, world_size=1, rank=0)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize(
    ("ours", "pytorch", "shape"),
    [
        (BatchNorm1d, nn.BatchNorm1d, (6, 5)),
        (BatchNorm2d, nn.BatchNorm2d, (6, 5, 3, 4)),
    ],
)
def test_batch_normalization_is_pytorch_s(group, ours, pytorch, shape):
    torch.manual_seed(0)
    maps, target = 30 + 4 * torch.randn(shape), torch.randn(shape)
    results = []
    for layer in (ours(shape[1]), pytorch(shape[1])):
        nn.init.constant_(layer.weight, 1.5)
        given = maps.clone().requires_grad_()
        for _ in range(2):
            layer(given).mul(target).sum().backward()
        layer.eval()
        parameters = [layer.weight.grad, layer.bias.grad]
        results.append([given.grad, *parameters, *layer.buffers(), layer(maps)])
    for found, wanted in zip(*results, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
