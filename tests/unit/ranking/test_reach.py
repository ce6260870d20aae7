"""Reach against a least-squares fit, and what it does to a ranking."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_makers import N_LATENT, draw_photos, make_bundle

from lablr import Feedback, NotInBundle
from lablr.bundle import Bundle
from lablr.corpus.records import Photo
from lablr.errors import BundleError
from lablr.ranking.reach import PRIOR_PHOTOS, Reach, ViewSums
from lablr.ranking.tagger import RANKINGS, Tagger
from lablr.tags.lists import popular_tags

TAGS = ("beach", "dog", "rare")
YEAR = 31_556_952


def photo(number: int, tags=(), views=None, uploaded=None, split="train") -> Photo:
    others = {} if uploaded is None else {"uploaded": uploaded}
    name = f"{number}.jpg"
    return Photo(name, Path(name), tuple(tags), split, views=views, others=others)


def draw(seed: int, n_photos: int = 60) -> list[Photo]:
    """Photos of two tags; older ones were seen more, and some say nothing."""
    rng = np.random.default_rng(seed)
    photos = []
    for number in range(n_photos):
        age, known = rng.uniform(0, 10), rng.random() < 0.8
        tags = [tag for tag in ("beach", "dog") if rng.random() < 0.5]
        level = 3 + 0.3 * age + ("beach" in tags) + rng.normal()
        photos.append(
            photo(
                number,
                tags,
                int(np.exp(level)) if rng.random() < 0.9 else None,
                int((50 - age) * YEAR) if known else None,
                "train" if rng.random() < 0.9 else "val",
            )
        )
    return photos


def naive_reach(photos: list[Photo]) -> np.ndarray:
    seen = [p for p in photos if p.split == "train" and p.views is not None]
    y = np.array([np.log(1 + p.views) for p in seen])
    u = np.array([p.others.get("uploaded", np.nan) for p in seen]) / YEAR
    dated = ~np.isnan(u)
    slope = np.polyfit(u[dated], y[dated], 1)[0]
    adjusted = np.where(dated, y - slope * (u - u[dated].mean()), y)
    v = []
    for tag in TAGS:
        own = adjusted[[tag in p.tags for p in seen]]
        v.append((own.sum() + PRIOR_PHOTOS * y.mean()) / (len(own) + PRIOR_PHOTOS))
    return np.exp(np.array(v) - max(v))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_reach_from_views_against_least_squares(seed: int) -> None:
    photos = draw(seed)
    found = Reach.fit(TAGS, ViewSums.of(photos))
    assert found.basis == "views"
    np.testing.assert_allclose(found.values, naive_reach(photos), rtol=1e-6)


def test_an_old_photo_is_not_a_well_seen_one() -> None:
    """Dog's photos have more views only because they are older."""
    photos = [
        photo(n, ["dog" if n % 2 else "beach"], 10 ** (4 if n % 2 else 2), age)
        for n, age in enumerate([30 * YEAR, 20 * YEAR] * 40)
    ]
    undated = [replace(p, others={}) for p in photos]
    (beach, dog, _), (_, fair, _) = (
        Reach.fit(TAGS, ViewSums.of(some)).values for some in (undated, photos)
    )
    assert beach < 0.1 < dog == 1
    assert fair == pytest.approx(Reach.fit(TAGS, ViewSums.of(photos)).values[0])


@pytest.mark.parametrize("uploaded", [True, "2020", -5, 0, 10**12, 1.5])
def test_what_is_no_time_of_upload_counts_as_unknown(uploaded) -> None:
    sums = ViewSums.of([photo(1, ["dog"], 10, uploaded)])
    assert sums.all.tolist() == [1, np.log(11), 0, 0, 0, 0, 0]


def test_one_date_for_all_adjusts_nothing() -> None:
    photos = [photo(n, ["dog"], n, 10**9) for n in range(20)]
    plain = [replace(p, others={}) for p in photos]
    one, two = (Reach.fit(TAGS, ViewSums.of(some)).values for some in (photos, plain))
    np.testing.assert_allclose(one, two)


def test_reach_from_popularity() -> None:
    tags = ("sunset", "beach", "garden", "zoo", "nonesuch")
    popular = popular_tags()
    assert popular.index("garden") == 44
    listed = popular[60]
    found = Reach.fit((*tags, listed), ViewSums())
    assert found.basis == "popularity"
    n = len(popular)
    off = 1 / (n + 1)
    rest = 2 / (46 + n)
    expected = [1, 1 / 2, 1 / 45, rest if "zoo" in popular else off, off, rest]
    np.testing.assert_allclose(found.values, expected)
    assert Reach.fit(("nonesuch",), ViewSums()) is None
    again = found.with_tags(("beach", "sky", "alsonone"))
    np.testing.assert_allclose(again.values, [1 / 2, 1 / 4, off])
    seen = replace(found, basis="views").with_tags(("beach", "alsonone"))
    np.testing.assert_allclose(seen.values, [1 / 2, np.median(expected)])


# --- the tagger


@cache
def bundle() -> Bundle:
    made = make_bundle(draw_photos(n_tags=9, sources=("a",)))
    values = np.random.default_rng(0).uniform(0.01, 1, 9)
    reach = Reach(made.tags, "views", values)
    return replace(made, gaussians={**made.gaussians, **reach.to_arrays()})


@pytest.mark.parametrize("ranking", RANKINGS)
@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_the_ranking_goes_by_the_formula(ranking: str, weight: float) -> None:
    tagger = Tagger(bundle())
    x = np.random.default_rng(0).normal(3, 2, (4, N_LATENT)).astype(np.float32)
    for found in tagger.rank(x, 0, ranking, Feedback(reach=weight)):
        by = [
            {
                "calibrated": np.log(score.probability),
                "likelihood": score.log_likelihood_ratio,
                "mahalanobis": -score.squared_mahalanobis / 2,
            }[ranking]
            + weight * np.log(score.reach)
            for score in found.tags
        ]
        assert by == sorted(by, reverse=True)
        shown = {tag["tag"]: tag["reach"] for tag in found.to_dict()["tags"]}
        assert shown == dict(zip(tagger.tags, tagger.reach.values, strict=True))
        assert found.to_dict().get("reach", 0.0) == weight


def test_a_bundle_without_reach_says_so() -> None:
    tagger = Tagger(make_bundle(draw_photos()))
    (alone,) = tagger.rank(np.zeros((1, N_LATENT), np.float32), 0)
    assert "reach" not in alone.to_dict()["tags"][0]
    with pytest.raises(NotInBundle, match="knows no reach"):
        tagger.rerank(alone, reach=0.5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"reach": np.ones(8)},
        {"reach": np.full(9, 2.0)},
        {"reach": np.full(9, np.nan)},
        {"reach": np.zeros(9)},
        {"reach_basis": np.frombuffer(b"guess", np.uint8)},
    ],
)
def test_a_reach_that_does_not_fit_is_refused(wrong) -> None:
    gaussians = {**bundle().gaussians, **wrong}
    with pytest.raises(BundleError, match="the reach does not fit"):
        Tagger(replace(bundle(), gaussians=gaussians))
