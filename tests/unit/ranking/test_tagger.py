"""The whole way of a photo, and rankings that keep their order."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from model_makers import N_LATENT, draw_photos, encoder_onnx, make_bundle

from lablr.bundle import Bundle, bundled_folder
from lablr.errors import BundleError, PhotoError
from lablr.ranking.tagger import RANKINGS, Suggestion, Tagger

N_TAGS = 9


@cache
def bundle() -> Bundle:
    return make_bundle(draw_photos(n_tags=N_TAGS, sources=("a",)))


@cache
def tagger() -> Tagger:
    return Tagger(bundle())


@pytest.fixture(scope="module")
def bundled() -> Tagger:
    return Tagger.load(bundled_folder())


def numbers_of(suggestion: Suggestion) -> list[float]:
    """The numbers that a suggestion's ranking goes by, best highest."""
    sign, name = {
        "calibrated": (1, "probability"),
        "likelihood": (1, "log_likelihood_ratio"),
        "mahalanobis": (-1, "squared_mahalanobis"),
    }[suggestion.ranking]
    return [sign * getattr(tag, name) for tag in suggestion.tags]


def assert_alike(one: Suggestion, two: Suggestion) -> None:
    """Equal but for the rounding of a photo alone and one in a batch."""
    assert [tag.tag for tag in one.tags] == [tag.tag for tag in two.tags]
    for mine, theirs in zip(one.tags, two.tags, strict=True):
        for name in ("probability", "squared_mahalanobis", "log_likelihood_ratio"):
            expected = pytest.approx(getattr(theirs, name), rel=1e-3, abs=1e-3)
            assert getattr(mine, name) == expected
    np.testing.assert_allclose(one.latent, two.latent, atol=1e-5)
    assert one.position == pytest.approx(two.position, abs=1e-4)
    assert (one.threshold, one.ranking) == (two.threshold, two.ranking)


# --- rankings

near = st.floats(-10, 10, width=32)
# Far away every probability is 0 or 1, and ranks tie.
far = st.sampled_from([-1e4, 0.0, 1e4])
n_photos = st.tuples(st.integers(0, 4), st.just(N_LATENT))
latents = arrays(np.float32, n_photos, elements=near | far)


@settings(deadline=None)
@given(latents, st.sampled_from(RANKINGS))
def test_a_ranking_orders_as_its_numbers_say(x: np.ndarray, ranking: str) -> None:
    for suggestion in tagger().rank(x, 0, ranking):
        numbers = dict(
            zip(
                (tag.tag for tag in suggestion.tags),
                numbers_of(suggestion),
                strict=True,
            )
        )
        # Python's sort keeps equal ones in the order of the tags.
        expected = sorted(tagger().tags, key=lambda tag: -numbers[tag])
        assert list(numbers) == expected
        assert suggestion.ranking == ranking
        assert np.isfinite(list(numbers.values())).all()


@settings(deadline=None)
@given(latents, st.sampled_from(RANKINGS), st.integers(1, N_TAGS + 3))
def test_the_first_k_are_the_first_of_all(x: np.ndarray, ranking: str, k: int) -> None:
    some, every = tagger().rank(x, k, ranking), tagger().rank(x, 0, ranking)
    assert len(some) == len(every) == len(x)
    for first, whole in zip(some, every, strict=True):
        assert len(whole.tags) == N_TAGS
        assert first.tags == whole.tags[:k]


def test_equal_tags_stay_in_their_order() -> None:
    x = np.array([[-1e4] * N_LATENT, [1e4] * N_LATENT], np.float32)
    for suggestion in tagger().rank(x, 0):
        ties: dict[float, list[str]] = {}
        for tag in suggestion.tags:
            ties.setdefault(tag.probability, []).append(tag.tag)
        assert set(ties) == {0.0, 1.0}
        assert all(tags == sorted(tags) for tags in ties.values())


@settings(deadline=None)
@given(arrays(np.float32, n_photos, elements=near))
def test_a_photo_is_ranked_whatever_is_beside_it(x: np.ndarray) -> None:
    for row, suggestion in enumerate(tagger().rank(x, 0)):
        (alone,) = tagger().rank(x[row : row + 1], 0)
        mine = {tag.tag: tag.probability for tag in suggestion.tags}
        theirs = {tag.tag: tag.probability for tag in alone.tags}
        assert mine == pytest.approx(theirs, rel=1e-2, abs=1e-3)


