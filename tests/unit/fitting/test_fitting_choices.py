"""What a fit chooses and refuses, on drawn latents."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from model_makers import draw_photos, make_bundle

from lablr.errors import FitError
from lablr.fitting.fit import SHRINKAGES, FitConfig
from lablr.fitting.metrics import evaluate
from lablr.latent_space.calibration import Calibration, cross_fitted
from lablr.latent_space.gaussians import GaussianStatistics, TagGaussians
from lablr.ranking.tagger import Ranker, Tagger

# --- choices


def test_the_shrinkage_is_the_best_on_validation() -> None:
    photos = draw_photos(n_photos=160, n_latent=30, n_tags=5)
    train = ~photos.is_validation
    config = FitConfig(mirror=False)
    statistics = GaussianStatistics.of(
        photos.latents[train],
        photos.membership[train],
        photos.sources[train],
        photos.tags,
    )
    relevant = photos.membership[~train]
    qualities = {}
    for shrinkage in SHRINKAGES:
        model = TagGaussians(
            statistics,
            statistics.absence(config.unknown_weight),
            shrinkage,
            config.ridge,
        )
        ratio = model.log_likelihood_ratio(photos.latents[~train])
        probability = Calibration.fit(ratio, relevant).probability(ratio)
        sources = photos.sources[~train].tolist()
        qualities[shrinkage] = sum(
            report.macro_average_precision + report.mean_average_precision
            for report in evaluate(relevant, probability, None, sources)[:-1]
        )
    assert len(set(qualities.values())) > 1
    bundle = make_bundle(photos, config, n_latent=30)
    assert bundle.settings["shrinkage"] == max(qualities, key=qualities.__getitem__)


def test_no_shrinkage_is_a_choice() -> None:
    bundle = make_bundle(draw_photos(), FitConfig(shrinkage=0.0))
    assert bundle.settings["shrinkage"] == 0.0
    assert Tagger(bundle).tags == bundle.tags


@pytest.mark.parametrize("untagged", ["one source", "all"])
def test_validation_photos_without_tags(untagged: str) -> None:
    photos = draw_photos()
    membership = photos.membership.copy()
    rows = photos.is_validation & ((photos.sources == "b") | (untagged == "all"))
    membership[rows] = False
    bundle = make_bundle(replace(photos, membership=membership), FitConfig())
    assert bundle.settings["shrinkage"] in SHRINKAGES
    assert 0 < bundle.settings["threshold"] <= 1


def test_one_validation_photo_is_enough() -> None:
    photos = draw_photos()
    alone = np.arange(len(photos.latents)) == 7
    bundle = make_bundle(replace(photos, is_validation=alone), FitConfig())
    assert Tagger(bundle).threshold <= 1


def test_calibration_and_threshold_are_of_the_validation_photos() -> None:
    photos = draw_photos()
    bundle = make_bundle(photos)
    rows = photos.is_validation
    scores = Ranker(bundle).scores(photos.latents[rows])
    again = Calibration.fit(scores.log_likelihood_ratio, photos.membership[rows])
    np.testing.assert_allclose(bundle.calibration["slopes"], again.slopes, rtol=1e-2)
    sure = scores.probability >= bundle.settings["threshold"] - 1e-6
    right = photos.membership[rows][sure].mean()
    assert right == pytest.approx(bundle.settings["precision"], abs=0.02)


def test_mirror_images_count_half() -> None:
    photos = draw_photos()
    with_, without = (
        GaussianStatistics.from_arrays(
            make_bundle(photos, FitConfig(30.0, mirror=mirror)).gaussians, photos.tags
        )
        for mirror in (True, False)
    )
    assert np.array_equal(with_.tag_moments.n, without.tag_moments.n)
    assert not np.array_equal(with_.tag_moments.total, without.tag_moments.total)
    assert np.array_equal(with_.counts, without.counts)


def test_the_same_photos_give_the_same_bundle() -> None:
    one, two = (make_bundle(draw_photos(), FitConfig()) for _ in range(2))
    assert one.digest == two.digest


# --- cross-fitting


def test_a_photo_does_not_calibrate_itself() -> None:
    photos = draw_photos(n_photos=60)
    ratio = np.random.default_rng(0).normal(size=photos.membership.shape) * 5
    before = cross_fitted(ratio, photos.membership, photos.files)
    for photo in (0, 17, 59):
        changed = photos.membership.copy()
        changed[photo] = ~changed[photo]
        after = cross_fitted(ratio, changed, photos.files)
        assert np.array_equal(after[photo], before[photo])
        assert not np.array_equal(after, before)


@pytest.mark.parametrize("n_photos", [0, 1, 2, 6])
def test_few_photos_can_be_cross_fitted(n_photos: int) -> None:
    membership = np.arange(n_photos * 3).reshape(n_photos, 3) % 2 == 0
    probability = cross_fitted(membership * 2.0 - 1, membership, range(n_photos))
    assert probability.shape == (n_photos, 3)
    assert np.isfinite(probability).all()


# --- what is refused


def test_tags_with_few_training_photos_are_named() -> None:
    photos = draw_photos()
    membership = photos.membership.copy()
    of_training = np.flatnonzero(membership[:, 1] & ~photos.is_validation)
    membership[of_training[3:], 1] = False
    with pytest.raises(FitError, match=r"too few of: tag00001 \(3\)$"):
        make_bundle(replace(photos, membership=membership))


@pytest.mark.parametrize("value", [True, False])
def test_training_and_validation_photos_are_needed(value: bool) -> None:
    photos = draw_photos()
    split = np.full(len(photos.latents), value)
    with pytest.raises(FitError, match="both training and validation"):
        make_bundle(replace(photos, is_validation=split))
