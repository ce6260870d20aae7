"""The encoder at its work, and graphs that are none."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from model_makers import (
    GREY,
    N_LATENT,
    SIZE,
    encoder_model,
    encoder_onnx,
    encoder_weights,
)
from onnx import TensorProto
from places import ROOT

from lablr.bundle import Bundle, bundled_folder
from lablr.encoders.encoder import Encoder, Preprocessing
from lablr.errors import BundleError
from lablr.photos import read_image


@pytest.fixture(scope="module")
def bundled() -> Encoder:
    bundle = Bundle.load(bundled_folder())
    return Encoder(bundle.encoder_onnx, Preprocessing.from_dict(bundle.preprocessing))


def noise(n_photos: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n_photos, SIZE, SIZE, 3), np.uint8)


# --- at work


def test_latents_against_numpy() -> None:
    encoder = Encoder(encoder_onnx(), GREY)
    assert (encoder.size, encoder.n_latent) == (SIZE, N_LATENT)
    images = noise(5)
    found = encoder.encode(images)
    assert (found.shape, found.dtype) == ((5, N_LATENT), np.float32)
    for image, latent in zip(images, found, strict=True):
        fields = image.reshape(4, 4, 4, 4, 3).mean(axis=(1, 3))
        inputs = (fields - GREY.mean) / GREY.scale
        expected = np.moveaxis(inputs, -1, 0).ravel() @ encoder_weights()
        np.testing.assert_allclose(latent, expected, atol=1e-4)


def test_the_posterior_has_the_mean_that_is_served() -> None:
    encoder = Encoder(encoder_onnx(), GREY)
    means, log_variances = encoder.posterior(noise(3))
    assert np.array_equal(means, encoder.encode(noise(3)))
    assert not log_variances.any()


def test_no_photos_have_no_latents() -> None:
    assert Encoder(encoder_onnx(), GREY).encode(noise(0)).shape == (0, N_LATENT)


def test_a_batch_is_its_photos_one_by_one(
    bundled: Encoder, china_jpg: Path, flower_jpg: Path
) -> None:
    photos = [read_image(photo, bundled.size) for photo in (china_jpg, flower_jpg)]
    batch = np.stack([*photos, *(photo[:, ::-1] for photo in photos)])
    together = bundled.encode(batch)
    for image, latent in zip(batch, together, strict=True):
        assert np.array_equal(latent, bundled.encode(image[np.newaxis])[0])
    assert np.abs(together[0] - together[1]).max() > 0.1


def test_threads_share_an_encoder() -> None:
    encoder = Encoder(encoder_onnx(), GREY)
    batches = [noise(1)[:, ::step] for step in (1, -1)] * 20
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(encoder.encode, batches))
    for batch, latents in zip(batches, at_once, strict=True):
        assert np.array_equal(latents, encoder.encode(batch))


# --- graphs that are no encoder


@pytest.mark.parametrize(
    "model",
    [
        b"",
        b"no graph",
        bytes(range(256)) * 10,
        encoder_onnx()[:-1],
        encoder_onnx()[: len(encoder_onnx()) // 2],
    ],
    ids=["empty", "text", "noise", "short", "half"],
)
def test_garbage_is_refused(model: bytes) -> None:
    with pytest.raises(BundleError, match=r"encoder\.onnx"):
        Encoder(model, GREY)


@pytest.mark.parametrize(
    "wrong",
    [
        {"means": "mean"},
        {"log_variances": "sigma"},
        {"image": "photo"},
        {"image_shape": (1, 3, SIZE, SIZE)},
        {"image_shape": ("photos", 3, SIZE, 2 * SIZE)},
        {"image_shape": ("photos", SIZE, SIZE, 3)},
        {"image_type": TensorProto.UINT8},
        {"means_shape": (1, N_LATENT)},
    ],
    ids=str,
)
def test_a_graph_that_is_no_encoder_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match=r"encoder\.onnx"):
        Encoder(encoder_model(**wrong).SerializeToString(), GREY)


def test_a_preprocessing_of_another_size_is_refused() -> None:
    other = Preprocessing(SIZE + 1, GREY.mean, GREY.scale)
    with pytest.raises(BundleError, match=r"expected image \(N, 3, 17, 17\)"):
        Encoder(encoder_onnx(), other)


def test_a_second_input_is_refused() -> None:
    model = encoder_model()
    second = onnx.helper.make_tensor_value_info("tags", TensorProto.FLOAT, (1,))
    model.graph.input.append(second)
    with pytest.raises(BundleError, match="tags"):
        Encoder(model.SerializeToString(), GREY)


def test_weights_in_another_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "encoder.onnx"
    onnx.save_model(
        encoder_model(),
        path,
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    assert (tmp_path / "weights.bin").exists()
    monkeypatch.chdir(tmp_path)  # where ONNX Runtime would look for it
    with pytest.raises(BundleError, match="another file"):
        Encoder(path.read_bytes(), GREY)


def test_onnx_runtimes_own_format_is_refused(tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "encoder.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(
        encoder_onnx(), options, providers=["CPUExecutionProvider"]
    )
    model = (tmp_path / "encoder.ort").read_bytes()
    assert model[4:8] == b"ORTM"
    with pytest.raises(BundleError, match="not a usable graph"):
        Encoder(model, GREY)


# --- preprocessing


def test_preprocessing_comes_back_from_a_manifest() -> None:
    assert Preprocessing.from_dict(GREY.to_dict()) == GREY


def test_normalize_against_a_loop() -> None:
    images = noise(2)
    found = GREY.normalize(images)
    assert (found.shape, found.dtype) == ((2, 3, SIZE, SIZE), np.float32)
    assert found.flags.c_contiguous
    for channel in range(3):
        expected = (images[..., channel] - GREY.mean[channel]) / GREY.scale[channel]
        np.testing.assert_allclose(found[:, channel], expected, rtol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"size": 0},
        {"size": -1},
        {"size": 1025},
        {"size": "wide"},
        {"size": None},
        {"size": float("inf")},
        {"mean": 127.0},
        {"mean": [127.0] * 2},
        {"mean": [127.0, 127.0, float("nan")]},
        {"mean": ["a", "b", "c"]},
        {"scale": [128.0] * 4},
        {"scale": [128.0, 0.0, 128.0]},
        {"scale": [128.0, -1.0, 128.0]},
        {"scale": [float("inf")] * 3},
    ],
    ids=str,
)
def test_preprocessing_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BundleError):
        Preprocessing.from_dict(GREY.to_dict() | change)
    without = {k: v for k, v in GREY.to_dict().items() if k not in change}
    with pytest.raises(BundleError, match="unreadable"):
        Preprocessing.from_dict(without)


def test_nothing_is_reported_or_left_behind(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ORT_")}
    load = "import lablr; lablr.Tagger.load()"
    subprocess.run(
        [sys.executable, "-c", load],
        check=True,
        cwd=ROOT,
        env=environment | {"TMPDIR": str(tmp_path), "OPENBLAS_NUM_THREADS": "1"},
    )
    assert not list(tmp_path.iterdir())
