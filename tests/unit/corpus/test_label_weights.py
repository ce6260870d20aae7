"""What a missing tag says, against a loop over photos and tags."""

from __future__ import annotations

import numpy as np
import pytest
from model_makers import draw_photos

from lablr.corpus.label_weights import absence_weights, evidence
from lablr.latent_space.gaussians import GaussianStatistics


@pytest.mark.parametrize("unknown", [0.0, 0.1, 1.0])
def test_evidence_against_a_loop(unknown: float) -> None:
    photos = draw_photos(n_photos=80, sources=("b", "a", "c"))
    found = evidence(photos.membership, photos.sources, unknown)
    used = {
        (source, tag)
        for source, tags in zip(photos.sources, photos.membership, strict=True)
        for tag in np.flatnonzero(tags)
    }
    for photo, source in enumerate(photos.sources):
        for tag in range(len(photos.tags)):
            expected = 1.0 if (source, tag) in used else unknown
            assert found[photo, tag] == np.float32(expected)
    assert found.dtype == np.float32
    # The last tag occurs in one source of three.
    assert (found == np.float32(unknown)).any()


def test_a_tag_that_is_there_is_full_evidence() -> None:
    photos = draw_photos()
    found = evidence(photos.membership, photos.sources, 0.0)
    assert (found[photos.membership] == 1).all()


def test_the_training_loss_and_the_gaussians_weigh_the_same() -> None:
    photos = draw_photos()
    statistics = GaussianStatistics.of(
        photos.latents, photos.membership, photos.sources, photos.tags
    )
    weights = statistics.absence(0.25)
    assert np.array_equal(weights, absence_weights(statistics.counts, 0.25))
    rows = [statistics.sources.index(source) for source in photos.sources]
    assert np.array_equal(
        evidence(photos.membership, photos.sources, 0.25), weights[rows]
    )
