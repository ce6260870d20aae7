"""Methods beside the Gaussians: neighbours, blend, and how a bundle keeps them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from model_makers import GREY, N_LATENT, draw_photos, encoder_onnx
from scipy.special import expit
from training_makers import make_corpus

from lablr.bundle import Bundle
from lablr.encoders.encoder import Encoder
from lablr.errors import BundleError, FitError, RankingError
from lablr.fitting.evaluate import evaluate_bundle
from lablr.fitting.fit import FitConfig, fit
from lablr.fitting.methods import MethodRun, combine
from lablr.ranking.methods.classifier import Classifier
from lablr.ranking.methods.layers import Layers
from lablr.ranking.methods.neighbours import (
    N_VOTES,
    SMOOTHING,
    TEMPERATURE,
    NeighbourPhotos,
    Neighbours,
)
from lablr.ranking.methods.stacking import Blend, log_odds
from lablr.ranking.tagger import Tagger
from lablr.system.npz import pack_arrays


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(
        tmp_path_factory.mktemp("corpus") / "corpus", n_train=90, n_val=40, side=64
    )


@pytest.fixture(scope="module")
def plain(corpus) -> Bundle:
    config = FitConfig(shrinkage=30.0)
    return fit(corpus, encoder_onnx(), GREY, config, model_card="# Drawn")


def classifier_run(folder: Path, bundle: Bundle, **changes: object) -> MethodRun:
    """A run of a classifier whose weights are drawn."""
    rng = np.random.default_rng(1)
    n_tags = len(bundle.tags)
    layers = Layers.from_arrays(
        {
            "weight_1": rng.normal(size=(N_LATENT, n_tags)).astype(np.float32),
            "bias_1": np.zeros(n_tags, np.float32),
        },
        "method.npz",
    )
    folder.mkdir()
    arrays = Classifier(layers, bundle.tags).to_arrays()
    (folder / "method.npz").write_bytes(pack_arrays(arrays, "method.npz"))
    description = {
        "method": "classifier",
        "tags": bundle.tags,
        "encoder_sha256": hashlib.sha256(bundle.encoder_onnx).hexdigest(),
        **changes,
    }
    (folder / "config.json").write_text(json.dumps(description))
    return MethodRun.read(folder)


@pytest.fixture(scope="module")
def combined(plain, corpus, tmp_path_factory) -> Bundle:
    run = classifier_run(tmp_path_factory.mktemp("runs") / "classifier", plain)
    return combine(plain, corpus, [run])


def drawn_neighbours(n_photos: int = 300) -> tuple[NeighbourPhotos, Neighbours]:
    photos = draw_photos(n_photos)
    kept = NeighbourPhotos.of(
        photos.latents,
        photos.membership,
        [str(file) for file in photos.files],
        photos.sources,
        [str(number) for number in range(n_photos)],
        photos.tags,
    )
    absence = {name: np.full(len(photos.tags), 1.0) for name in ("a", "b")}
    absence["b"][-1] = 0.1
    return kept, Neighbours.fit(kept, absence)


def test_votes_are_those_of_the_formula() -> None:
    kept, neighbours = drawn_neighbours()
    queries = np.random.default_rng(3).normal(3, 2, (5, N_LATENT)).astype(np.float32)
    latents = kept.latents.astype(np.float16).astype(float)
    mean, scale = neighbours.mean.astype(float), neighbours.scale.astype(float)
    for query, found in zip(queries, neighbours.logits(queries), strict=True):
        u = (query - mean) / scale
        rows = [(row - mean) / scale for row in latents]
        cosines = [u @ v / np.linalg.norm(u) / np.linalg.norm(v) for v in rows]
        near = np.argsort(cosines)[::-1][:N_VOTES]
        for tag in range(len(kept.tags)):
            votes = heard = total = 0.0
            for i in near:
                weight = np.exp((cosines[i] - 1) / TEMPERATURE)
                has = kept.membership[i, tag]
                unknown = kept.sources[i] == "b" and tag == len(kept.tags) - 1
                votes += weight * has
                heard += weight * (0.1 if unknown and not has else 1.0)
                total += weight
            share = (kept.membership[:, tag].sum() + 0.5) / (len(latents) + 1)
            prior = SMOOTHING * total
            p = (votes + prior * share) / (heard + prior)
            assert found[tag] == pytest.approx(np.log(p / (1 - p)), rel=1e-3, abs=1e-3)


def test_the_photos_kept_do_not_depend_on_their_order(monkeypatch) -> None:
    monkeypatch.setattr("lablr.ranking.methods.neighbours.MAX_PHOTOS", 50)
    photos = draw_photos()

    def kept(rows) -> NeighbourPhotos:
        some = photos.rows(rows)
        files = [str(file) for file in some.files]
        return NeighbourPhotos.of(
            some.latents, some.membership, files, some.sources, files, photos.tags
        )

    whole = kept(np.arange(240))
    halves = NeighbourPhotos.joined([kept(np.arange(120, 240)), kept(np.arange(120))])
    assert len(whole.keys) == 50
    for name in ("keys", "latents", "membership", "sources", "flickr_ids"):
        assert np.array_equal(getattr(whole, name), getattr(halves, name))


def test_the_nearest_explain() -> None:
    kept, neighbours = drawn_neighbours()
    row = 17
    first, *rest = neighbours.nearest(kept.latents[row], k=4)
    assert first.similarity == pytest.approx(1, abs=1e-3)
    assert first.flickr_id == str(kept.flickr_ids[row])
    assert first.flickr_id in first.page
    assert first.similarity >= rest[0].similarity >= rest[-1].similarity
    for neighbour in neighbours.nearest(kept.latents[row], 300, kept.tags[2]):
        assert kept.tags[2] in neighbour.tags
    n_with = int(kept.membership[:, 2].sum())
    assert len(neighbours.nearest(kept.latents[row], 300, kept.tags[2])) == n_with


def test_blend_weights_are_the_best_of_all_tenths() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((400, 6)) < 0.3
    good = 2 * truth - 1 + rng.normal(size=truth.shape)
    other = 2 * truth - 1 + rng.normal(size=truth.shape)
    wrong = -(2 * truth - 1) + rng.normal(size=truth.shape)
    parts = {"calibrated": good, "classifier": other, "triplet": wrong}

    def quality(mixed) -> float:
        return -float(np.mean(np.logaddexp(0, mixed) - truth * mixed))

    blend = Blend.fit(parts, quality)
    every = [
        (a / 10, b / 10, (10 - a - b) / 10) for a in range(11) for b in range(11 - a)
    ]
    by_hand = max(
        every,
        key=lambda w: quality(
            sum(x * part for x, part in zip(w, parts.values(), strict=True))
        ),
    )
    assert blend.weights == pytest.approx(by_hand)
    assert blend.weights.sum() == pytest.approx(1)
    assert blend.weights[2] == 0
    mixed = blend.logits(parts)
    assert mixed == pytest.approx(
        sum(w * p for w, p in zip(blend.weights, parts.values(), strict=True))
    )


def test_log_odds_undo_the_sigmoid() -> None:
    numbers = np.array([-15.0, -1, 0, 2, 15])
    assert log_odds(expit(numbers)) == pytest.approx(numbers, rel=1e-6)
    assert np.isfinite(log_odds(np.array([0.0, 1.0]))).all()


def test_a_bundle_offers_what_was_combined(
    combined, plain, china_jpg, tmp_path
) -> None:
    combined.save(tmp_path / "bundle")
    tagger = Tagger.load(tmp_path / "bundle")
    assert tagger.rankings == (
        *("calibrated", "likelihood", "mahalanobis"),
        *("blend", "classifier", "neighbours"),
    )
    assert Tagger(plain).rankings == tagger.rankings[:3]
    usual = tagger.suggest(china_jpg, k=0)
    assert usual.tags == Tagger(plain).suggest(china_jpg, k=0).tags
    for ranking in ("blend", "classifier", "neighbours"):
        suggestion = tagger.suggest(china_jpg, k=0, ranking=ranking)
        assert suggestion.ranking == ranking
        assert suggestion.threshold == tagger.ranker.threshold(ranking, -1.0) >= 0
        chances = [tag.probability for tag in suggestion.tags]
        assert chances == sorted(chances, reverse=True)
        assert min(chances) >= 0
        # The Gaussians' own numbers are shown beside them, whatever orders.
        by_tag = {tag.tag: tag.squared_mahalanobis for tag in usual.tags}
        assert by_tag == {t.tag: t.squared_mahalanobis for t in suggestion.tags}


def test_evaluation_ranks_by_the_method(combined, corpus) -> None:
    for ranking in ("classifier", "blend"):
        report = evaluate_bundle(combined, corpus, "val", ranking, cross_fit=True)[-1]
        assert report.n_photos == 40
        assert 0 < report.mean_average_precision <= 1
    plain = evaluate_bundle(combined, corpus, "val", "calibrated")[-1]
    # The weights were chosen on these photos, so the mixture is no worse than a part.
    blend = evaluate_bundle(combined, corpus, "val", "blend")[-1]
    assert blend.roc_auc >= plain.roc_auc - 0.05


def test_combining_again_replaces(combined, corpus) -> None:
    again = combine(combined, corpus, [])
    assert sorted(again.methods) == ["blend", "neighbours"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tags": ["other"]}, "other tags"),
        ({"encoder_sha256": "0" * 64}, "trained for the encoder 000000000000"),
    ],
)
def test_a_run_for_something_else_is_refused(plain, corpus, tmp_path, changes, message):
    run = classifier_run(tmp_path / "run", plain, **changes)
    with pytest.raises(FitError, match=message):
        combine(plain, corpus, [run])


def test_folders_that_are_no_runs_are_refused(plain, tmp_path) -> None:
    with pytest.raises(FitError, match="not a run of a method"):
        MethodRun.read(tmp_path)
    with pytest.raises(FitError, match="no method is called 'best'"):
        classifier_run(tmp_path / "run", plain, method="best")


def test_methods_that_make_no_sense_are_refused(combined) -> None:
    def changed(name: str, **arrays: np.ndarray) -> Bundle:
        methods = {key: dict(value) for key, value in combined.methods.items()}
        methods[name] |= arrays
        return dataclasses.replace(combined, methods=methods)

    n_tags = len(combined.tags)
    latents = combined.methods["neighbours"]["latents"]
    wrong = {
        "threshold": ("neighbours", {"threshold": np.array([2.0])}),
        "slopes": ("classifier", {"calibration_slopes": np.ones(n_tags + 1)}),
        "expected carries": ("neighbours", {"latents": latents[:-1]}),
        "of no source": (
            "neighbours",
            {"source_of": np.full(len(latents), 99)},
        ),
        "expected some of": (
            "blend",
            {"of": np.frombuffer(b'["best"]', np.uint8)},
        ),
        "weights make no sense": ("blend", {"weights": np.array([-1.0, 2, 1])}),
    }
    for message, (name, arrays) in wrong.items():
        with pytest.raises(BundleError, match=message):
            Tagger(changed(name, **arrays))
    with pytest.raises(BundleError, match="no method is called"):
        dataclasses.replace(combined, methods={"best": {}})


def test_what_a_ranking_lacks_is_said(combined, plain) -> None:
    tagger = Tagger(combined)
    with pytest.raises(RankingError, match="none of"):
        Tagger(plain).rank(np.zeros((1, N_LATENT), np.float32), ranking="classifier")
    assert tagger.rank(np.zeros((1, N_LATENT), np.float32), ranking="classifier")


def test_a_method_that_needs_more_than_the_encoder_gives(combined) -> None:
    methods = {key: dict(value) for key, value in combined.methods.items()}
    weights = methods["classifier"]["weight_1"]
    methods["classifier"]["weight_1"] = np.concatenate([weights, weights])
    with pytest.raises(BundleError, match="looks at 12 numbers, the encoder gives 6"):
        Tagger(dataclasses.replace(combined, methods=methods))


def test_the_description_begins_with_the_latent(plain) -> None:
    encoder = Encoder(plain.encoder_onnx, GREY)
    images = np.zeros((2, 16, 16, 3), np.uint8)
    assert encoder.n_features == 0
    assert np.array_equal(encoder.describe(images), encoder.encode(images))


def test_a_bundle_without_features_gets_them_for_a_head_that_wants_them(
    corpus, tmp_path
) -> None:
    """The head was trained on features alone; its logits are those it had."""
    bundle = fit(corpus, encoder_onnx(), GREY, FitConfig(shrinkage=30.0))
    settings = {"inputs": "features"}
    run = classifier_run(tmp_path / "run", bundle, settings=settings)
    weight = np.random.default_rng(2).normal(size=(48, len(bundle.tags)))
    arrays = {**run.arrays, "weight_1": weight.astype(np.float32)}
    run = dataclasses.replace(run, arrays=arrays)
    tagger = Tagger(combine(bundle, corpus, [run]))
    assert tagger.encoder.n_features == 48
    images = np.random.default_rng(3).integers(0, 255, (4, 16, 16, 3), np.uint8)
    described = tagger.encode(images)
    found = tagger.ranker.methods["classifier"].logits(described)
    assert found == pytest.approx(
        tagger.encoder.features(images).astype(np.float16) @ weight, abs=1e-3
    )
    # Run again on its own bundle, the same run still fits.
    assert combine(combine(bundle, corpus, [run]), corpus, [run])
