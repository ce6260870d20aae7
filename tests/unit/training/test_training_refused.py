"""What training refuses, in words, and the command that runs it."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from places import ROOT
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
from lablr.cli import train as cli_train
from lablr.corpus import Corpus
from lablr.errors import TrainingError
from lablr.training.run import PRECISIONS
from lablr.training.run_folder import locked
from lablr.training.train import TrainingConfig, train
from lablr.training.vae import VAEConfig

# --- what is refused


@pytest.fixture
def begun(finished, tmp_path) -> Path:
    """A copy of a finished run, to be spoilt."""
    return Path(shutil.copytree(finished("frozen"), tmp_path / "begun"))


def resume(corpus, cache, folder, vae=VAES["frozen"], config=CONFIGS["frozen"]):
    return train(corpus, folder, vae, config, cache_folder=cache, resume=True)


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
        train(corpus, tmp_path, wrong, config, cache_folder=cache)
    assert train(corpus, tmp_path, VAES["frozen"], config, cache_folder=cache)


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
        ({"optimizer": "sgd"}, "optimizer is 'sgd': give adamw or rmsprop"),
        ({"precision": "half"}, "precision is 'half': give auto, float32, bfloat16 or"),
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
        ("frozen", {"learning_rate": 10.0, "weight_decay": 10.0}, "lower the learning"),
    ],
)
def test_runs_that_cannot_work_are_refused(
    corpus, cache, tmp_path, kind, changes, message
):
    config = TrainingConfig(**{**QUICK, "warmup_steps": 0, "epochs": 60, **changes})
    with pytest.raises(TrainingError, match=message):
        train(corpus, tmp_path, VAES[kind], config, cache_folder=cache)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cache": "tape"}, "cache is 'tape': give disk or memory"),
        ({"device": "abacus"}, "there is no device 'abacus': "),
        ({"device": "cuda:7"}, "there is no device 'cuda:7': "),
    ],
)
def test_a_place_that_is_not_there_is_refused(
    corpus, cache, tmp_path, changes, message
):
    given = {"cache_folder": cache, **changes}
    with pytest.raises(TrainingError, match=message):
        train(corpus, tmp_path / "run", VAES["frozen"], CONFIGS["frozen"], **given)
    assert not (tmp_path / "run").exists()


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


def test_the_command_knows_every_precision():
    assert cli_train.PRECISIONS == PRECISIONS


@pytest.mark.parametrize("by_file", [False, True])
def test_the_command_trains_on_some_tags(corpus, cache, tmp_path, by_file):
    (tmp_path / "tags.txt").write_text("\ufeffSky\n\nfood\n")
    tags = f"@{tmp_path / 'tags.txt'}" if by_file else "Sky,food"
    words = [corpus.root, "--out", tmp_path / "run", "--tags", tags, *LITE_WORDS]
    done = CliRunner().invoke(main, ["train", *map(str, words)])
    assert done.exit_code == 0, done.output
    description = json.loads((tmp_path / "run" / "config.json").read_text())
    assert description["tags"] == ["food", "sky"]
    with (tmp_path / "run" / "split.csv").open(newline="") as file:
        found = [tuple(line) for line in csv.reader(file)]
    wanted = [
        (record["file"], record["split"])
        for record in read_records(corpus.root)
        if {"sky", "food"} & set(record["tags"])
    ]
    assert found == [("file", "split"), *wanted]
    assert {split for _, split in wanted} == {"train", "val"}


def test_tags_that_are_no_file_or_not_there(corpus, tmp_path):
    words = ["train", str(corpus.root), "--out", str(tmp_path / "run"), "--tags"]
    done = CliRunner().invoke(main, [*words, "sky,nonesuch"])
    assert (done.exit_code, "no photo is tagged nonesuch" in done.output) == (1, True)
    done = CliRunner().invoke(main, [*words, f"@{tmp_path}/none"])
    assert (done.exit_code, "none: No such file" in done.output) == (1, True)
    (tmp_path / "latin").write_bytes(b"caf\xe9\n")
    done = CliRunner().invoke(main, [*words, f"@{tmp_path}/latin"])
    assert (done.exit_code, "latin is not a text file" in done.output) == (1, True)


def test_help_shows_examples():
    done = CliRunner().invoke(main, ["train", "--help"])
    examples = done.output.partition("Examples:")[2]
    assert "\n    lablr train corpus/ --out" in examples
    assert "--resume" in examples


def commands_of(page: str) -> list[str]:
    """The typed ``lablr train`` and torchrun lines of a Markdown page's consoles."""
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip().removeprefix("$ ") for line in text.splitlines()]
    typed = [line for line in lines if line.startswith(("lablr train ", "torchrun "))]
    assert any(line.startswith("torchrun ") for line in typed)
    return typed


@pytest.mark.parametrize("line", commands_of("docs/train.md"))
def test_a_documented_command_is_right(line):
    words = shlex.split(line.partition("lablr train ")[2], comments=True)
    main.commands["train"].make_context("train", words)
