"""Dense layers as they serve: matrices and shifts, with ReLU between them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lablr.errors import BundleError
from lablr.latent_space.arrays import checked
from lablr.system.arrays import Arrays, Floats, Reals


@dataclass(frozen=True)
class Layers:
    """``x W_1 + b_1``, then ReLU and ``W_2``, ``b_2``, and so on.

    Attributes
    ----------
    weights : the W_i, of shapes (p, h), (h, ...), ..., (..., q).
    biases : the b_i, (h,), ..., (q,).
    """

    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    @property
    def n_inputs(self) -> int:
        """Return p."""
        return len(self.weights[0])

    @property
    def n_outputs(self) -> int:
        """Return q."""
        return len(self.biases[-1])

    def __call__(self, x: Reals) -> Floats:
        """Return (N, q) of x (N, p); raises `ValueError` when x has another p."""
        if x.ndim != 2 or x.shape[1] != self.n_inputs:
            raise ValueError(f"expected (photos, {self.n_inputs}), found {x.shape}")
        # A photo's numbers should not depend on those beside it beyond the last bits.
        values = np.asarray(x, np.float64) @ self.weights[0] + self.biases[0]
        for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            values = np.maximum(values, 0) @ weight + bias
        return values

    @classmethod
    def mean_of(cls, heads: Sequence[Layers]) -> Layers:
        """Return the layers that give the mean of what several of one shape give.

        The mean of linear maps is a linear map. Networks of one hidden layer become
        one of a wider layer: their hidden units side by side, each last matrix
        divided by how many there are.
        """
        first, *others = heads
        if not others:
            return first
        if len(first.weights) == 1:
            weight = np.mean([head.weights[0] for head in heads], axis=0)
            return cls(
                (weight,), (np.mean([head.biases[0] for head in heads], axis=0),)
            )
        if len(first.weights) > 2:
            raise ValueError("networks of several hidden layers have no mean")
        weights = np.concatenate([head.weights[0] for head in heads], axis=1)
        last = np.concatenate([head.weights[1] for head in heads]) / len(heads)
        biases = np.concatenate([head.biases[0] for head in heads])
        return cls((weights, last), (biases, np.mean([h.biases[1] for h in heads], 0)))

    def to_arrays(self) -> Arrays:
        """Return ``weight_1``, ``bias_1``, ... in float32."""
        arrays = {}
        for number, (weight, bias) in enumerate(
            zip(self.weights, self.biases, strict=True), 1
        ):
            arrays[f"weight_{number}"] = weight.astype(np.float32)
            arrays[f"bias_{number}"] = bias.astype(np.float32)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays, name: str) -> Layers:
        """Read back `to_arrays`; raises `BundleError` naming the part."""
        n_layers = sum(1 for key in arrays if key.startswith("weight_"))
        if not n_layers:
            raise BundleError(f"{name}: it has no weight_1")
        numbers = range(1, n_layers + 1)
        weights = [checked(arrays, f"weight_{i}", (None, None), name) for i in numbers]
        for before, after in itertools.pairwise(weights):
            if before.shape[1] != after.shape[0]:
                raise BundleError(
                    f"{name}: a layer of {before.shape[1]} outputs leads to one of"
                    f" {after.shape[0]} inputs"
                )
        biases = [
            checked(arrays, f"bias_{i}", (weights[i - 1].shape[1],), name)
            for i in numbers
        ]
        return cls(tuple(weights), tuple(biases))
