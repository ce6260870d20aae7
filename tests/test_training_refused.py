"""What training refuses, in words, and the command that runs it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from training_makers import (
    one_core,  # noqa: F401
    read_records,
    write_records,
)
from training_runs import (
    CONFIGS,
    LITE,
    QUICK,
    VAES,
    cache,  # noqa: F401
    corpus,  # noqa: F401
    finished,  # noqa: F401
)

from lablr.cli import main
from lablr.corpus import Corpus
from lablr.errors import TrainingError
from lablr.run_folder import locked
from lablr.training import TrainingConfig, train
from lablr.vae import VAEConfig

ROOT = Path(__file__).parent.parent

# --- what is refused


@pytest.fixture
def begun(finished, tmp_path) -> Path:
    """A copy of a finished run, to be spoilt."""
    return Path(shutil.copytree(finished("frozen"), tmp_path / "begun"))


def resume(corpus, cache, folder, vae=VAES["frozen"], config=CONFIGS["frozen"]):
    return train(corpus, folder, vae, config, cache=cache, resume=True)


def test_another_configuration_is_refused_with_what_differs(corpus, cache, begun):
    config = TrainingConfig(**{**QUICK, "epochs": 4})
    vae = VAEConfig(**{**LITE, "n_latent": 8}, n_frozen=-1)
    with pytest.raises(
        TrainingError, match=r"\(epochs was 3 and is 4\): give the same"
    ):
        resume(corpus, cache, begun, config=config)
    with pytest.raises(TrainingError, match="n_latent was 16 and is 8, epochs was 3"):
        resume(corpus, cache, begun, vae, config)


def test_another_corpus_is_refused(corpus, cache, begun, tmp_path):
    shutil.copytree(corpus.root, tmp_path / "corpus")
    records = read_records(tmp_path / "corpus")
    write_records(tmp_path / "corpus", records[:-1])
    with pytest.raises(TrainingError, match="another corpus"):
        resume(Corpus.open(tmp_path / "corpus"), cache, begun)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"vae": 1, "training": 2}', "[" * 100_000, "\xff"]
)
def test_a_broken_description_is_refused(corpus, cache, begun, text):
    (begun / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(TrainingError, match=r"config\.json does not describe a run"):
        resume(corpus, cache, begun)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize("damage", [cut, lambda _: b"", lambda _: b"no checkpoint\n"])
def test_a_damaged_checkpoint_is_refused(corpus, cache, begun, damage):
    path = begun / "checkpoint.pt"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(TrainingError, match=r"checkpoint\.pt is damaged or no"):
        resume(corpus, cache, begun)


@pytest.mark.parametrize("content", [[1, 2], {"model": {}}, {}])
def test_another_file_of_pytorch_is_no_checkpoint(corpus, cache, begun, content):
    torch.save(content, begun / "checkpoint.pt")
    with pytest.raises(TrainingError, match=r"checkpoint\.pt is damaged or no"):
        resume(corpus, cache, begun)


def test_a_folder_is_not_taken_by_a_run_that_cannot_start(corpus, cache, tmp_path):
    wrong = VAEConfig(**{**LITE, "backbone": "nonesuch"})
    config = TrainingConfig(**{**QUICK, "epochs": 1})
    with pytest.raises(TrainingError, match="no backbone is called 'nonesuch'"):
        train(corpus, tmp_path, wrong, config, cache=cache)
    assert train(corpus, tmp_path, VAES["frozen"], config, cache=cache)


def test_two_processes_do_not_train_in_one_folder(corpus, cache, tmp_path):
    with (
        locked(tmp_path / ".training", "", wait=False),
        pytest.raises(TrainingError, match="another process is training in"),
    ):
        resume(corpus, cache, tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs is 0: give 1 to"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"patience": -1}, "patience is -1"),
        ({"unknown_weight": 1.5}, "unknown_weight is 1.5: give 0 to 1"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(TrainingError, match=message):
        TrainingConfig(**changes)


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("scratch", {"train_size": 96}, "learns from 128 px images, not 96"),
        ("scratch", {"batch_size": 1}, "a batch_size of 2 or more"),
        ("frozen", {"optimizer": "sgd"}, "no optimizer is called 'sgd': use adamw"),
        ("frozen", {"learning_rate": 10.0, "weight_decay": 10.0}, "lower the learning"),
    ],
)
def test_runs_that_cannot_work_are_refused(
    corpus, cache, tmp_path, kind, changes, message
):
    config = TrainingConfig(**{**QUICK, "warmup_steps": 0, "epochs": 60, **changes})
    with pytest.raises(TrainingError, match=message):
        train(corpus, tmp_path, VAES[kind], config, cache=cache)


def test_a_corpus_without_tags_needs_a_plain_vae(corpus, cache, tmp_path):
    shutil.copytree(corpus.root, tmp_path / "corpus")
    records = [{**r, "tags": []} for r in read_records(tmp_path / "corpus")]
    write_records(tmp_path / "corpus", records)
    with pytest.raises(TrainingError, match="no photo of the corpus has a tag"):
        train(
            Corpus.open(tmp_path / "corpus"),
            tmp_path / "run",
            VAES["frozen"],
            CONFIGS["frozen"],
        )


# --- the command

LITE_WORDS = [
    "--backbone",
    "efficientnet-lite0",
    "--image-size",
    "64",
    "--frozen",
    "-1",
]
LITE_WORDS += ["--epochs", "1", "--batch-size", "6"]


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


def test_the_script_trains(corpus, cache, tmp_path):
    words = [str(corpus.root), "--out", str(tmp_path), "--cache", str(cache)]
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "flickr_vae.py", *words, *LITE_WORDS],
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


def test_help_shows_examples():
    done = CliRunner().invoke(main, ["train", "--help"])
    examples = done.output.partition("Examples:")[2]
    assert "\n    lablr train corpus/ --out" in examples
    assert "--resume" in examples


def commands_of(page: str) -> list[str]:
    """The typed ``lablr train`` lines of a Markdown page's consoles."""
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip().removeprefix("$ ") for line in text.splitlines()]
    return [line for line in lines if line.startswith("lablr train ")]


@pytest.mark.parametrize("line", commands_of("docs/train.md"))
def test_a_documented_command_is_right(line):
    words = shlex.split(line, comments=True)[2:]
    main.commands["train"].make_context("train", words)
