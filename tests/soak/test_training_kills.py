"""Training runs that are killed, interrupted or short of disk, and slower ones."""

from __future__ import annotations

import dataclasses
import os
import pty
import shlex
import signal
import subprocess
import sys
from functools import partial

import pytest
import torch
from places import ROOT
from training_makers import Heard, one_core  # noqa: F401
from training_runs import (
    CONFIGS,
    KINDS,
    VAES,
    assert_equal_runs,
    cache,  # noqa: F401
    checkpoint_of,
    corpus,  # noqa: F401
    finished,  # noqa: F401
    history_of,
)

from lablr.training.train import TrainingConfig, train
from lablr.training.vae import VAEConfig

LITE_WORDS = ["--backbone", "efficientnet-lite0", "--image-size", "64"]
LITE_WORDS += ["--frozen", "-1", "--epochs", "1", "--batch-size", "6"]

KILLED = """
import os, signal, sys
from pathlib import Path
from lablr.corpus import Corpus
from training_runs import CONFIGS, VAES
from lablr.training.train import train

def killing(items, total, label):
    for i, item in enumerate(items):
        if (label, i) == ("epoch 2 of 3", 2):
            os.kill(os.getpid(), signal.SIGKILL)
        yield item

corpus, cache, folder = sys.argv[1:]
train(Corpus.open(corpus), Path(folder), VAES["fine-tuned"], CONFIGS["fine-tuned"],
      cache_folder=Path(cache), progress=killing)
"""


def test_a_killed_run_goes_on(corpus, cache, finished, tmp_path):
    words = [sys.executable, "-c", KILLED, str(corpus.root), str(cache), str(tmp_path)]
    path = f"{ROOT}:{ROOT / 'tests' / 'support'}"
    env = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(words, env=env, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert len(history_of(tmp_path)) == 1
    # What it would leave had it been killed a moment later, while writing.
    (tmp_path / "checkpoint.pt.partial").write_bytes(b"half a checkpoint")
    kind = "fine-tuned"
    train(corpus, tmp_path, VAES[kind], CONFIGS[kind], cache_folder=cache, resume=True)
    assert_equal_runs(tmp_path, finished(kind))
    assert not list(tmp_path.glob("*.partial"))


PLAIN = ["--backbone", "scratch", "--tag-weight", "0", "--epochs", "3"]
PLAIN += ["--batch-size", "6", "--seed", "5"]


def test_ctrl_c_keeps_the_last_checkpoint(corpus, cache, tmp_path, run_lablr):
    words = ["train", str(corpus.root), "--cache-folder", str(cache), *PLAIN, "--out"]
    run, whole = tmp_path / "run", tmp_path / "whole"
    command = [sys.executable, "-W", "error", "-m", "lablr", *words, str(run)]
    terminal, side = pty.openpty()
    process = subprocess.Popen(command, cwd=ROOT, stdin=side, stderr=side)
    os.close(side)
    shown = b""
    while b"epoch 2 of 3" not in shown:
        shown += os.read(terminal, 4096)
    process.send_signal(signal.SIGINT)
    try:
        while more := os.read(terminal, 4096):
            shown += more
    except OSError:  # how a terminal says that the other side has closed
        pass
    os.close(terminal)
    assert process.wait() == 130
    assert b"lablr: stopped; nothing that was finished is lost" in shown
    assert b"Traceback" not in shown
    assert len(history_of(run)) == 1
    assert not (run / "encoder.onnx").exists()

    refused = run_lablr(*words, run)
    assert refused.returncode == 1
    assert b"holds a run: resume it or choose another folder" in refused.stderr
    done = run_lablr(*words, run, "--resume")
    assert done.returncode == 0, done.stderr.decode()
    assert b"lablr: 3 epochs; validation objective" in done.stderr
    vae = VAEConfig.scratch(tag_weight=0.0)
    config = TrainingConfig(epochs=3, batch_size=6, seed=5)
    train(corpus, whole, vae, config, cache_folder=cache)
    assert_equal_runs(run, whole)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "frozen"])
def test_a_resumed_run_equals_one_that_was_not_stopped(
    corpus, cache, finished, tmp_path, kind
):
    made = (corpus, tmp_path, VAES[kind], CONFIGS[kind])
    with pytest.raises(KeyboardInterrupt):
        train(*made, cache_folder=cache, progress=Heard("epoch 2 of 3", 2))
    assert len(history_of(tmp_path)) == 1
    train(*made, cache_folder=cache, resume=True)
    assert_equal_runs(tmp_path, finished(kind))


# In float16 the first steps are skipped, while the scale of the gradients is found.
@pytest.mark.parametrize(
    ("precision", "tolerance"), [("bfloat16", 0.05), ("float16", 0.25)]
)
def test_a_run_in_mixed_precision_learns_nearly_the_same(
    corpus, cache, finished, tmp_path, precision, tolerance
):
    config = dataclasses.replace(CONFIGS["fine-tuned"], precision=precision)
    stop = Heard("epoch 3 of 3", 1)
    run = partial(train, corpus, tmp_path, VAES["fine-tuned"], config)
    with pytest.raises(KeyboardInterrupt):
        run(cache_folder=cache, progress=stop)
    history = run(cache_folder=cache, resume=True)
    expected = history_of(finished("fine-tuned"))
    assert history != expected
    for record, wanted in zip(history, expected, strict=True):
        for name in ("objective", "validation_objective"):
            assert record[name] == pytest.approx(wanted[name], rel=tolerance)
    assert history[-1]["objective"] < history[0]["objective"]
    kept = checkpoint_of(tmp_path)["average"].values()
    weights = [weight for weight in kept if weight.is_floating_point()]
    assert {weight.dtype for weight in weights} == {torch.float32}


def test_a_full_disk_is_told_and_leaves_nothing_half(corpus, tmp_path):
    # A limit on the size of files is a disk that is full for them.
    words = ["train", str(corpus.root), "--out", str(tmp_path / "run"), *LITE_WORDS]
    command = shlex.join([sys.executable, "-m", "lablr", *words])
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 128; exec {command}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "cannot be written: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    left = [path.name for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert sorted(left) == [".filling", ".training"]


@pytest.mark.parametrize("script", ["flickr_vae.py", "flickr_vae_gen.py"])
def test_the_scripts_train(corpus, cache, tmp_path, script):
    words = [str(corpus.root), "--out", str(tmp_path), "--cache-folder", str(cache)]
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / script, *words, *LITE_WORDS],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr.splitlines()[-1]) == (
        "",
        f"lablr: encoder in {tmp_path / 'encoder.onnx'}",
    )
    assert (tmp_path / "encoder.onnx").exists()
