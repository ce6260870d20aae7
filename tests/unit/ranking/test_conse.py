"""ConSE: tags from what ImageNet's classes are called, without a training photo."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import skimage
import sklearn
import torch
from efficientnet_lite_pytorch import EfficientNet

from lablr.encoders.encoder import Preprocessing
from lablr.encoders.text import SentenceEncoder
from lablr.errors import BundleError, TrainingError
from lablr.photos import read_image
from lablr.ranking.methods.conse import ConSE
from lablr.system.npz import pack_arrays, unpack_arrays
from lablr.training.backbones import efficientnet_lite_weights
from lablr.training.conse import make_conse
from lablr.training.imagenet import SIZE, class_names, imagenet_network

LITE = "efficientnet-lite0"
SKIMAGE = Path(skimage.__file__).parent / "data"
SKLEARN = Path(sklearn.__file__).parent / "datasets" / "images"

# Photos that come with scikit-image and scikit-learn, and the one tag that fits.
PHOTOS = {
    SKIMAGE / "chelsea.png": "cat",
    SKIMAGE / "coffee.png": "coffee",
    SKLEARN / "china.jpg": "temple",
    SKLEARN / "flower.jpg": "flower",
}
TAGS = ("boat", "cat", "coffee", "dog", "flower", "ocean", "temple", "truck")


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.stack([read_image(path, SIZE) for path in PHOTOS])


@pytest.fixture(scope="module")
def text_model() -> SentenceEncoder:
    """The text model, which embeds ImageNet's thousand names only once."""
    model = SentenceEncoder.load()
    remembered = functools.cache(model.embed)
    model.embed = lambda texts: remembered(tuple(texts))
    return model


@pytest.fixture(scope="module")
def conse(text_model: SentenceEncoder) -> ConSE:
    return make_conse(TAGS, LITE, text_model)


def copy(conse: ConSE, preprocessing: Preprocessing | None = None, **arrays) -> ConSE:
    """The same with another preprocessing or other arrays."""
    return ConSE(
        conse.network,
        preprocessing or conse.preprocessing,
        conse.to_arrays() | arrays,
        TAGS,
    )


def test_each_photo_gets_its_tag(conse: ConSE, images: np.ndarray):
    best = conse.logits(images).argmax(axis=1)
    assert [TAGS[tag] for tag in best] == list(PHOTOS.values())


def test_the_network_is_the_published_one(conse: ConSE, images: np.ndarray):
    net = EfficientNet.from_name(LITE, image_size=SIZE)
    net.load_state_dict(torch.load(efficientnet_lite_weights(LITE), weights_only=True))
    given = (torch.from_numpy(images).permute(0, 3, 1, 2).float() - 127) / 128
    with torch.no_grad():
        expected = net.eval()(given).softmax(dim=1).numpy()
    np.testing.assert_allclose(conse.probabilities(images), expected, atol=1e-4)
    assert "cat" in class_names()[expected[0].argmax()]


def test_a_photo_is_the_mean_of_its_ten_likeliest_classes(
    conse: ConSE, images: np.ndarray, text_model: SentenceEncoder
):
    classes = text_model.embed(class_names()).astype(np.float64)
    centred = classes - classes.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    for row, vector in zip(
        conse.probabilities(images), conse.vectors(images), strict=True
    ):
        ten = sorted(range(1000), key=lambda i: -row[i])[:10]
        mean = sum(np.sqrt(row[i]) * centred[i] for i in ten)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-3)


def test_any_text_can_be_a_tag(
    conse: ConSE, images: np.ndarray, text_model: SentenceEncoder
):
    scores = conse.scores_of(images, text_model.embed(["kitten", "espresso"]))
    assert scores.shape == (len(images), 2)
    assert scores.argmax(axis=0).tolist() == [0, 1]
    same = conse.scores_of(images, text_model.embed(TAGS))
    np.testing.assert_allclose(same, conse.logits(images), atol=1e-3)
    assert conse.text_digest == text_model.digest
    with pytest.raises(ValueError, match=r"expected \(texts, 384\), found \(2, 3\)"):
        conse.scores_of(images, np.zeros((2, 3)))


def test_several_threads_get_the_same(conse: ConSE, images: np.ndarray):
    expected = conse.logits(images)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(conse.logits, [images] * 4):
            np.testing.assert_array_equal(found, expected)


def test_it_is_written_and_read_back(conse: ConSE, images: np.ndarray):
    arrays = unpack_arrays(pack_arrays(conse.to_arrays(), "conse.npz"), "conse.npz")
    again = ConSE.from_arrays(arrays, TAGS, conse.network)
    assert again.preprocessing == conse.preprocessing
    np.testing.assert_array_equal(again.logits(images), conse.logits(images))


def test_integers_say_nearly_the_same_in_five_megabytes(
    conse: ConSE, images: np.ndarray, text_model: SentenceEncoder
):
    def shown() -> Iterator[np.ndarray]:
        yield from images
        yield from images[:, :, ::-1]

    small = make_conse(TAGS, LITE, text_model, shown())
    assert len(small.network) < 5e6 < len(conse.network) / 3
    likeness = (small.vectors(images) * conse.vectors(images)).sum(axis=1)
    assert 0.9 < likeness.min() < 1
    best = small.logits(images).argmax(axis=1)
    assert [TAGS[tag] for tag in best] == list(PHOTOS.values())


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("embeddings", np.zeros((3, 768), np.uint8)),
        ("embeddings", np.zeros((8, 768), np.float32)),
        ("embeddings", np.full((8, 768), 0xFF, np.uint8)),
        ("class_embeddings", np.zeros((1000, 767), np.uint8)),
        ("class_embeddings", np.zeros((999, 768), np.uint8)),
        ("class_embeddings", np.zeros((), np.uint8)),
        ("centre", np.zeros(0, np.float32)),
        ("centre", np.full(384, np.nan, np.float32)),
        ("text_digest", np.zeros(31, np.uint8)),
    ],
)
def test_arrays_that_make_no_sense_are_refused(conse: ConSE, name: str, array):
    with pytest.raises(BundleError, match=r"conse\.(npz|onnx): "):
        copy(conse, **{name: array})


def test_a_missing_array_is_refused(conse: ConSE):
    arrays = conse.to_arrays()
    del arrays["centre"]
    with pytest.raises(BundleError, match=r"expected centre .* found nothing"):
        ConSE(conse.network, conse.preprocessing, arrays, TAGS)


@pytest.mark.parametrize(
    "preprocessing",
    [np.zeros(6), np.zeros(7), np.full(7, np.nan), np.array([64.5] + [1.0] * 6)],
)
def test_a_preprocessing_that_makes_no_sense_is_refused(conse: ConSE, preprocessing):
    arrays = conse.to_arrays() | {"preprocessing": preprocessing}
    with pytest.raises(BundleError):
        ConSE.from_arrays(arrays, TAGS, conse.network)


def test_a_graph_of_another_kind_is_refused(conse: ConSE):
    small = Preprocessing(64, (127.0,) * 3, (128.0,) * 3)
    with pytest.raises(BundleError, match=r"conse\.onnx: expected .* 64, 64"):
        copy(conse, small)
    with pytest.raises(BundleError, match=r"conse\.onnx is not a usable graph"):
        ConSE(b"no graph", conse.preprocessing, conse.to_arrays(), TAGS)


def test_a_network_without_imagenets_classifier_is_refused():
    with pytest.raises(TrainingError, match="resnet50 has no ImageNet classifier"):
        imagenet_network("resnet50")
