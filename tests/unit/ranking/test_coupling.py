"""TagCoupling against loops over the photos, and what a person gets from it."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_makers import N_LATENT, draw_photos, make_bundle

from lablr import Feedback, NotInBundle
from lablr.annotation.update.corpus_model import coupling_arrays
from lablr.bundle import Bundle
from lablr.errors import BundleError
from lablr.latent_space.cooccurrence import Cooccurrence
from lablr.ranking.coupling import BETA, BETA_REJECTED, KAPPA, TagCoupling
from lablr.ranking.tagger import RANKINGS, Suggestion, Tagger

TAGS = ("a", "b", "c", "d")


@cache
def bundle() -> Bundle:
    return make_bundle(draw_photos(n_tags=9, sources=("a", "b")))


@cache
def tagger() -> Tagger:
    return Tagger(bundle())


def latents(n_photos: int = 5) -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.normal(3, 2, (n_photos, N_LATENT)).astype(np.float32)


def older(bundle: Bundle) -> Bundle:
    """The bundle as an older Lablr made it."""
    new = ("coupling", "pair_", "reach")
    kept = {k: v for k, v in bundle.gaussians.items() if not k.startswith(new)}
    return replace(bundle, gaussians=kept)


def probabilities(suggestion: Suggestion) -> dict[str, float]:
    return {score.tag: score.probability for score in suggestion.tags}


# --- the mathematics


def naive_couplings(own, sources, probability, of_photo) -> np.ndarray:
    """J and J' by loops: training tags and sources, validation probabilities."""
    n_tags = own.shape[1]
    given, without = np.zeros((2, n_tags, n_tags))
    for a in range(n_tags):
        for t in range(n_tags):
            if t == a:
                continue
            # Photos that carry t and not a, and both; what their scores expect.
            met, expected = [0.0, 0.0], [0.0, 0.0]
            for source in sorted(set(sources.tolist())):
                train = own[sources == source]
                seen = probability[of_photo == source]
                if not len(seen) or not train[:, t].any() or not train[:, a].any():
                    continue
                for photo in train:
                    met[int(photo[a])] += photo[t]
                for p in seen:
                    share = len(train) / len(seen)
                    expected[0] += share * p[t] * (1 - p[a])
                    expected[1] += share * p[t] * p[a]
            without[a, t], given[a, t] = (
                math.log((n + KAPPA) / (e + KAPPA))
                for n, e in zip(met, expected, strict=True)
            )
    return np.array([given, without])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_coupling_against_a_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = np.array(["x", "y", "z"])
    own, sources = rng.random((60, 4)) < 0.4, names[rng.integers(3, size=60)]
    own[sources == "y", 3] = False  # y never uses d
    probability = rng.random((30, 4))
    of_photo = names[rng.integers(2, size=30)]  # z has no validation photos
    in_source = sources == np.array(sorted(set(sources.tolist())))[:, None]
    found = TagCoupling.fit(
        Cooccurrence.of(own, sources, TAGS),
        in_source.astype(float) @ own,
        in_source.sum(axis=1).astype(float),
        probability,
        of_photo,
    )
    expected = naive_couplings(own, sources, probability, of_photo)
    np.testing.assert_allclose([found.given, found.without], expected, atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_shift_against_a_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    given, without = rng.normal(size=(2, 4, 4))
    listening = TagCoupling(TAGS, given, without)
    probability = rng.random((6, 4))
    accepted = rng.random((6, 4)) < 0.4
    rejected = (rng.random((6, 4)) < 0.4) & ~accepted
    found = listening.shift(probability, accepted, rejected)
    for photo in range(6):
        a_s, r_s = np.flatnonzero(accepted[photo]), np.flatnonzero(rejected[photo])
        for t in range(4):
            shift = sum(given[a, t] / len(a_s) ** BETA for a in a_s)
            shift += sum(without[r, t] / len(r_s) ** BETA_REJECTED for r in r_s)
            assert found[photo, t] == pytest.approx(shift, abs=1e-12)
        alike = listening.shift(probability, accepted[photo], rejected[photo])
        np.testing.assert_allclose(alike[photo], found[photo], atol=1e-12)


def test_only_what_no_photo_shows_is_heard() -> None:
    """Tags 0 and 1 always meet, and it shows; 2 and 3 nearly always, unseen."""
    rng = np.random.default_rng(0)
    photos = draw_photos(n_photos=800, n_tags=4, sources=("a",))
    own = rng.random(photos.membership.shape) < 0.3
    own[:, 1] = own[:, 0]
    own[:, 3] = own[:, 2] ^ (rng.random(len(own)) < 0.05)
    x = rng.normal(size=photos.latents.shape)
    x[:, 0] += 6 * own[:, 0]
    x = x.astype(np.float32)
    drawn = replace(photos, membership=own, latents=x, mirrored=None)
    one = Tagger(make_bundle(drawn))
    assert abs(one.coupling.given[0, 1]) < 0.3
    assert one.coupling.given[2, 3] > 0.6
    (alone,) = one.rank(np.zeros((1, N_LATENT), np.float32), 0)
    last, other = one.tags[3], one.tags[2]
    given = probabilities(one.rerank(alone, accepted=[other], k=0))[last]
    against = probabilities(one.rerank(alone, rejected=[other], k=0))[last]
    assert given > probabilities(alone)[last] + 0.15
    assert against < probabilities(alone)[last]


# --- the tagger


@pytest.mark.parametrize("ranking", RANKINGS)
def test_the_rest_is_ranked_by_the_formula(ranking: str) -> None:
    x = latents()
    names = tagger().tags
    feedback = Feedback((names[4], names[1]), (names[7],), 0.0)
    scores = tagger().ranker.scores(x)
    accepted = np.isin(names, feedback.accepted)
    rejected = np.isin(names, feedback.rejected)
    shift = tagger().coupling.shift(scores.probability, accepted, rejected)
    log_score = {
        "calibrated": None,
        "likelihood": scores.log_likelihood_ratio + shift,
        "mahalanobis": -scores.squared_mahalanobis / 2 + shift,
    }[ranking]
    for row, found in enumerate(tagger().rank(x, 0, ranking, feedback)):
        assert set(probabilities(found)) == set(names) - set(feedback.decided)
        p = scores.probability[row]
        odds = p / (1 - p) * np.exp(shift[row])
        for tag, probability in probabilities(found).items():
            expected = odds[names.index(tag)] / (1 + odds[names.index(tag)])
            assert probability == pytest.approx(expected, rel=1e-9)
        by = odds if log_score is None else log_score[row]
        order = [by[names.index(score.tag)] for score in found.tags]
        assert order == sorted(order, reverse=True)
        assert found.feedback == feedback
        assert found.to_dict()["accepted"] == list(feedback.accepted)


def test_listening_says_everything_each_time() -> None:
    (alone,) = tagger().rank(latents(1), 0)
    names = tagger().tags
    both = tagger().rerank(alone, [names[2], names[0]], k=0)
    again = tagger().rerank(tagger().rerank(alone, [names[0]]), [names[0], names[2]])
    assert again.tags == both.tags[:10]
    assert tagger().rerank(both, k=0) == alone
    with pytest.warns(DeprecationWarning, match="called rerank now"):
        assert tagger().listen(both, k=0) == alone
    assert tagger().rerank(alone, ["no such tag"], ["nor this"], k=0).tags == alone.tags
    assert tagger().rerank(alone, names, k=0).tags == ()
    assert not tagger().rerank(alone, names).sure


def test_wishes_take_tags_as_people_write_them() -> None:
    feedback = Feedback(("New York!", "newyork", "", "!"), ("Sea",))
    assert feedback.accepted == ("newyork",)
    assert feedback.decided == ("newyork", "sea")
    assert not Feedback()
    with pytest.raises(ValueError, match="sea: both accepted and rejected"):
        Feedback(("Sea",), ("sea",))
    for reach in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="from 0 to 1"):
            Feedback(reach=reach)


