"""A network in ONNX Runtime, opened the same way wherever one serves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from lablr.errors import BundleError
from lablr.system.arrays import Float32s


def open_session(
    model: bytes,
    n_threads: int,
    name: str,
    weights: Mapping[str, Float32s] | None = None,
) -> Any:
    """Open a session over the bytes of an ONNX graph called `name`.

    Its runs take `n_threads` threads, which sleep while they wait. `weights` stand
    for the initializers of these names that the graph leaves out; they are used
    where they lie and must outlive the session. Raises `BundleError` when the graph
    is not usable.
    """
    # ONNX Runtime's wheels report to their maker and leave an id in the temporary
    # folder, unless told otherwise before they are first imported.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # One block for a whole run's feature maps is no quicker and takes more memory.
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Not ONNX Runtime's own format, which keeps weights elsewhere in other ways.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    if weights:
        values = map(onnxruntime.OrtValue.ortvalue_from_numpy, weights.values())
        options.add_external_initializers(list(weights), list(values))
    # A tensor kept outside the file names a "location" to read: no digest of the
    # file would cover it.
    elif b"location" in model:
        raise BundleError(f"{name} keeps its weights in another file")
    try:
        session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's errors share no other base
        raise BundleError(f"{name} is not a usable graph: {error}") from error
    # Kept for changing the providers, which nobody does: as much memory again as the
    # weights, which the session has its own copy of.
    session._model_bytes = None
    return session
