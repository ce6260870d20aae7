"""The photos on the map: the same ones, whoever met them first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_makers import draw_photos

from lablr.encoders.encoding import EncodedPhotos
from lablr.latent_space.dots import MAX_PHOTOS_PER_TAG, MapDots

N_PHOTOS = 1500  # of seven tags, some 400 photos each


def dots_of(photos: EncodedPhotos, seed: int = 0) -> MapDots:
    return MapDots.of(
        photos.latents, photos.membership, photos.files, photos.tags, seed
    )


def assert_equal_dots(one: MapDots, two: MapDots) -> None:
    assert one.tags == two.tags
    for name in ("tag_of", "keys", "latents", "starts"):
        assert np.array_equal(getattr(one, name), getattr(two, name)), name


@pytest.fixture(scope="module")
def photos() -> EncodedPhotos:
    return draw_photos(n_photos=N_PHOTOS)


def test_every_tag_has_its_photos_up_to_a_number(photos: EncodedPhotos) -> None:
    few = photos.membership.copy()
    few[np.flatnonzero(few[:, 2])[9:], 2] = False
    few[:, 4] = False
    dots = dots_of(replace(photos, membership=few))
    counts = np.diff(dots.starts)
    most = MAX_PHOTOS_PER_TAG
    assert counts.tolist() == [most, most, 9, most, 0, most, most]
    for tag in range(len(photos.tags)):
        own = {tuple(x) for x in photos.latents[few[:, tag]].tolist()}
        chosen = dots.latents[dots.starts[tag] : dots.starts[tag + 1]].tolist()
        assert {tuple(x) for x in chosen} <= own
        assert len({tuple(x) for x in chosen}) == len(chosen)


def test_the_choice_is_the_smallest_keys(photos: EncodedPhotos) -> None:
    everyone = MapDots.of(
        photos.latents, np.eye(N_PHOTOS, dtype=bool), photos.files, ()
    )
    assert everyone.keys.min() >= 0
    assert len(set(everyone.keys.tolist())) == N_PHOTOS
    dots = dots_of(photos)
    for tag, members in enumerate(photos.membership.T):
        smallest = np.sort(everyone.keys[members])[:MAX_PHOTOS_PER_TAG]
        found = dots.keys[dots.starts[tag] : dots.starts[tag + 1]]
        assert np.array_equal(found, smallest)


def test_the_seed_changes_the_choice(photos: EncodedPhotos) -> None:
    one, other = dots_of(photos), dots_of(photos, seed=1)
    assert_equal_dots(one, dots_of(photos))
    assert not np.array_equal(one.latents, other.latents)


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_neither_order_nor_parts_change_the_choice(random) -> None:
    photos = draw_photos(n_photos=N_PHOTOS)
    part_of = np.array([random.randrange(4) for _ in range(N_PHOTOS)])
    parts = [dots_of(photos.rows(part_of == number)) for number in range(4)]
    random.shuffle(parts)
    first, second = MapDots.joined(parts[:2]), MapDots.joined(parts[2:])
    assert_equal_dots(MapDots.joined([first, second]), dots_of(photos))


def test_parts_need_only_their_own_tags(photos: EncodedPhotos) -> None:
    empty = replace(photos, membership=photos.membership & False)
    whole = dots_of(replace(photos, membership=photos.membership.copy()))
    one, two = (
        dots_of(photos.with_tags(tags)) for tags in (photos.tags[:3], photos.tags[3:])
    )
    assert_equal_dots(MapDots.joined([two, one]), whole)
    assert_equal_dots(MapDots.joined([dots_of(empty), whole]), whole)
