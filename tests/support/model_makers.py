"""Small models for tests: real ONNX encoders and bundles fitted to drawn latents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from lablr.bundle import Bundle
from lablr.encoders.encoder import Preprocessing
from lablr.encoders.encoding import EncodedPhotos
from lablr.fitting.fit import FitConfig, fit_encoded
from lablr.latent_space.gaussians import GaussianStatistics

SIZE = 16
N_LATENT = 6
GREY = Preprocessing(SIZE, (127.0, 127.0, 127.0), (128.0, 64.0, 32.0))


def encoder_weights(n_latent: int = N_LATENT) -> NDArray[np.float32]:
    """(48, d): from the means of 4 x 4 fields of three channels to the latents."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(48, n_latent)).astype(np.float32)


def encoder_model(
    n_latent: int = N_LATENT,
    *,
    image: str = "image",
    image_shape: Sequence[int | str] = ("photos", 3, SIZE, SIZE),
    image_type: int = TensorProto.FLOAT,
    means: str = "posterior_mean",
    means_shape: Sequence[int | str] | None = None,
    log_variances: str = "log_variance",
) -> onnx.ModelProto:
    """A linear encoder of 4 x 4 mean colours; its log-variances are all 0.

    The names, shapes and types may be given otherwise, as a wrong graph has them.
    """
    outputs = ("photos", n_latent) if means_shape is None else means_shape
    side = SIZE // 4
    nodes = [
        helper.make_node("Cast", [image], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node(
            "AveragePool",
            ["pixels"],
            ["fields"],
            kernel_shape=[side, side],
            strides=[side, side],
        ),
        helper.make_node("Flatten", ["fields"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], [means]),
        helper.make_node("Mul", [means, "zero"], [log_variances]),
    ]
    weights = numpy_helper.from_array(encoder_weights(n_latent), "weights")
    zero = numpy_helper.from_array(np.zeros(1, np.float32), "zero")
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info(image, image_type, image_shape)],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, outputs)
            for name in (means, log_variances)
        ],
        [weights, zero],
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8)


def encoder_onnx(n_latent: int = N_LATENT) -> bytes:
    """The bytes of a right `encoder_model`."""
    return bytes(encoder_model(n_latent).SerializeToString())


def encoder_with_features(n_features: int = 4) -> bytes:
    """A right encoder that gives the first of its fields' colours as features."""
    model = encoder_model()
    graph = model.graph
    bounds = {"begin": 0, "end": n_features, "axis": 1}
    for name, value in bounds.items():
        graph.initializer.append(numpy_helper.from_array(np.array([value]), name))
    graph.node.append(helper.make_node("Slice", ["flat", *bounds], ["features"]))
    shape = ("photos", n_features)
    graph.output.append(
        helper.make_tensor_value_info("features", TensorProto.FLOAT, shape)
    )
    return bytes(model.SerializeToString())


def draw_photos(
    n_photos: int = 240,
    n_tags: int = 7,
    n_latent: int = N_LATENT,
    sources: Sequence[str] = ("a", "b"),
    seed: int = 0,
) -> EncodedPhotos:
    """Photos in clusters of tags that overlap; one of four is for validation.

    The last tag occurs in the first source only, and every tag has photos enough.
    """
    rng = np.random.default_rng(seed)
    carries = rng.random((n_photos, n_tags)) < 0.25
    carries[np.arange(n_photos), np.arange(n_photos) % n_tags] = True
    source = np.array(sources)[rng.integers(len(sources), size=n_photos)]
    carries[source != sources[0], -1] = False
    centres = rng.normal(size=(n_tags, n_latent))
    latents = (
        3
        + carries @ centres
        + rng.normal(size=(n_photos, n_latent)) @ _mixing(rng, n_latent)
    )
    noise = 0.1 * rng.normal(size=latents.shape)
    return EncodedPhotos(
        latents=latents.astype(np.float32),
        mirrored=(latents + noise).astype(np.float32),
        membership=carries,
        files=np.array([f"{number}.jpg" for number in range(n_photos)]),
        sources=source,
        is_validation=np.arange(n_photos) % 4 == 3,
        tags=tuple(f"tag{number:05}" for number in range(n_tags)),
    )


def _mixing(rng: np.random.Generator, n_latent: int) -> NDArray[np.float64]:
    return np.eye(n_latent) + 0.3 * rng.normal(size=(n_latent, n_latent))


def statistics_of(photos: EncodedPhotos) -> GaussianStatistics:
    """The sums over all of the photos."""
    return GaussianStatistics.of(
        photos.latents, photos.membership, photos.sources, photos.tags
    )


def make_bundle(
    photos: EncodedPhotos, config: FitConfig | None = None, n_latent: int = N_LATENT
) -> Bundle:
    """Fit a bundle to drawn latents; its encoder is `encoder_onnx`."""
    return fit_encoded(
        photos,
        config or FitConfig(shrinkage=30.0),
        encoder_onnx=encoder_onnx(n_latent),
        preprocessing=GREY.to_dict(),
        model_card="# Drawn",
        provenance={"created": "2025-01-01T00:00:00+00:00"},
    )
