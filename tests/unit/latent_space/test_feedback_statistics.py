"""Sums of judged photos against loops over the photos, and their halves."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lablr.latent_space.feedback_statistics import PARTS, FeedbackStatistics


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0, 1), unknown=st.floats(0, 1))
def test_the_rest_against_a_loop(seed: int, share: float, unknown: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(30, 3))
    own = rng.random((30, 4)) < 0.4
    decided = rng.random((30, 4)) < share
    sums = FeedbackStatistics.of(x, own & decided, ~own & decided, ("a", "b", "c", "d"))
    tag, rest = sums.evidence(unknown)
    for t in range(4):
        accepted = (own & decided)[:, t]
        weight = np.where(decided[:, t], 1.0, unknown) * ~accepted
        assert tag.n[t] == accepted.sum()
        np.testing.assert_allclose(rest.n[t], weight.sum(), atol=1e-9)
        np.testing.assert_allclose(rest.total[t], weight @ x, atol=1e-9)
        np.testing.assert_allclose(rest.outer[t], (weight * x.T) @ x, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), cut=st.integers(0, 40))
def test_halves_add_to_the_whole(seed: int, cut: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 5)) * 10
    accepted = rng.random((40, 3)) < 0.3
    rejected = (rng.random((40, 3)) < 0.5) & ~accepted
    tags = ("a", "b", "c")
    whole = FeedbackStatistics.of(x, accepted, rejected, tags)
    one = FeedbackStatistics.of(x[:cut], accepted[:cut], rejected[:cut], tags)
    two = FeedbackStatistics.of(x[cut:], accepted[cut:], rejected[cut:], tags)
    for found, expected in ((whole - one, two), (whole - two, one)):
        for part in PARTS:
            for name in ("n", "total", "outer"):
                np.testing.assert_allclose(
                    getattr(getattr(found, part), name),
                    getattr(getattr(expected, part), name),
                    atol=1e-9,
                )