def test_an_old_bundle_ranks_and_says_why_it_cannot_listen() -> None:
    old = Tagger(older(bundle()))
    (alone,) = old.rank(latents(1), 0)
    assert alone == tagger().rank(latents(1), 0)[0]
    with pytest.raises(NotInBundle, match=r"cannot rank again.*fit it again"):
        old.rerank(alone, [old.tags[0]])
    assert old.rerank(alone, k=0) == alone


def test_what_was_learned_travels_with_the_bundle(tmp_path) -> None:
    bundle().save(tmp_path / "bundle")
    read = Tagger.load(tmp_path / "bundle")
    np.testing.assert_allclose(read.coupling.given, tagger().coupling.given, atol=1e-6)
    broken = dict(bundle().gaussians)
    broken["coupling"] = broken["coupling"][1:]
    with pytest.raises(BundleError, match="expected coupling"):
        Tagger(replace(bundle(), gaussians=broken))


def test_other_tags_keep_their_coupling() -> None:
    names = bundle().tags
    tags = (names[3], "new", names[0])
    arrays = coupling_arrays(bundle(), ("a", "b"), tags)
    moved = TagCoupling.from_arrays(arrays, tags)
    assert moved.given[0, 2] == pytest.approx(tagger().coupling.given[3, 0])
    assert moved.without[0, 2] == pytest.approx(
        tagger().coupling.without[3, 0], rel=1e-6
    )
    assert not moved.given[1].any()
    assert "reach" not in arrays
