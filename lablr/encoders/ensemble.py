"""Several encoders side by side as one: their latents one after the other.

Encoders that were trained apart are wrong about different photos, so Gaussians over
the latents of both know more than those of either (Hansen & Salamon, "Neural
Network Ensembles", IEEE PAMI 12(10), 1990). Each stays the encoder of its own VAE,
and every second one is shown the photo's mirror image x', so that they differ in
what they see as well, at no cost:

    z = (z_1, z_2, z_3, ...)      q(z | x) = q_1(z_1 | x) q_2(z_2 | x') q_3(z_3 | x) ...
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lablr.encoders.encoder import Preprocessing
from lablr.errors import FitError, MissingExtra

OUTPUTS = ("posterior_mean", "log_variance")

# As ONNX's Slice wants it: https://onnx.ai/onnx/operators/onnx__Slice.html
_BACKWARDS = {
    "mirror/starts": -1,
    "mirror/ends": np.iinfo(np.int64).min,
    "mirror/axes": 3,
    "mirror/steps": -1,
}


def joined(
    encoders: Sequence[tuple[bytes, Preprocessing]],
) -> tuple[bytes, Preprocessing]:
    """Join encoders into one (ONNX, preprocessing) that gives all latents in order.

    The second, fourth, ... sees mirror images. The latents have d_1 + ... + d_m
    numbers. A single encoder comes back as it is. Raises `FitError` when there is none,
    or they prepare images differently or were made for different versions of ONNX;
    `MissingExtra` when there are several, and the package onnx is not installed.
    """
    if not encoders:
        raise FitError("there is no encoder to join")
    first, preprocessing = encoders[0]
    for _, own in encoders[1:]:
        if own != preprocessing:
            raise FitError(
                f"encoders joined must prepare images alike, but one takes "
                f"{own.to_dict()} and another {preprocessing.to_dict()}"
            )
    if len(encoders) == 1:
        return first, preprocessing
    return _side_by_side([model for model, _ in encoders]), preprocessing


def _side_by_side(encoders: Sequence[bytes]) -> bytes:
    try:
        import onnx
        from onnx import compose, helper
    except ModuleNotFoundError as error:
        raise MissingExtra("train", "join encoders") from error
    models = [
        compose.add_prefix(onnx.load_from_string(model), f"{number}/")
        for number, model in enumerate(encoders)
    ]
    versions = {own.domain: own.version for own in models[0].opset_import}
    for model in models[1:]:
        if versions != {own.domain: own.version for own in model.opset_import}:
            raise FitError("encoders joined must have the same ONNX operator sets")
    parts = [model.graph for model in models]
    numbers = range(len(parts))
    join = [
        helper.make_node("Concat", [f"{i}/{name}" for i in numbers], [name], axis=1)
        for name in OUTPUTS
    ]
    graph = helper.make_graph(
        [
            *(_shown(number) for number in numbers),
            *(node for part in parts for node in part.node),
            *join,
        ],
        "encoders",
        [helper.make_tensor_value_info("image", *_type(parts[0].input[0]))],
        [_joined_output(parts, name) for name in OUTPUTS],
        [*_backwards(), *(tensor for part in parts for tensor in part.initializer)],
    )
    model = helper.make_model(
        graph, opset_imports=models[0].opset_import, ir_version=models[0].ir_version
    )
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized


def _shown(number: int) -> Any:
    """Return the node that shows an encoder the image, or its mirror image."""
    from onnx import helper

    if number % 2 == 0:
        return helper.make_node("Identity", ["image"], [f"{number}/image"])
    return helper.make_node("Slice", ["image", *_BACKWARDS], [f"{number}/image"])


def _backwards() -> list[Any]:
    """Return the constants of a slice over the whole width, from right to left."""
    from onnx import numpy_helper

    return [
        numpy_helper.from_array(np.array([value], np.int64), name)
        for name, value in _BACKWARDS.items()
    ]


def _joined_output(parts: Sequence[Any], name: str) -> Any:
    """Declare an output (N, d_1 + ... + d_m)."""
    from onnx import helper

    declared = [
        next(own for own in part.output if own.name.endswith(f"/{name}"))
        for part in parts
    ]
    types, shapes = zip(*map(_type, declared), strict=True)
    n_photos = shapes[0][0]
    return helper.make_tensor_value_info(
        name, types[0], [n_photos, sum(shape[1] for shape in shapes)]
    )


def _type(declared: Any) -> tuple[int, list[int | str]]:
    """Return element type and shape of a declared tensor; a free axis has a name."""
    tensor = declared.type.tensor_type
    shape = [
        axis.dim_value if axis.HasField("dim_value") else "photos"
        for axis in tensor.shape.dim
    ]
    return tensor.elem_type, shape