def test_the_three_rankings_differ() -> None:
    x = np.random.default_rng(0).normal(3, 2, (20, N_LATENT)).astype(np.float32)
    orders = {
        tuple(tag.tag for s in tagger().rank(x, 0, ranking) for tag in s.tags)
        for ranking in RANKINGS
    }
    assert len(orders) == 3


def test_a_photo_lies_on_the_map() -> None:
    x = np.random.default_rng(0).normal(3, 2, (30, N_LATENT)).astype(np.float32)
    positions = [suggestion.position for suggestion in tagger().rank(x, 3)]
    np.testing.assert_allclose(positions, tagger().latent_map.locate(x))


def test_the_threshold_decides_what_is_sure() -> None:
    x = np.random.default_rng(0).normal(3, 2, (1, N_LATENT)).astype(np.float32)
    (suggestion,) = tagger().rank(x, 3)
    best = max(tag.probability for tag in suggestion.tags)
    assert replace(suggestion, threshold=best).sure
    assert not replace(suggestion, threshold=np.nextafter(best, 2)).sure
    raised = replace(bundle(), settings={**bundle().settings, "threshold": 2})
    assert not Tagger(raised).rank(x, 0)[0].sure


def test_a_suggestion_is_json_and_its_own() -> None:
    (suggestion,) = tagger().rank(np.zeros((1, N_LATENT), np.float32), 2)
    shown = suggestion.to_dict()
    assert json.loads(json.dumps(shown, allow_nan=False)) == shown
    assert list(shown) == ["tags", "sure", "threshold", "ranking"]
    shown["tags"][0]["tag"] = "other"
    assert suggestion.tags[0].tag != "other"
    assert suggestion == replace(suggestion, latent=suggestion.latent.copy())
    assert suggestion != replace(suggestion, ranking="likelihood")


# --- photos


def test_suggest_equals_suggest_many(
    bundled: Tagger, china_jpg: Path, flower_jpg: Path
) -> None:
    photos = [china_jpg, flower_jpg.read_bytes(), str(flower_jpg), china_jpg]
    for ranking in RANKINGS:
        alone = [bundled.suggest(photo, 7, ranking) for photo in photos]
        together = list(bundled.suggest_many(photos, 7, ranking, batch_size=3))
        for one, two in zip(alone, together, strict=True):
            assert isinstance(two, Suggestion)
            assert_alike(one, two)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 16])
def test_photos_that_fail_keep_their_places(
    tmp_path: Path, china_jpg: Path, flower_jpg: Path, batch_size: int
) -> None:
    cut = china_jpg.read_bytes()[:9000]
    missing = tmp_path / "nonesuch.jpg"
    photos = [cut, b"", china_jpg, missing, tmp_path, flower_jpg, b"text", china_jpg]
    good = {2: china_jpg, 5: flower_jpg, 7: china_jpg}
    answers = list(tagger().suggest_many(photos, batch_size=batch_size))
    assert len(answers) == len(photos)
    for place, answer in enumerate(answers):
        if place in good:
            assert isinstance(answer, Suggestion)
            assert_alike(answer, tagger().suggest(good[place]))
        else:
            assert isinstance(answer, PhotoError)
            with pytest.raises(type(answer)):
                tagger().suggest(photos[place])


def test_only_photos_that_fail_and_none_at_all() -> None:
    answers = list(tagger().suggest_many([b""] * 5, batch_size=2))
    assert [type(answer) for answer in answers] == [type(answers[0])] * 5
    assert list(tagger().suggest_many([])) == []


def test_photos_are_taken_as_they_are_needed(china_jpg: Path) -> None:
    taken = 0
    photo = china_jpg.read_bytes()

    def endless() -> Iterator[bytes]:
        nonlocal taken
        for _ in itertools.count():
            taken += 1
            yield photo

    n_threads = threading.active_count()
    answers = tagger().suggest_many(endless(), batch_size=3)
    assert taken == 0
    for place, answer in enumerate(itertools.islice(answers, 20)):
        assert isinstance(answer, Suggestion)
        assert taken <= place + 2 * 3
    answers.close()  # type: ignore[attr-defined]
    assert threading.active_count() == n_threads


