"""Learning from judgements: sums that add, honest figures, nothing learned twice."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from model_makers import draw_photos, make_bundle, statistics_of

from lablr.annotation.update import learned_bundle as learning
from lablr.annotation.update.annotated_photos import AnnotatedPhotos
from lablr.annotation.update.corpus_model import CorpusModel
from lablr.annotation.update.cross_fitting import (
    cross_fit_ratios,
    log_likelihood_ratios,
)
from lablr.annotation.update.learned_bundle import Update
from lablr.annotation.update.report import Comparison
from lablr.bundle import Bundle
from lablr.corpus.label_weights import evidence
from lablr.encoders.encoding import EncodedPhotos
from lablr.errors import BundleError, LearningError
from lablr.fitting.fit import FitConfig
from lablr.latent_space.calibration import N_FOLDS, Calibration
from lablr.latent_space.gaussians import GaussianStatistics, TagGaussians
from lablr.ranking.tagger import Ranker

UNKNOWN = 0.1
PARTS = ("accepted", "decided", "judged")


def learn(bundle: Bundle, photos: AnnotatedPhotos, weight: float = 1.0) -> Update:
    return learning.learn(bundle, photos, weight)


def judged(
    photos: EncodedPhotos, rows: np.ndarray, share: float = 1.0
) -> AnnotatedPhotos:
    """Photos judged by their own tags, of each a share of the tags, by chance."""
    own = photos.membership[rows]
    decided = np.random.default_rng(1).random(own.shape) < share
    return AnnotatedPhotos(
        names=tuple(f"photo {row}" for row in rows),
        latents=photos.latents[rows],
        mirrored=photos.mirrored[rows],
        tags=photos.tags,
        accepted=own & decided,
        rejected=~own & decided,
        asked=decided,
    )


def both_views(photos: EncodedPhotos) -> GaussianStatistics:
    """Statistics of photos and mirror images, half each, as `fit` counts them."""
    mirrored = dataclasses.replace(photos, latents=photos.mirrored)
    return (statistics_of(photos) + statistics_of(mirrored)).scaled(0.5)


# One source, which uses every tag: a photo of it without a tag rejects the tag.
PHOTOS = draw_photos(400, sources=("a",))
JUDGED_ROWS = np.arange(7, 400, 8)
CALIBRATION_ROWS = np.arange(3, 400, 8)
TRAIN_ROWS = np.flatnonzero(~PHOTOS.is_validation)
TRAIN = PHOTOS.rows(TRAIN_ROWS)
FITTED_ROWS = np.concatenate([TRAIN_ROWS, CALIBRATION_ROWS])
FITTED = make_bundle(PHOTOS.rows(FITTED_ROWS))
TOGETHER = PHOTOS.rows(np.concatenate([TRAIN_ROWS, JUDGED_ROWS]))


def test_judgements_that_equal_the_tags_are_as_training_photos() -> None:
    learned = learn(FITTED, judged(PHOTOS, JUDGED_ROWS)).bundle
    together = both_views(TOGETHER)
    expected = TagGaussians(together, together.absence(UNKNOWN), 30.0, 0.01)
    found = Ranker(learned).gaussians
    # The bundle keeps products of the latents in float32.
    np.testing.assert_allclose(found.means_, expected.means_, rtol=1e-12)
    np.testing.assert_allclose(found.n_photos_, expected.n_photos_, rtol=1e-12)
    np.testing.assert_allclose(
        found.log_prior_odds_, expected.log_prior_odds_, rtol=1e-12, atol=1e-12
    )
    for one, two in zip(
        found.score(PHOTOS.latents), expected.score(PHOTOS.latents), strict=True
    ):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-3)


def test_and_exactly_so_before_they_are_written() -> None:
    model = CorpusModel(both_views(TRAIN), Ranker(FITTED).calibration, FITTED.settings)
    found = model.moments(judged(PHOTOS, JUDGED_ROWS).sums(1.0))
    together = both_views(TOGETHER)
    absence = together.absence(UNKNOWN)
    rest = together.source_moments.weighted(absence.T) - together.tag_moments
    for one, two in ((found.tag, together.tag_moments), (found.rest, rest)):
        for name in ("n", "total", "outer"):
            np.testing.assert_allclose(
                getattr(one, name), getattr(two, name), rtol=1e-10, atol=1e-9
            )


def test_a_weight_counts_a_photo_so_often() -> None:
    photos = judged(PHOTOS, JUDGED_ROWS, 0.5)
    twice = dataclasses.replace(
        photos,
        names=(*photos.names, *(f"{name} again" for name in photos.names)),
        **{
            name: np.concatenate([getattr(photos, name)] * 2)
            for name in ("latents", "mirrored", "accepted", "rejected", "asked")
        },
    )
    one, two = photos.sums(2.0), twice.sums(1.0)
    for part in PARTS:
        np.testing.assert_allclose(
            getattr(one, part).outer, getattr(two, part).outer, rtol=1e-12
        )


# --- cross-fitting


def test_ratios_are_those_of_the_gaussians() -> None:
    model, photos = CorpusModel.of(FITTED), judged(PHOTOS, JUDGED_ROWS, 0.3)
    groups, gaussians = model.moments(), Ranker(FITTED).gaussians
    latents = photos.latents.astype(float)
    found = (
        log_likelihood_ratios(model, groups, latents, photos.decided)
        + groups.log_prior_odds
    )
    expected = gaussians.log_likelihood_ratio(photos.latents)
    np.testing.assert_allclose(
        found[photos.decided], expected[photos.decided], rtol=1e-3, atol=1e-3
    )


def test_no_photo_is_scored_by_what_it_taught() -> None:
    model, photos = CorpusModel.of(FITTED), judged(PHOTOS, JUDGED_ROWS)
    found = cross_fit_ratios(model, photos, 1.0)
    assert set(photos.folds.tolist()) == set(range(N_FOLDS))
    for fold in range(N_FOLDS):
        own = photos.folds == fold
        others = model.moments(photos.rows(~own).sums(1.0))
        latents = photos.latents[own].astype(float)
        expected = log_likelihood_ratios(model, others, latents, photos.decided[own])
        np.testing.assert_allclose(found[own], expected, rtol=1e-6, atol=1e-6)


def test_a_photo_stays_in_its_part() -> None:
    photos = judged(PHOTOS, JUDGED_ROWS)
    some = photos.rows(np.arange(len(JUDGED_ROWS)) % 2 == 0)
    assert np.array_equal(some.folds, photos.folds[::2])


# --- calibration


def test_a_calibration_without_news_stays() -> None:
    calibration = Calibration(np.array([0.5, 2.0]), np.array([-1.0, 3.0]))
    ratio = np.random.default_rng(0).normal(size=(20, 2))
    known = np.zeros((20, 2), np.bool_)
    known[:, 1] = True
    found = calibration.updated(ratio, ratio > 0, known)
    assert found.slopes[0] == pytest.approx(0.5, rel=1e-12)
    assert found.intercepts[0] == pytest.approx(-1.0, rel=1e-12)
    # Half of the photos have the second tag, so its intercept came down.
    assert 0 < found.intercepts[1] < 2.9


def test_many_photos_outweigh_the_calibration_before() -> None:
    rng = np.random.default_rng(0)
    ratio = rng.normal(size=(20_000, 1)) * 3
    chance = 1 / (1 + np.exp(-(0.7 * ratio - 1)))
    relevant = rng.random(ratio.shape) < chance
    start = Calibration(np.array([3.0]), np.array([2.0]))
    found = start.updated(ratio, relevant, np.ones_like(relevant))
    assert found.slopes[0] == pytest.approx(0.7, abs=0.05)
    assert found.intercepts[0] == pytest.approx(-1, abs=0.05)


def test_what_is_judged_often_is_not_thought_frequent() -> None:
    """Prior odds that the judged photos moved are taken back by the calibration."""
    photos = judged(PHOTOS, JUDGED_ROWS)
    only = dataclasses.replace(
        photos,
        accepted=photos.accepted,
        rejected=np.zeros_like(photos.rejected),
        asked=np.zeros_like(photos.asked),
    )
    before, after = Ranker(FITTED), Ranker(learn(FITTED, only, 3.0).bundle)
    moved = after.gaussians.log_prior_odds_ - before.gaussians.log_prior_odds_
    assert (moved > 0.1).all()
    assert np.array_equal(after.calibration.slopes, before.calibration.slopes)
    np.testing.assert_allclose(
        after.calibration.intercepts,
        before.calibration.intercepts - before.calibration.slopes * moved,
        rtol=1e-9,
    )


# --- what is learned again, or taken back


def test_learning_twice_is_learning_once() -> None:
    photos = judged(PHOTOS, JUDGED_ROWS, 0.5)
    once = learn(FITTED, photos).bundle
    twice = learn(once, photos).bundle
    for name in ("gaussians", "calibration", "latent_map"):
        one, two = getattr(once, name), getattr(twice, name)
        assert sorted(one) == sorted(two)
        for key, array in one.items():
            assert np.array_equal(array, two[key]), key
    assert twice.provenance["learned"]["from_bundle"] == once.digest


def test_a_threshold_is_no_longer_that_of_the_judgements() -> None:
    judged_by = {**FITTED.provenance, "judged_threshold": {"model": "0123"}}
    before = dataclasses.replace(FITTED, provenance=judged_by)
    learned = learn(before, judged(PHOTOS, JUDGED_ROWS)).bundle
    assert "judged_threshold" not in learned.provenance
    assert learned.settings == before.settings


def test_what_was_taken_back_is_forgotten() -> None:
    photos = judged(PHOTOS, JUDGED_ROWS)
    few = photos.rows(np.arange(len(JUDGED_ROWS)) < 20)
    after_both = learn(learn(FITTED, photos).bundle, few).bundle
    assert np.array_equal(
        after_both.gaussians["judgements_judged_n"],
        learn(FITTED, few).bundle.gaussians["judgements_judged_n"],
    )
    assert np.array_equal(
        after_both.calibration["slopes"],
        learn(FITTED, few).bundle.calibration["slopes"],
    )


def test_a_bundle_that_learned_is_read_back(tmp_path) -> None:
    learned = learn(FITTED, judged(PHOTOS, JUDGED_ROWS, 0.4)).bundle
    learned.save(tmp_path / "bundle")
    back = Bundle.load(tmp_path / "bundle")
    one, two = (Ranker(bundle).scores(PHOTOS.latents) for bundle in (learned, back))
    assert np.array_equal(one.probability, two.probability)


@pytest.mark.parametrize("part", PARTS)
def test_judgements_that_do_not_fit_the_tags_are_refused(part: str) -> None:
    learned = learn(FITTED, judged(PHOTOS, JUDGED_ROWS)).bundle
    wrong = dict(learned.gaussians)
    wrong[f"judgements_{part}_total"] = wrong[f"judgements_{part}_total"][:, :-1]
    with pytest.raises(BundleError, match="judgements"):
        Ranker(dataclasses.replace(learned, gaussians=wrong))
    del wrong[f"judgements_{part}_total"]
    with pytest.raises(BundleError, match="judgements"):
        Ranker(dataclasses.replace(learned, gaussians=wrong))


# --- new tags


def with_typed(photos: AnnotatedPhotos, n: int, tag: str = "kitten") -> AnnotatedPhotos:
    """The photos with a tag that people typed for the first n of them."""
    wide = photos.with_tags((*photos.tags, tag))
    wide.accepted[:n, -1] = True
    return wide


def test_a_tag_is_born_of_five_photos() -> None:
    photos = with_typed(judged(PHOTOS, JUDGED_ROWS), 5)
    lesson = learn(FITTED, photos)
    bundle, at = lesson.bundle, lesson.bundle.tags.index("kitten")
    assert bundle.tags == tuple(sorted((*FITTED.tags, "kitten")))
    assert lesson.bundle.provenance["learned"]["new_tags"] == ["kitten"]
    ranker = Ranker(bundle)
    np.testing.assert_allclose(
        ranker.gaussians.means_[at],
        (photos.latents[:5].mean(axis=0) + photos.mirrored[:5].mean(axis=0)) / 2,
        rtol=1e-5,
    )
    assert ranker.calibration.slopes[at] == np.median(
        np.delete(ranker.calibration.slopes, at)
    )
    starts = bundle.latent_map["photo_starts"]
    assert starts[at + 1] - starts[at] == 5
    found = lesson.report.tags[at]
    assert (found.new, found.n_before, found.n_after) == (True, 0.0, 5.0)
    assert math.isnan(found.precision_before)


@pytest.mark.parametrize(("n", "weight"), [(4, 1.0), (4, 10.0), (9, 0.5)])
def test_a_tag_of_fewer_is_not(n: int, weight: float) -> None:
    photos = with_typed(judged(PHOTOS, JUDGED_ROWS), n)
    assert "kitten" not in learn(FITTED, photos, weight).bundle.tags


def test_a_tag_that_lost_its_photos_leaves() -> None:
    photos = judged(PHOTOS, JUDGED_ROWS)
    born = learn(FITTED, with_typed(photos, 6)).bundle
    assert learn(born, with_typed(photos, 6)).bundle.tags == born.tags
    assert learn(born, photos).bundle.tags == FITTED.tags


# --- the report


def test_nothing_to_learn_is_said() -> None:
    photos = judged(PHOTOS, JUDGED_ROWS, 0.0)
    with pytest.raises(LearningError, match="nobody has judged"):
        learn(FITTED, photos)


def test_only_new_tags_were_judged() -> None:
    """Nothing is known of the bundle's own tags: their calibration stays."""
    photos = with_typed(judged(PHOTOS, JUDGED_ROWS, 0.0), 6)
    lesson = learn(FITTED, photos)
    assert [tag.tag for tag in lesson.report.changed] == ["kitten"]
    assert all(math.isnan(figure.after) for figure in lesson.report.figures)
    assert not lesson.report.worse
    assert lesson.report.to_dict()["figures"][0]["after"] is None


