"""The folder of a training run: whose it is, and files that are whole or not there.

A process can be stopped at any moment, by Ctrl-C, ``kill -9`` or a full disk. So
every file is written beside its name, flushed to the disk and renamed into place,
and locks are the system's, which end with the process that holds them.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch

from lablr.errors import TrainingError
from lablr.system import whole_file
from lablr.system.locks import hold

log = logging.getLogger("lablr")

CHECKPOINT = "checkpoint.pt"
DESCRIPTION = "config.json"
CHECKPOINT_PARTS = {"model", "average", "optimizer", "scaler", "n_steps", "history"}

# What reading raises for files that are cut off, altered or something else.
UNREADABLE = (
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    EOFError,
    pickle.UnpicklingError,
)


def check_description(
    folder: Path, description: Mapping[str, Any], resume: bool
) -> None:
    """Raise `TrainingError` when `folder` holds a run that is not to be resumed.

    A run is resumed with `resume` and an equal `description` only; the message
    says what differs.
    """
    path = folder / DESCRIPTION
    if not path.exists():
        return
    if not resume:
        raise TrainingError(f"{folder} holds a run: resume it or choose another folder")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        differences = _differences(found, description)
    except (*UNREADABLE, RecursionError) as error:
        raise TrainingError(
            f"{path} does not describe a run: choose another folder, "
            "or remove this one and start again"
        ) from error
    if differences:
        raise TrainingError(
            f"{path} describes another run ({', '.join(differences)}): "
            "give the same options and corpus to resume"
        )


def _differences(found: Any, wanted: Mapping[str, Any]) -> list[str]:
    """Say what differs between two descriptions, at most five things."""
    differences = []
    for part in ("vae", "training"):
        before, now = found[part], wanted[part]
        differences += [
            f"{name} was {before.get(name)!r} and is {now.get(name)!r}"
            for name in sorted({*before, *now})
            if before.get(name) != now.get(name)
        ]
    for part, what in (("corpus_digest", "corpus"), ("start", "start")):
        if found.get(part) != wanted.get(part):
            differences.append(f"another {what}")
    if not differences and found.get("tags") != wanted["tags"]:
        differences.append("other tags")
    return differences[:5]


def write_checkpoint(folder: Path, checkpoint: Mapping[str, Any]) -> None:
    """Write the checkpoint of a run; raises `TrainingError` when that fails."""
    # Through memory: on a full disk torch.save says something else than the disk.
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    write_whole(folder / CHECKPOINT, lambda file: file.write(buffer.getbuffer()))


def read_checkpoint(folder: Path) -> dict[str, Any]:
    """Read the checkpoint of a run.

    Raises `TrainingError` when there is none or it is damaged.
    """
    path = folder / CHECKPOINT
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise TrainingError(f"{folder} holds no run: it has no {CHECKPOINT}") from error
    except UNREADABLE as error:
        raise _damaged(path) from error
    if not isinstance(checkpoint, dict) or CHECKPOINT_PARTS - checkpoint.keys():
        raise _damaged(path)
    return checkpoint


def _damaged(path: Path) -> TrainingError:
    return TrainingError(f"{path} is damaged or no checkpoint of Lablr")


def checkpoint_digest(folder: Path) -> str:
    """Return SHA-256 of the checkpoint of a run; raises `TrainingError` without one."""
    path = folder / CHECKPOINT
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise TrainingError(
            f"there is no run to start from in {folder}: {error.strerror}"
        ) from error


def write_json(path: Path, content: Any) -> None:
    """Write `content` as JSON, whole or not at all."""
    text = json.dumps(content, indent=1) + "\n"
    write_whole(path, lambda file: file.write(text.encode()))


def write_whole(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Write a file whole or not at all, see `lablr.system.whole_file`.

    Raises `TrainingError` when the system refuses, as with a full disk.
    """
    try:
        whole_file.write_whole(path, write)
    except OSError as error:
        reason = error.strerror or str(error)
        raise TrainingError(f"{path} cannot be written: {reason}") from error


@contextmanager
def locked(path: Path, busy: str, wait: bool) -> Iterator[None]:
    """Hold the lock file `path`; when another process does, `wait` or refuse.

    `busy` is a sentence for the log, or for the `TrainingError` without `wait`.
    """
    with path.open("wb") as file:
        try:
            hold(file.fileno(), TrainingError(busy))
        except TrainingError:
            if not wait:
                raise
            log.warning("%s: waiting", busy)
            hold(file.fileno())
        yield