def test_an_error_of_the_iterable_is_raised(china_jpg: Path) -> None:
    def failing() -> Iterator[Path]:
        yield china_jpg
        raise ConnectionError("the disk is gone")

    with pytest.raises(ConnectionError, match="the disk is gone"):
        list(tagger().suggest_many(failing(), batch_size=1))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"k": -1}, "not -1"),
        ({"ranking": "best"}, "'best' is none of calibrated, likelihood, mahalanobis"),
    ],
)
def test_what_cannot_be_asked_for(wrong: dict[str, Any], message: str) -> None:
    never = iter(lambda: pytest.fail("a photo was taken"), None)
    with pytest.raises(ValueError, match=message):
        tagger().suggest(b"", **wrong)
    with pytest.raises(ValueError, match=message):
        tagger().suggest_many(never, **wrong)
    with pytest.raises(ValueError, match=message):
        tagger().rank(np.zeros((0, N_LATENT), np.float32), **wrong)
    with pytest.raises(ValueError, match="not 0"):
        tagger().suggest_many(never, batch_size=0)


# --- bundles


def test_a_saved_bundle_suggests_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, china_jpg: Path
) -> None:
    bundle().save(tmp_path / "mine")
    by_folder = Tagger.load(tmp_path / "mine")
    monkeypatch.setenv("LABLR_BUNDLE", str(tmp_path / "mine"))
    for loaded in (by_folder, Tagger.load()):
        assert loaded.bundle_digest == bundle().digest
        assert loaded.tags == bundle().tags
        assert loaded.model_card == "# Drawn"
        assert_alike(loaded.suggest(china_jpg), tagger().suggest(china_jpg))


def other_arrays(n_tags: int, n_latent: int = N_LATENT) -> Bundle:
    photos = draw_photos(n_tags=n_tags, n_latent=n_latent)
    return make_bundle(photos, n_latent=n_latent)


def without(values: Any, name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


@pytest.mark.parametrize(
    ("part", "n_tags", "n_latent"),
    [
        ("gaussians", N_TAGS - 1, N_LATENT),
        ("gaussians", N_TAGS, N_LATENT - 1),
        ("calibration", N_TAGS + 1, N_LATENT),
        ("latent_map", N_TAGS - 1, N_LATENT),
        ("latent_map", N_TAGS, N_LATENT + 1),
    ],
)
def test_parts_of_another_bundle_are_refused(
    part: str, n_tags: int, n_latent: int
) -> None:
    other = other_arrays(n_tags, n_latent)
    with pytest.raises(BundleError):
        Tagger(replace(bundle(), **{part: getattr(other, part)}))


def test_an_encoder_of_other_latents_is_refused() -> None:
    with pytest.raises(BundleError, match=r"disagree .*'encoder\.onnx': 7"):
        Tagger(replace(bundle(), encoder_onnx=encoder_onnx(7)))


@pytest.mark.parametrize(
    "change",
    [
        *({name: None} for name in ("threshold", "shrinkage", "ridge")),
        {"threshold": "high"},
        {"shrinkage": "much"},
        {"unknown_weight": []},
        {"ridge": -5.0},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BundleError):
        Tagger(replace(bundle(), settings={**bundle().settings, **change}))
    (name,) = change
    with pytest.raises(BundleError, match=name):
        Tagger(replace(bundle(), settings=without(bundle().settings, name)))


def test_numbers_that_make_no_sense_are_refused() -> None:
    rare = dict(bundle().gaussians)
    rare["tag_n"] = np.where(np.arange(N_TAGS) == 3, 2.0, rare["tag_n"])
    with pytest.raises(BundleError, match=r"too few of: tag00003 \(2\)"):
        Tagger(replace(bundle(), gaussians=rare))
    nowhere = dict(bundle().gaussians)
    nowhere["tag_outer"] = np.full_like(nowhere["tag_outer"], np.nan)
    with pytest.raises(BundleError, match="not positive definite"):
        Tagger(replace(bundle(), gaussians=nowhere))
