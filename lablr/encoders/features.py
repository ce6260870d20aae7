"""The features behind the latents, as a further output of an encoder's graph.

The posterior mean is a dense layer on features: the last feature map, averaged over
its positions. There are ten times as many features as latents, and a head on them
knows more than one on the latents. Every encoder of ours computes them anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lablr.errors import FitError, MissingExtra

# What may stand between a dense layer and the output, or a matrix and its layer.
PASSING = {
    "BatchNormalization",
    "Cast",
    "DequantizeLinear",
    "Identity",
    "QuantizeLinear",
}


def with_features(model: bytes) -> bytes:
    """Return the encoder `model` (ONNX) with a third output ``features`` (N, F).

    Encoders that were joined give the features of each, in order. A graph that has
    that output comes back as it is. Raises `FitError` when the posterior mean is not
    made by dense layers, `MissingExtra` when the package onnx is not installed.
    """
    try:
        import onnx
        from onnx import helper
    except ModuleNotFoundError as error:
        raise MissingExtra("train", "use the features of an encoder") from error
    graph = onnx.load_from_string(model)
    if any(output.name == "features" for output in graph.graph.output):
        return model
    makers = {name: node for node in graph.graph.node for name in node.output}
    tensors = {tensor.name: list(tensor.dims) for tensor in graph.graph.initializer}
    found = _features("posterior_mean", makers, tensors)
    names = [name for name, _ in found]
    n_features = sum(width for _, width in found)
    graph.graph.node.append(helper.make_node("Concat", names, ["features"], axis=1))
    graph.graph.output.append(
        helper.make_tensor_value_info(
            "features", onnx.TensorProto.FLOAT, ["photos", n_features]
        )
    )
    serialized: bytes = graph.SerializeToString()
    return serialized


def _features(
    name: str, makers: dict[str, Any], tensors: dict[str, list[int]]
) -> list[tuple[str, int]]:
    """Name and width of the inputs of the dense layers that make `name`, in order."""
    if name not in makers:
        raise FitError("the encoder has no features: its latents are made by nothing")
    node = makers[name]
    kind = node.op_type
    if kind in PASSING:
        return _features(node.input[0], makers, tensors)
    if kind == "Concat":
        return [own for part in node.input for own in _features(part, makers, tensors)]
    if kind == "Add":
        dense = [part for part in node.input if part in makers]
        if len(dense) == 1 and makers[dense[0]].op_type == "MatMul":
            return _features(dense[0], makers, tensors)
    if kind in {"Gemm", "MatMul"}:
        transposed = any(own.name == "transB" and own.i for own in node.attribute)
        shape = _shape(node.input[1], makers, tensors)
        if len(shape) == 2:
            return [(node.input[0], shape[1 if transposed else 0])]
    raise FitError(f"the encoder has no features: its latents are made by {kind}")


def _shape(
    name: str, makers: dict[str, Any], tensors: dict[str, list[int]]
) -> Sequence[int]:
    """Return the shape of a constant, which may be stored otherwise and cast."""
    while name not in tensors and name in makers and makers[name].op_type in PASSING:
        name = makers[name].input[0]
    return tensors.get(name, ())
