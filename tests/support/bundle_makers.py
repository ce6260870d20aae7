"""Bundles that hold next to nothing."""

from __future__ import annotations

import numpy as np

from lablr.bundle import Bundle

__all__ = ["small_bundle"]


def small_bundle(creator: str = "a test") -> Bundle:
    rng = np.random.default_rng(0)
    return Bundle(
        tags=("beach", "写真"),
        encoder_onnx=bytes(range(256)),
        preprocessing={"size": 224, "mean": [127.0] * 3, "scale": 1e-06},
        gaussians={
            "means": rng.normal(size=(2, 3)).astype(np.float32),
            "n_photos": np.array([3, 4]),
        },
        calibration={"slope": np.ones(2)},
        latent_map={"empty": np.zeros((0, 2), np.float32), "one": np.array(True)},
        settings={"shrinkage": 12.5, "threshold": None},
        model_card="# A model — of a test\n",
        provenance={"created": "2025-01-01T00:00:00Z", "creator": creator},
    )
