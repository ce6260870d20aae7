"""Methods as a bundle keeps them: each with its calibration and its threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lablr.errors import BundleError
from lablr.latent_space.calibration import Calibration, threshold_at_precision
from lablr.system.arrays import Arrays, Bools, Float32s, Floats

PREFIX = "calibration_"


class Method(Protocol):
    """A function of what the encoder says of photos."""

    @property
    def n_inputs(self) -> int:
        """Return p: the method looks at the first p numbers of a description."""

    def logits(self, x: Float32s) -> Floats:
        """Score how well each tag fits descriptions x (N, p): (N, T)."""

    def to_arrays(self) -> Arrays:
        """Return arrays for a bundle."""


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Logits to probabilities, and from which one on a tag is worth suggesting."""

    calibration: Calibration
    threshold: float

    @classmethod
    def fit(cls, logits: Floats, membership: Bools, precision: float) -> Calibrated:
        """Fit to photos kept aside, logits and membership (N, T)."""
        calibration = Calibration.fit(logits, membership)
        probability = calibration.probability(logits)
        threshold = threshold_at_precision(membership, probability, precision)
        return cls(calibration, threshold)

    def to_arrays(self) -> Arrays:
        """Return arrays for a bundle, beside those of the method."""
        numbers = self.calibration.to_arrays()
        named = {PREFIX + name: array for name, array in numbers.items()}
        return {**named, "threshold": np.array([self.threshold])}

    @classmethod
    def from_arrays(cls, arrays: Arrays, n_tags: int) -> Calibrated:
        """Read back `to_arrays`; raises `BundleError` where they make no sense."""
        own = {
            name.removeprefix(PREFIX): array
            for name, array in arrays.items()
            if name.startswith(PREFIX)
        }
        threshold = np.asarray(arrays.get("threshold", ()))
        if threshold.shape != (1,) or not 0 <= float(threshold[0]) <= 1:
            raise BundleError("a method's threshold is not a probability")
        return cls(Calibration.from_arrays(own, n_tags), float(threshold[0]))
