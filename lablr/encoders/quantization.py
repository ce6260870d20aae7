"""The encoder in 8-bit integers: about half the time, and two thirds of the file.

A convolution's weights become signed integers with a scale for each of its
channels, and what it is given unsigned integers with one scale, taken from the
range seen while photos pass (Jacob et al., "Quantization and Training of Neural
Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018). The heads
stay in floating point, so latents keep their precision. Gaussians fitted to the
latents of the quantized encoder know of its rounding.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from lablr.corpus import Corpus
from lablr.corpus.images import Image, read_images
from lablr.encoders.encoder import Preprocessing
from lablr.errors import FitError, MissingExtra
from lablr.system.arrays import Float32s
from lablr.system.progress import Progress, silent

QUANTIZED_LAYERS = ["Conv", "Clip", "Add"]

# So many training photos show the encoder its ranges.
N_PHOTOS = 200


def quantize(
    encoder_onnx: bytes,
    preprocessing: Preprocessing,
    corpus: Corpus,
    progress: Progress = silent,
) -> bytes:
    """Return the encoder in 8-bit integers, as ONNX, its ranges from a corpus.

    Raises `FitError` when it is in integers already, `MissingExtra` without the
    package onnx.
    """
    if b"QuantizeLinear" in encoder_onnx:
        raise FitError("the encoder is in 8-bit integers already: leave quantize out")
    images = sample_images(corpus, preprocessing.size, progress)
    inputs = (preprocessing.normalize(image[np.newaxis]) for image in images)
    return quantized(encoder_onnx, inputs)


def sample_images(
    corpus: Corpus, size: int, progress: Progress = silent
) -> Iterator[Image]:
    """Yield images (size, size, 3) of `N_PHOTOS` training photos, spread evenly.

    Photos that cannot be read are left out and named in the log.
    """
    step = max(1, corpus.read().count("train") // N_PHOTOS)
    chosen = list(islice(corpus.photos("train"), 0, step * N_PHOTOS, step))
    found = read_images(chosen, size)
    for _, image in progress(found, len(chosen), "measuring ranges"):
        if image is not None:
            yield image


def quantized(encoder_onnx: bytes, inputs: Iterable[Float32s]) -> bytes:
    """Return the encoder in 8-bit integers, as ONNX.

    `inputs` (1, 3, S, S) are normalized images such as it will see; a few hundred
    are enough, and they are taken one by one. Weights use seven bits, since
    processors without instructions for neural networks add two products in 16 bits
    and would overflow
    (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html).
    Raises `MissingExtra` without the package onnx.
    """
    try:
        from onnxruntime import quantization
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise MissingExtra("train", "quantize an encoder") from error

    class Inputs(quantization.CalibrationDataReader):  # type: ignore[misc]
        remaining = iter(inputs)

        def get_next(self) -> dict[str, Float32s] | None:
            image = next(self.remaining, None)
            return None if image is None else {"image": image}

    with tempfile.TemporaryDirectory() as folder:
        given, ready, made = (
            Path(folder) / name for name in ("given.onnx", "ready.onnx", "made.onnx")
        )
        given.write_bytes(encoder_onnx)
        quant_pre_process(given, ready, skip_symbolic_shape=True)
        quantization.quantize_static(
            ready,
            made,
            Inputs(),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=QUANTIZED_LAYERS,
            per_channel=True,
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            # The runtime leaves out a clip that the integers make needless; kept in
            # the graph it still says what the layer computes.
            extra_options={"QDQKeepRemovableActivations": True},
        )
        return made.read_bytes()
