"""Counts of pairs against loops over the photos, and their halves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lablr.errors import BundleError
from lablr.latent_space.cooccurrence import Cooccurrence

TAGS = ("a", "b", "c", "d", "e")


def draw(seed: int, n_photos: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    own = rng.random((n_photos, len(TAGS))) < 0.3
    return own, np.array(["y", "x", "z"])[rng.integers(3, size=n_photos)]


def tables(pairs: Cooccurrence) -> dict[str, np.ndarray]:
    return {name: pairs.together(row) for row, name in enumerate(pairs.sources)}


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_counts_against_a_loop(seed: int) -> None:
    own, sources = draw(seed)
    pairs = Cooccurrence.of(own, sources, TAGS)
    assert pairs.sources == tuple(sorted(set(sources.tolist())))
    for name, table in tables(pairs).items():
        for one in range(5):
            for two in range(5):
                met = sum(
                    bool(photo[one] and photo[two] and source == name)
                    for photo, source in zip(own, sources, strict=True)
                )
                assert table[one, two] == (met if one != two else 0)
    assert (pairs.n > 0).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), cut=st.integers(0, 40))
def test_halves_add_to_the_whole(seed: int, cut: int) -> None:
    own, sources = draw(seed)
    whole = Cooccurrence.of(own, sources, TAGS)
    # A half need only know the tags of its own photos.
    halves = []
    for rows in (slice(None, cut), slice(cut, None)):
        there = own[rows].any(axis=0)
        tags = tuple(np.array(TAGS)[there].tolist())
        halves.append(Cooccurrence.of(own[rows][:, there], sources[rows], tags))
    added = Cooccurrence.total([Cooccurrence.total(halves[:1]), halves[1]])
    for found in (added, Cooccurrence.total(reversed(halves))):
        assert found.sources == whole.sources
        known = [whole.tags.index(tag) for tag in found.tags]
        for name, table in tables(found).items():
            np.testing.assert_array_equal(
                table, tables(whole)[name][np.ix_(known, known)]
            )
        assert found.n.sum() == whole.n.sum()


def test_other_tags_and_arrays() -> None:
    whole = Cooccurrence.of(*draw(1), TAGS)
    other = whole.with_tags(("b", "new", "e", "c"))
    for name, table in tables(other).items():
        before = tables(whole)[name]
        assert table[0, 2] == table[2, 0] == before[1, 4]
        assert table[0, 3] == before[1, 2]
        assert not table[1].any()
    read = Cooccurrence.from_arrays(whole.to_arrays(), whole.tags, whole.sources)
    assert read is not None
    for name, table in tables(read).items():
        np.testing.assert_array_equal(table, tables(whole)[name])
    assert Cooccurrence.from_arrays({}, TAGS, ("x",)) is None


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("pair_places", np.array([[0, 0, 9]])),
        ("pair_places", np.array([[-1, 0, 1]])),
        ("pair_places", np.array([[0, 1]])),
        ("pair_n", np.array([np.nan])),
        ("pair_n", np.array([1.0, 2.0])),
    ],
)
def test_arrays_that_do_not_fit_are_refused(name: str, wrong: np.ndarray) -> None:
    arrays = {"pair_places": np.array([[0, 0, 1]]), "pair_n": np.array([3.0])}
    assert Cooccurrence.from_arrays(arrays, TAGS, ("x",)) is not None
    with pytest.raises(BundleError, match=r"gaussians\.npz: the pairs"):
        Cooccurrence.from_arrays({**arrays, name: wrong}, TAGS, ("x",))
