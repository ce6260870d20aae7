"""Tags without a single training photo, by what ImageNet's classes are called.

Norouzi et al., "Zero-Shot Learning by Convex Combination of Semantic Embeddings"
(ICLR 2014): a network that knows 1,000 classes looks at the photo; the texts of the
classes it finds likeliest, weighted by their probabilities, are a point among texts,

    f(x) = sum_i w_i(x) s_i / sum_i w_i(x),  i over the K likeliest classes,

and a tag fits by the cosine between that point and its own text. The paper's weights
are the probabilities; a photo of people and dogs on a beach shows more than one
class, so ours are softened by a temperature, w_i = p_i^(1/temperature). Any text can
be a tag (`ConSE.scores_of`). Unlike the other methods' its x are images.

As in `lablr.ranking.methods.semantic`, sentence embeddings all lean one way, so their
mean over the classes, the `centre`, is taken off every text before its length is made
1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lablr.encoders.encoder import Preprocessing
from lablr.encoders.session import open_session
from lablr.errors import BundleError
from lablr.latent_space.arrays import checked
from lablr.ranking.methods.semantic import unit_rows, unit_texts
from lablr.system.arrays import Arrays, Float32s, Floats, Pixels

NETWORK = "conse.onnx"
ARRAYS = "conse.npz"
N_LIKELIEST = 10  # K, as in the paper
TEMPERATURE = 2.0


class ConSE:
    """Cosines between photos and the texts of tags, with no photo to learn from.

    Safe to call from several threads; a call takes one.

    Parameters
    ----------
    network : the bytes of an ONNX graph with input ``image`` (N, 3, S, S) float32
        and output ``classes`` (N, C), probabilities.
    preprocessing : how images become its input.
    arrays : ``class_embeddings`` and ``embeddings`` (of the tags) as
        `pack_embeddings` packs (C, e) and (T, e); ``centre`` (e,) float32;
        ``text_digest`` (32,) uint8, the digest of the text model they are from.
    tags : T names.
    Raises `BundleError` when the graph or an array makes no sense.
    """

    name: ClassVar[str] = "conse"

    def __init__(
        self,
        network: bytes,
        preprocessing: Preprocessing,
        arrays: Arrays,
        tags: Sequence[str],
    ) -> None:
        self.network = network
        self.preprocessing = preprocessing
        self.tags = tuple(tags)
        self._session = open_session(network, 1, NETWORK)
        self._arrays = _checked_arrays(arrays, len(self.tags))
        _check_graph(
            self._session, preprocessing.size, len(self._arrays["class_embeddings"])
        )
        self.centre = self._arrays["centre"].astype(np.float64)
        self._classes = self.vectors_of(_unpacked(self._arrays["class_embeddings"]))
        self._tags = self.vectors_of(_unpacked(self._arrays["embeddings"]))

    @property
    def text_digest(self) -> str:
        """Return the digest of the text model that `scores_of` understands."""
        return self._arrays["text_digest"].tobytes().hex()

    def probabilities(self, images: Pixels) -> Float32s:
        """Return probabilities (N, C) of ImageNet's classes on images (N, S, S, 3).

        Images of another side than its own are resized.

        One photo at a time, as in `lablr.encoders.encoder`: its numbers do not depend
        on the company it comes in, and memory does not grow.
        """
        found = np.empty((len(images), len(self._classes)), np.float32)
        for row, image in enumerate(images):
            fitted = _resized(image, self.preprocessing.size)
            inputs = {"image": self.preprocessing.normalize(fitted[np.newaxis])}
            found[row] = self._session.run(["classes"], inputs)[0][0]
        return found

    def vectors(self, images: Pixels) -> Floats:
        """Return unit vectors (N, e) of images, comparable with `vectors_of`."""
        return self.combined(self.probabilities(images))

    def combined(self, probabilities: Float32s) -> Floats:
        """Return the unit convex combination (N, e) of the likeliest classes."""
        likeliest = np.argsort(-probabilities, axis=1, kind="stable")[:, :N_LIKELIEST]
        weights = np.take_along_axis(probabilities, likeliest, axis=1)
        weights = weights ** (1 / TEMPERATURE)
        weighted = weights[:, :, np.newaxis] * self._classes[likeliest]
        return unit_rows(weighted.sum(axis=1, dtype=np.float64))

    def vectors_of(self, embeddings: ArrayLike) -> Floats:
        """Return unit vectors (M, e) of texts, of the text model's embeddings."""
        return unit_texts(embeddings, self.centre)

    def scores_of(self, images: Pixels, embeddings: ArrayLike) -> Floats:
        """Return cosines (N, M) of images and any texts, by their embeddings (M, e)."""
        return np.asarray(self.vectors(images) @ self.vectors_of(embeddings).T)

    def logits(self, images: Pixels) -> Floats:
        """Return cosines (N, T) of images (N, S, S, 3) and the tags."""
        return np.asarray(self.vectors(images) @ self._tags.T)

    def to_arrays(self) -> Arrays:
        """Return arrays for a bundle, beside the bytes of the `network`."""
        given = self.preprocessing
        numbers = np.array([given.size, *given.mean, *given.scale], np.float64)
        return self._arrays | {"preprocessing": numbers}

    @classmethod
    def from_arrays(cls, arrays: Arrays, tags: Sequence[str], network: bytes) -> ConSE:
        """Read back `to_arrays`; raises `BundleError` when they make no sense."""
        numbers = checked(arrays, "preprocessing", (7,), ARRAYS)
        size, *means_and_scales = numbers.tolist()
        preprocessing = Preprocessing.from_dict(
            {"size": size, "mean": means_and_scales[:3], "scale": means_and_scales[3:]}
        )
        return cls(network, preprocessing, arrays, tags)


def _resized(image: Pixels, size: int) -> Pixels:
    """Resize a square image (S, S, 3) to this side."""
    if image.shape[:2] == (size, size):
        return image
    from PIL import Image

    square = Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(square)


def pack_embeddings(rows: Float32s) -> NDArray[np.uint8]:
    """Pack embeddings (N, e) in half precision as bytes (N, 2e), low byte first."""
    return rows.astype("<f2").view(np.uint8)


def _unpacked(packed: NDArray[np.uint8]) -> NDArray[np.float16]:
    return np.ascontiguousarray(packed).view("<f2")


def _checked_arrays(arrays: Arrays, n_tags: int) -> Arrays:
    """Return the arrays; raises `BundleError` unless they fit each other."""
    centre = checked(arrays, "centre", (None,), ARRAYS, np.float32)
    shapes = {
        "class_embeddings": (None, 2 * centre.size),
        "embeddings": (n_tags, 2 * centre.size),
        "text_digest": (32,),
    }
    found = {
        name: checked(arrays, name, shape, ARRAYS, np.uint8)
        for name, shape in shapes.items()
    }
    for name in ("class_embeddings", "embeddings"):
        if not np.isfinite(_unpacked(found[name])).all():
            raise BundleError(f"{ARRAYS}: the numbers of {name} are not all finite")
    return found | {"centre": centre}


def _check_graph(session: Any, size: int, n_classes: int) -> None:
    """Raise `BundleError` unless the graph takes such images and names the classes."""
    found = {
        given.name: (given.type, given.shape[1:])
        for given in [*session.get_inputs(), *session.get_outputs()]
    }
    expected = {
        "image": ("tensor(float)", [3, size, size]),
        "classes": ("tensor(float)", [n_classes]),
    }
    if found != expected:
        raise BundleError(f"{NETWORK}: expected {expected}, found {found}")
