"""Sufficient statistics: sums that add, and how a bundle keeps them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_makers import draw_photos, statistics_of

from lablr.encoders.encoding import EncodedPhotos
from lablr.errors import BundleError
from lablr.latent_space.gaussians import GaussianStatistics, StatisticsSum, TagGaussians
from lablr.system.npz import pack_arrays, unpack_arrays


def part(photos: EncodedPhotos, rows: np.ndarray) -> EncodedPhotos:
    return replace(
        photos,
        latents=photos.latents[rows],
        membership=photos.membership[rows],
        sources=photos.sources[rows],
    )


def assert_equal_statistics(one: GaussianStatistics, two: GaussianStatistics) -> None:
    assert (one.tags, one.sources) == (two.tags, two.sources)
    np.testing.assert_allclose(one.counts, two.counts, rtol=1e-9)
    for mine, theirs in (
        (one.tag_moments, two.tag_moments),
        (one.source_moments, two.source_moments),
    ):
        for name in ("n", "total", "outer"):
            np.testing.assert_allclose(
                getattr(mine, name), getattr(theirs, name), rtol=1e-9, atol=1e-9
            )


# --- sums that add


def test_the_sums_against_a_loop() -> None:
    photos = draw_photos(n_photos=60)
    statistics = statistics_of(photos)
    for t in range(len(photos.tags)):
        n, total, outer = 0, np.zeros(6), np.zeros((6, 6))
        for x, tags in zip(
            photos.latents.astype(float), photos.membership, strict=True
        ):
            if tags[t]:
                n, total, outer = n + 1, total + x, outer + np.outer(x, x)
        assert statistics.tag_moments.n[t] == n
        np.testing.assert_allclose(statistics.tag_moments.total[t], total, rtol=1e-12)
        np.testing.assert_allclose(statistics.tag_moments.outer[t], outer, rtol=1e-12)
    for s, source in enumerate(statistics.sources):
        own = photos.sources == source
        assert statistics.source_moments.n[s] == own.sum()
        assert np.array_equal(statistics.counts[s], photos.membership[own].sum(axis=0))


def test_two_halves_add_up_to_the_whole() -> None:
    photos = draw_photos(sources=("a", "b", "c"))
    # "a" lies in the first half alone, "c" in the second alone, "b" in both.
    first = (photos.sources == "a") | (
        (photos.sources == "b") & (np.arange(len(photos.sources)) % 2 == 0)
    )
    halves = [statistics_of(part(photos, rows)) for rows in (first, ~first)]
    assert [half.sources for half in halves] == [("a", "b"), ("b", "c")]
    whole = statistics_of(photos)
    assert_equal_statistics(halves[0] + halves[1], whole)
    assert_equal_statistics(halves[1] + halves[0], whole)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=60, max_size=60))
def test_any_parts_add_up_to_the_whole(part_of: list[int]) -> None:
    photos = draw_photos(n_photos=60)
    rows = [np.array(part_of) == number for number in range(4)]
    parts = [statistics_of(part(photos, own)) for own in rows if own.any()]
    assert_equal_statistics(sum(parts[1:], start=parts[0]), statistics_of(photos))


def test_photos_counted_half_twice_are_photos() -> None:
    statistics = statistics_of(draw_photos())
    assert_equal_statistics((statistics + statistics).scaled(0.5), statistics)


def test_each_part_needs_only_its_own_tags() -> None:
    photos = draw_photos(n_photos=60)
    rows = np.arange(60) < 30
    first, second = (part(photos, own) for own in (rows, ~rows))
    first.membership[:, :2] = second.membership[:, -2:] = False
    whole = statistics_of(
        replace(
            photos, membership=np.concatenate([first.membership, second.membership])
        )
    )
    one = replace(first, membership=first.membership[:, 2:], tags=photos.tags[2:])
    two = replace(second, membership=second.membership[:, :-2], tags=photos.tags[:-2])
    found = statistics_of(two) + statistics_of(one)
    assert_equal_statistics(found, whole)


def test_adding_leaves_the_parts_as_they_are() -> None:
    statistics = statistics_of(draw_photos())
    before = statistics.tag_moments.outer.copy()
    together = StatisticsSum()
    for _ in range(3):
        together.add(statistics)
    assert_equal_statistics(together.total(), statistics.scaled(3))
    assert np.array_equal(statistics.tag_moments.outer, before)
    assert together.n_photos == 3 * 240


# --- in a bundle


def test_statistics_come_back_from_a_bundle_as_they_went() -> None:
    statistics = statistics_of(draw_photos(sources=("a", "été", "写真")))
    packed = pack_arrays(statistics.to_arrays(), "gaussians.npz")
    back = GaussianStatistics.from_arrays(
        unpack_arrays(packed, "gaussians.npz"), statistics.tags
    )
    assert (back.tags, back.sources) == (statistics.tags, statistics.sources)
    assert np.array_equal(back.counts, statistics.counts)
    for mine, theirs in (
        (back.tag_moments, statistics.tag_moments),
        (back.source_moments, statistics.source_moments),
    ):
        assert np.array_equal(mine.n, theirs.n)
        assert np.array_equal(mine.total, theirs.total)
        # As documented: float32 keeps 24 bits.
        np.testing.assert_allclose(mine.outer, theirs.outer, rtol=2.0**-24)
        assert np.array_equal(mine.outer, mine.outer.transpose(0, 2, 1))


def test_a_bundle_scores_as_what_was_fitted() -> None:
    photos = draw_photos(n_photos=800)
    before = statistics_of(photos)
    after = GaussianStatistics.from_arrays(before.to_arrays(), before.tags)
    one, two = (
        TagGaussians(statistics, statistics.absence(0.1), 20.0, 0.01)
        for statistics in (before, after)
    )
    for exact, rounded in zip(
        one.score(photos.latents), two.score(photos.latents), strict=True
    ):
        np.testing.assert_allclose(rounded, exact, rtol=1e-3, atol=1e-3)


def without_its_last_row(array: np.ndarray) -> np.ndarray:
    return array[:-1]


def without_its_last_column(array: np.ndarray) -> np.ndarray:
    return array[..., :-1]


def without_axes(array: np.ndarray) -> np.ndarray:
    return array.ravel()[0]


@pytest.mark.parametrize(
    "change", [without_its_last_row, without_its_last_column, without_axes]
)
@pytest.mark.parametrize(
    "name",
    [
        "counts",
        *(
            f"{of}_{sums}"
            for of in ("tag", "source")
            for sums in ("n", "total", "outer")
        ),
    ],
)
def test_arrays_of_other_shapes_are_refused(
    name: str, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    statistics = statistics_of(draw_photos())
    arrays: dict[str, Any] = statistics.to_arrays()
    arrays[name] = change(arrays[name])
    with pytest.raises(BundleError, match=r"gaussians\.npz"):
        GaussianStatistics.from_arrays(arrays, statistics.tags)
    del arrays[name]
    with pytest.raises(BundleError, match=r"gaussians\.npz"):
        GaussianStatistics.from_arrays(arrays, statistics.tags)


def test_arrays_of_other_latents_tags_or_sources_are_refused() -> None:
    statistics = statistics_of(draw_photos())
    arrays = statistics.to_arrays()
    smaller = statistics_of(draw_photos(n_latent=1)).to_arrays()
    mixed = {
        name: smaller[name] if name.startswith("source_") else array
        for name, array in arrays.items()
    }
    one_source = arrays | {"sources": np.frombuffer(b"a", np.uint8)}
    not_a_name = arrays | {"sources": np.frombuffer(b"\xff\n\xff", np.uint8)}
    for wrong, tags in (
        (mixed, statistics.tags),
        (arrays, statistics.tags[:-1]),
        (one_source, statistics.tags),
        (not_a_name, statistics.tags),
    ):
        with pytest.raises(BundleError, match=r"gaussians\.npz"):
            GaussianStatistics.from_arrays(wrong, tags)