def test_the_report_says_what_changed() -> None:
    photos = judged(PHOTOS, JUDGED_ROWS, 0.5)
    report = learn(FITTED, photos, 2.0).report
    n_before = both_views(TRAIN)
    before, after = Ranker(FITTED).gaussians, Ranker(learn(FITTED, photos, 2.0).bundle)
    for t, tag in enumerate(report.tags):
        assert tag.n_accepted == photos.accepted[:, t].sum()
        assert tag.n_rejected == photos.rejected[:, t].sum()
        assert tag.n_before == n_before.tag_moments.n[t]
        assert tag.n_after == tag.n_before + 2 * tag.n_accepted
        moved = before.squared_mahalanobis(after.gaussians.means_[t : t + 1])[0, t]
        assert tag.shift == pytest.approx(math.sqrt(moved), rel=1e-3)
    assert report.n_decisions == photos.decided.sum()
    assert report.to_dict()["figures"][0]["figure"] == "macro AP of judged photos"


def test_right_judgements_do_not_make_it_worse() -> None:
    assert not learn(FITTED, judged(PHOTOS, JUDGED_ROWS)).report.worse


def test_judgements_at_random_make_it_worse() -> None:
    """Half of the photos got the answers of another; a weight of 30 believes them."""
    photos = judged(PHOTOS, JUDGED_ROWS)
    rows = np.arange(len(photos.names))
    rows[::2] = np.roll(rows[::2], 1)
    mixed = dataclasses.replace(
        photos, accepted=photos.accepted[rows], rejected=photos.rejected[rows]
    )
    worse = {figure.figure for figure in learn(FITTED, mixed, 30.0).report.worse}
    assert "macro AP of judged photos" in worse


