"""Encoders where they lie: in the folder of a training run, or in a bundle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lablr.bundle import Bundle
from lablr.encoders.encoder import Preprocessing
from lablr.errors import FitError


def read_encoder(run: Path) -> tuple[bytes, Preprocessing]:
    """Read the encoder of a finished training run, or of a bundle.

    Raises `FitError` when the folder has none, `BundleError` for a broken bundle.
    """
    if (run / "manifest.json").exists():
        bundle = Bundle.load(run)
        return bundle.encoder_onnx, Preprocessing.from_dict(bundle.preprocessing)
    try:
        model = (run / "encoder.onnx").read_bytes()
        preprocessing = json.loads((run / "encoder.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise FitError(f"{run} is not a finished training run: {error}") from error
    return model, Preprocessing.from_dict(preprocessing)


def read_provenance(runs: Sequence[Path]) -> dict[str, Any]:
    """Read how training runs and bundles were made, for the next bundle.

    "training" has a list with the description of every network, in order. Raises
    `FitError` when a run's description cannot be read.
    """
    training = [description for run in runs for description in _descriptions(run)]
    return {"training": training} if training else {}


def _descriptions(run: Path) -> list[Any]:
    if (run / "manifest.json").exists():
        made = Bundle.load(run).provenance.get("training", [])
        return made if isinstance(made, list) else [made]
    try:
        return [json.loads((run / "config.json").read_text("utf-8"))]
    except FileNotFoundError:
        return []  # an encoder from elsewhere
    except (OSError, ValueError) as error:
        raise FitError(f"{run / 'config.json'} cannot be read: {error}") from error
