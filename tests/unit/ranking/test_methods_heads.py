"""The heads as they serve, beside naive versions; what they refuse."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from lablr.errors import BundleError
from lablr.ranking.methods.classifier import Classifier
from lablr.ranking.methods.layers import Layers
from lablr.ranking.methods.semantic import Semantic
from lablr.ranking.methods.triplet import Triplet
from lablr.system.npz import pack_arrays, unpack_arrays

TAGS = ("cat", "dog", "sky")
METHODS = (Classifier, Triplet, Semantic)
N, P, E = 7, 5, 4


def some_layers(seed: int, *widths: int) -> Layers:
    generator = np.random.default_rng(seed)
    pairs = list(itertools.pairwise(widths))
    return Layers(
        tuple(generator.normal(size=pair) for pair in pairs),
        tuple(generator.normal(size=after) for _, after in pairs),
    )


def some_x(seed: int = 9) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(N, P)).astype(np.float32)


def a_method(kind: type, *hidden: int):
    generator = np.random.default_rng(3)
    if kind is Classifier:
        return Classifier(some_layers(0, P, *hidden, len(TAGS)), TAGS)
    points = generator.normal(size=(len(TAGS), E))
    if kind is Triplet:
        return Triplet(some_layers(0, P, *hidden, E), points, TAGS)
    centre = generator.normal(size=E)
    spread = generator.normal(size=(E, E))
    mean, covariance = generator.normal(size=E), spread @ spread.T
    layers = some_layers(0, P, *hidden, E)
    return Semantic(layers, points, centre, mean, covariance, TAGS)


def naive_layers(layers: Layers, row: np.ndarray) -> np.ndarray:
    values = row.astype(float)
    for number, (weight, bias) in enumerate(
        zip(layers.weights, layers.biases, strict=True)
    ):
        if number:
            values = np.array([max(value, 0.0) for value in values])
        values = np.array(
            [sum(values * column) + b for column, b in zip(weight.T, bias, strict=True)]
        )
    return values


@pytest.mark.parametrize("hidden", [(), (6,), (6, 3)])
def test_layers_are_what_they_say(hidden):
    layers, x = some_layers(1, P, *hidden, 3), some_x()
    expected = [naive_layers(layers, row) for row in x]
    np.testing.assert_allclose(layers(x), expected, rtol=1e-12)
    assert (layers.n_inputs, layers.n_outputs) == (P, 3)


@pytest.mark.parametrize("hidden", [(), (6,)])
def test_the_mean_of_heads_is_one_head(hidden):
    heads = [some_layers(seed, P, *hidden, 3) for seed in range(4)]
    x = some_x()
    mean = np.mean([head(x) for head in heads], axis=0)
    one = Layers.mean_of(heads)
    np.testing.assert_allclose(one(x), mean, rtol=1e-10, atol=1e-12)
    assert len(one.weights) == 1 + len(hidden)


def test_deep_heads_have_no_mean():
    with pytest.raises(ValueError, match="several hidden layers"):
        Layers.mean_of([some_layers(seed, P, 6, 6, 3) for seed in range(2)])


def test_a_triplet_scores_by_distance():
    method, x = a_method(Triplet), some_x()
    expected = [
        [-np.linalg.norm(naive_layers(method.layers, row) - point) for point in points]
        for row, points in zip(x, [method.points] * N, strict=True)
    ]
    np.testing.assert_allclose(method.logits(x), expected, rtol=1e-10)


def test_a_photo_on_its_tag_is_at_distance_nothing():
    method, x = a_method(Triplet), some_x()
    there = method.with_tag("here", x[:1])
    assert there.logits(x[:1])[0, -1] == pytest.approx(0, abs=1e-6)
    assert (there.logits(x) <= 0).all()


def test_semantics_score_by_cosine_in_units_of_what_is_usual():
    method, x = a_method(Semantic), some_x()
    texts = [text - method.centre for text in method.embeddings]
    texts = [text / np.linalg.norm(text) for text in texts]
    for row, found in zip(x, method.logits(x), strict=True):
        photo = naive_layers(method.layers, row)
        photo = photo / np.linalg.norm(photo)
        for text, score in zip(texts, found, strict=True):
            usual = np.sqrt(text @ method.covariance @ text)
            expected = (photo @ text - method.mean @ text) / usual
            assert score == pytest.approx(expected, rel=1e-9)


def test_the_usual_photo_scores_nothing_with_every_text():
    """Over the photos whose moments it has, each text has mean 0 and variance 1."""
    method = a_method(Semantic)
    x = np.random.default_rng(2).normal(size=(500, P))
    vectors = method.vectors(x)
    covariance = np.cov(vectors, rowvar=False, bias=True)
    usual = dataclasses.replace(
        method, mean=vectors.mean(axis=0), covariance=covariance
    )
    texts = np.random.default_rng(4).normal(size=(6, E))
    scores = usual.scores_of(x, texts)
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(scores.std(axis=0), 1, rtol=1e-9)


def test_semantics_score_texts_never_trained_on():
    method, x = a_method(Semantic), some_x()
    texts = np.random.default_rng(5).normal(size=(2, E))
    both = np.vstack([method.embeddings, texts])
    scores = method.scores_of(x, both)
    np.testing.assert_allclose(scores[:, :3], method.logits(x), rtol=1e-12)
    with pytest.raises(ValueError, match=r"expected \(texts, 4\)"):
        method.scores_of(x, np.zeros((2, E + 1)))


def test_what_is_novel_gets_its_chance():
    method, x = a_method(Semantic), some_x()
    novel = np.array([False, True, False])
    plain = method.scores_of(x, method.embeddings)
    found = method.scores_of(x, method.embeddings, novel)
    np.testing.assert_allclose(found - plain, np.tile(0.5 * novel, (N, 1)), atol=1e-12)


def test_a_photo_in_the_centre_has_no_direction():
    layers = Layers((np.zeros((P, E)),), (np.zeros(E),))
    nothing, flat = np.zeros(E), np.zeros((E, E))
    method = Semantic(layers, np.ones((3, E)), nothing, nothing, flat, TAGS)
    assert not method.logits(some_x()).any()


@pytest.mark.parametrize("hidden", [(), (6,)])
@pytest.mark.parametrize("kind", METHODS)
def test_a_method_comes_back_from_its_arrays(kind, hidden):
    method, x = a_method(kind, *hidden), some_x()
    packed = pack_arrays(method.to_arrays(), f"{method.name}.npz")
    arrays = unpack_arrays(packed, f"{method.name}.npz")
    again = kind.from_arrays(arrays, TAGS)
    np.testing.assert_allclose(again.logits(x), method.logits(x), rtol=2e-5, atol=1e-5)
    assert again.n_inputs == P
    assert again.tags == TAGS
    # Once in float32 nothing changes any more.
    assert pack_arrays(again.to_arrays(), f"{method.name}.npz") == packed


@pytest.mark.parametrize("kind", METHODS)
def test_a_method_wants_the_inputs_it_was_trained_on(kind):
    method = a_method(kind)
    for x in (np.zeros((N, P + 1)), np.zeros(P)):
        with pytest.raises(ValueError, match=r"expected \(photos, 5\)"):
            method.logits(x)


@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize("n_photos", [0, 1, 3])
def test_photos_are_scored_alike_alone_and_together(kind, n_photos):
    method, x = a_method(kind, 6), some_x()
    together = method.logits(x)
    assert together.dtype == np.float64
    np.testing.assert_allclose(
        method.logits(x[:n_photos]), together[:n_photos], rtol=1e-12, atol=1e-12
    )


def broken(kind: type):
    """Arrays that make no sense for a method, and what the error should say."""
    arrays = a_method(kind, 6).to_arrays()
    last = "weight_2" if kind is Classifier else "bias_2"
    yield {}, "no weight_1"
    yield arrays | {"weight_1": arrays["weight_1"][0]}, "expected weight_1"
    yield arrays | {"weight_1": arrays["weight_1"][:0]}, "expected weight_1"
    yield arrays | {"weight_1": arrays["weight_1"].astype(np.int64)}, "found .* int64"
    yield arrays | {"bias_1": arrays["bias_1"][1:]}, "expected bias_1"
    yield {key: arrays[key] for key in arrays if key != "bias_2"}, "found nothing"
    yield arrays | {"weight_2": arrays["weight_2"][1:]}, "leads to one of 5"
    yield arrays | {last: np.full_like(arrays[last], np.nan)}, "not all finite"
    for name in ("points", "embeddings", "centre", "mean", "covariance"):
        if name in arrays:
            yield arrays | {name: arrays[name][1:]}, f"expected {name}"


@pytest.mark.parametrize("kind", METHODS)
def test_arrays_that_make_no_sense_are_refused(kind):
    for arrays, message in broken(kind):
        with pytest.raises(BundleError, match=message) as caught:
            kind.from_arrays(arrays, TAGS)
        assert f"{kind.name}.npz" in str(caught.value)


@pytest.mark.parametrize("kind", METHODS)
def test_arrays_of_other_tags_are_refused(kind):
    with pytest.raises(BundleError, match=kind.name):
        kind.from_arrays(a_method(kind).to_arrays(), TAGS[1:])


def test_a_tag_is_added_where_its_photos_lie():
    method, x = a_method(Triplet), some_x()
    more = method.with_tag("tulip", x[:3])
    assert more.tags == (*TAGS, "tulip")
    np.testing.assert_allclose(more.points[-1], method.vectors(x[:3]).mean(axis=0))
    np.testing.assert_allclose(more.logits(x)[:, :3], method.logits(x), rtol=1e-12)


def test_a_tag_that_is_there_is_moved():
    method, x = a_method(Triplet), some_x()
    moved = method.with_tag("dog", x)
    assert moved.tags == TAGS
    np.testing.assert_allclose(moved.points[1], method.vectors(x).mean(axis=0))
    np.testing.assert_array_equal(moved.points[[0, 2]], method.points[[0, 2]])


def test_a_tag_needs_a_photo():
    with pytest.raises(ValueError, match="'fog' needs a photo"):
        a_method(Triplet).with_tag("fog", np.zeros((0, P)))
