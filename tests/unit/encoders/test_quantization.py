"""An encoder in 8-bit integers, made from one in floating point."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from training_makers import make_corpus
from training_runs import LITE

from lablr.bundle import Bundle
from lablr.corpus import Corpus
from lablr.corpus.images import read_images
from lablr.encoders import quantization
from lablr.encoders.encoder import Encoder
from lablr.encoders.encoding import encode_corpus
from lablr.encoders.quantization import quantize, sample_images
from lablr.encoders.source import read_encoder
from lablr.errors import FitError
from lablr.fitting.fit import FitConfig, fit
from lablr.training.export import export_encoder
from lablr.training.vae import VAE, VAEConfig


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("corpus"), n_train=30)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """The encoder of a pretrained net, its heads as they were drawn."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(4)
    export_encoder(VAE(VAEConfig(**LITE), n_tags=3), folder)
    return folder


@pytest.fixture(scope="module")
def fitted(corpus, run) -> Bundle:
    return fit(corpus, *read_encoder(run), FitConfig(quantize=True))


@pytest.fixture(scope="module")
def small(fitted) -> bytes:
    return fitted.encoder_onnx


def test_a_bundle_is_fitted_to_it(fitted):
    assert b"QuantizeLinear" in fitted.encoder_onnx
    assert fitted.settings["quantize"] is True


def test_latents_are_nearly_those_of_the_floats(corpus, run, small):
    model, preprocessing = read_encoder(run)
    floats = encode_corpus(corpus, Encoder(model, preprocessing)).latents
    found = encode_corpus(corpus, Encoder(small, preprocessing)).latents
    assert not np.array_equal(found, floats)
    norms = np.linalg.norm(floats, axis=1) * np.linalg.norm(found, axis=1)
    assert ((floats * found).sum(axis=1) / norms).min() > 0.9


def test_convolutions_are_in_seven_bits_and_the_heads_in_floats(small, run):
    graph = onnx.load_from_string(small).graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    made_by = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        if node.op_type == "Conv":
            weight = numpy_helper.to_array(tensors[made_by[node.input[1]].input[0]])
            assert weight.dtype == np.int8
            assert np.abs(weight.astype(int)).max() <= 64
        if node.op_type == "Gemm":
            assert numpy_helper.to_array(tensors[node.input[1]]).dtype == np.float32
    assert len(small) < 0.6 * (run / "encoder.onnx").stat().st_size


def test_integers_are_not_quantized_again(corpus, run, small):
    _, preprocessing = read_encoder(run)
    with pytest.raises(FitError, match="already"):
        quantize(small, preprocessing, corpus)


def test_ranges_come_from_training_photos_all_over_the_corpus(corpus, monkeypatch):
    monkeypatch.setattr(quantization, "N_PHOTOS", 4)
    every = [image.tobytes() for _, image in read_images(corpus.photos("train"), 64)]
    places = [every.index(image.tobytes()) for image in sample_images(corpus, 64)]
    assert places == [0, 7, 14, 21]


def test_a_photo_that_cannot_be_read_is_left_out(tmp_path, caplog):
    corpus = make_corpus(tmp_path, 4, 1, side=32)
    broken = next(corpus.photos("train"))
    broken.path.write_bytes(b"no photo")
    assert len(list(sample_images(corpus, 32))) == 3
    assert broken.file in caplog.text
