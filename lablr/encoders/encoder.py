"""The encoder as it serves: images in, posterior means out, by ONNX Runtime.

A photo that comes alone is encoded by two threads, in two thirds of the time of one.
Photos that come together take one thread each, which together are quicker than two
for each in turn. Both give the same latents to the last bit.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from lablr.encoders.session import open_session
from lablr.errors import BundleError
from lablr.system.arrays import Float32s, Pixels
from lablr.system.cpu import available_threads

MAX_SIZE = 1024
MAX_THREADS_A_PHOTO = 2  # more help little
MAX_FEATURE = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Preprocessing:
    """The way of an image to the encoder's input.

    Parameters
    ----------
    size : side of the square image, in pixels.
    mean, scale : one number a channel; the input is ``(pixel - mean) / scale``.
    """

    size: int
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Read from a manifest; raises `BundleError` when a value makes no sense."""
        try:
            size = int(values["size"])
            mean = tuple(float(value) for value in values["mean"])
            scale = tuple(float(value) for value in values["scale"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise BundleError(f"the preprocessing is unreadable: {error!r}") from error
        sensible = (
            0 < size <= MAX_SIZE
            and len(mean) == len(scale) == 3
            and np.isfinite([*mean, *scale]).all()
            and min(scale) > 0
        )
        if not sensible:
            raise BundleError(
                f"expected a size up to {MAX_SIZE} px and three means and scales, "
                f"found size {size}, mean {mean}, scale {scale}"
            )
        return cls(size, mean, scale)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a manifest."""
        return {"size": self.size, "mean": list(self.mean), "scale": list(self.scale)}

    def normalize(self, images: Pixels) -> Float32s:
        """Return float32 (N, 3, H, W) for the encoder, of uint8 images (N, H, W, 3)."""
        mean = np.array(self.mean, np.float32).reshape(-1, 1, 1)
        factor = (1 / np.array(self.scale)).astype(np.float32).reshape(-1, 1, 1)
        # Bytes are moved before they become floats: a quarter of the memory.
        channels_first = np.moveaxis(images, -1, 1).astype(np.float32, order="C")
        channels_first -= mean
        channels_first *= factor
        return channels_first


class Encoder:
    """The convolutional encoder of a bundle.

    Parameters
    ----------
    model : the bytes of an ONNX graph with input ``image`` (N, 3, S, S) float32 and
        outputs ``posterior_mean`` and ``log_variance`` (N, d); where it has an output
        ``features`` (N, F) as well (`lablr.encoders.features`), `describe` gives them.
    preprocessing : how images become its input.

    Attributes
    ----------
    n_latent : d.
    n_features : F; 0 without that output.

    Raises `BundleError` when the graph is not such an encoder.
    """

    def __init__(self, model: bytes, preprocessing: Preprocessing) -> None:
        self._together = self._alone = open_session(model, 1, "encoder.onnx")
        if available_threads() > 1:
            self._alone = open_session(model, MAX_THREADS_A_PHOTO, "encoder.onnx")
        self._n_running, self._lock = 0, threading.Lock()
        self.preprocessing = preprocessing
        shapes = _checked_shapes(self._together, preprocessing.size)
        self.n_latent = _width(shapes["posterior_mean"])
        self.n_features = _width(shapes.get("features", (0,)))

    @property
    def size(self) -> int:
        """Return the side of the images it takes, in pixels."""
        return self.preprocessing.size

    @property
    def n_description(self) -> int:
        """Return the length of a row of `describe`: d + F."""
        return self.n_latent + self.n_features

    def encode(self, images: Pixels) -> Float32s:
        """Return posterior means (N, d) of uint8 images (N, S, S, 3)."""
        return self._run(images, ["posterior_mean"])[0]

    def describe(self, images: Pixels) -> Float32s:
        """Return posterior means, then features, of images: (N, d + F).

        The features F are what the heads of its networks see, rounded to half
        precision so that they travel in few bytes. A mean keeps of them what the VAE
        needs; a classifier finds some more (`lablr.ranking.methods`).
        """
        if not self.n_features:
            return self.encode(images)
        means, features = self._run(images, ["posterior_mean", "features"])
        # Beyond half precision's range is nothing that an encoder should give.
        bounded = np.clip(features, -MAX_FEATURE, MAX_FEATURE)
        halved = bounded.astype(np.float16).astype(np.float32)
        return np.concatenate([means, halved], axis=1)

    def features(self, images: Pixels) -> Float32s:
        """Return features (N, F) of uint8 images; `BundleError` without any."""
        if not self.n_features:
            raise BundleError("encoder.onnx gives no features")
        return self._run(images, ["features"])[0]

    def posterior(self, images: Pixels) -> tuple[Float32s, Float32s]:
        """Return posterior means and log-variances, each (N, d), of uint8 images."""
        means, log_variances = self._run(images, ["posterior_mean", "log_variance"])
        return means, log_variances

    def _run(self, images: Pixels, outputs: list[str]) -> list[Float32s]:
        """Return the named outputs, each (N, its width), of uint8 images.

        One photo at a time: on one core a batch is no quicker, takes several times
        the memory, and its photos would change each other's last digits.
        """
        widths = [
            self.n_features if name == "features" else self.n_latent for name in outputs
        ]
        found = [np.empty((len(images), width), np.float32) for width in widths]
        with self._session_for(len(images)) as session:
            for row, image in enumerate(images):
                inputs = {"image": self.preprocessing.normalize(image[np.newaxis])}
                for output, numbers in zip(
                    found, session.run(outputs, inputs), strict=True
                ):
                    output[row] = numbers[0]
        return found

    @contextmanager
    def _session_for(self, n_images: int) -> Iterator[Any]:
        """Open the session for so many images, given what else is being encoded."""
        with self._lock:
            self._n_running += 1
            is_alone = n_images == self._n_running == 1
        try:
            yield self._alone if is_alone else self._together
        finally:
            with self._lock:
                self._n_running -= 1


Shapes = dict[str, Sequence[int | str | None]]


def _checked_shapes(session: Any, size: int) -> Shapes:
    """Return the shapes of a graph's inputs and outputs.

    Raises `BundleError` when it is no encoder.
    """
    inputs = {given.name: given.shape for given in session.get_inputs()}
    outputs = {given.name: given.shape for given in session.get_outputs()}
    shapes: Shapes = inputs | outputs
    d = (outputs.get("posterior_mean") or [None])[-1]
    f = (outputs.get("features") or [0])[-1]
    expected: dict[str, tuple[int | None, ...]] = {
        "image": (None, 3, size, size),
        "posterior_mean": (None, d),
        "log_variance": (None, d),
    }
    if "features" in outputs:
        expected["features"] = (None, f)
    fits = (
        list(inputs) == ["image"]
        and session.get_inputs()[0].type == "tensor(float)"
        and isinstance(d, int)
        and isinstance(f, int)
        and all(_allows(shapes.get(name), shape) for name, shape in expected.items())
    )
    if not fits:
        raise BundleError(
            f"encoder.onnx: expected image (N, 3, {size}, {size}) float32, "
            f"posterior_mean (N, d), log_variance (N, d) and perhaps features (N, F), "
            f"found {shapes}"
        )
    return shapes


def _width(shape: Sequence[int | str | None]) -> int:
    """Return the numbers a photo, of an output whose shape was checked."""
    return int(shape[-1] or 0)


def _allows(
    shape: Sequence[int | str | None] | None, expected: Sequence[int | None]
) -> bool:
    """Tell whether a graph's shape, where a name is any number, allows `expected`.

    The first axis is that of the photos and must be free.
    """
    return (
        shape is not None
        and len(shape) == len(expected)
        and not isinstance(shape[0], int)
        and all(
            n is None or not isinstance(own, int) or own == n
            for own, n in zip(shape, expected, strict=True)
        )
    )