def test_worse_is_beyond_the_standard_error() -> None:
    before = np.array([0.5, 0.6, math.nan, 0.7])
    figure = Comparison.of("AP", before, before - [0.1, 0.1, 0.1, 0.101], True)
    assert figure.worse
    assert figure.before == pytest.approx(0.6)
    change = np.array([0.3, -0.2, 0.0, -0.2])
    noisy = Comparison.of("AP", before, before + change, True)
    assert noisy.after < noisy.before
    assert not noisy.worse
    same = Comparison.of("AP", before, before, True)
    assert not same.worse
    assert Comparison.of("loss", before, before + 0.1, False).worse
    assert not Comparison.of("loss", before[:0], before[:0], False).worse


def test_an_undecided_tag_is_unknown_even_if_others_have_it() -> None:
    """The rest against the evidence of a corpus whose source never uses the tag."""
    photos = judged(PHOTOS, JUDGED_ROWS)
    silent = dataclasses.replace(photos, rejected=np.zeros_like(photos.rejected))
    _, rest = silent.sums(1.0).evidence(UNKNOWN)
    weights = evidence(
        np.zeros_like(photos.accepted), np.full(len(photos.names), "a"), UNKNOWN
    )
    expected = (weights * ~photos.accepted).sum(axis=0)
    np.testing.assert_allclose(rest.n, expected, rtol=1e-6)


def test_without_mirror_images() -> None:
    config = FitConfig(shrinkage=30.0, mirror=False)
    bundle = make_bundle(PHOTOS.rows(FITTED_ROWS), config)
    photos = dataclasses.replace(judged(PHOTOS, JUDGED_ROWS), mirrored=None)
    learned = learn(bundle, photos).bundle
    together = statistics_of(TOGETHER)
    np.testing.assert_allclose(
        Ranker(learned).gaussians.means_, together.tag_moments.means, rtol=1e-12
    )
