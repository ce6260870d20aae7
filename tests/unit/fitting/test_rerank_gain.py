"""The figures after accepted tags against a person imitated one photo at a time."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from model_makers import draw_photos, make_bundle

from lablr import NotInBundle
from lablr.fitting.rerank_gain import PROTOCOLS, RerankGain, accept_encoded
from lablr.ranking.tagger import Tagger

PHOTOS = draw_photos(n_photos=200, n_tags=7)
VALIDATION = PHOTOS.rows(PHOTOS.is_validation)


@cache
def tagger() -> Tagger:
    return Tagger(make_bundle(PHOTOS))


def precision(ranked: list[str], right: set[str]) -> float:
    """AP of one photo by its definition."""
    places = [place for place, tag in enumerate(ranked, 1) if tag in right]
    return float(np.mean([n / place for n, place in enumerate(places, 1)]))


def imitate(protocol: str, n_accepted: int) -> tuple[int, float, float]:
    """Photos, MAP alone and MAP listening, by the tagger's own suggestions."""
    alone, listening = [], []
    for photo, own in zip(VALIDATION.latents, VALIDATION.membership, strict=True):
        right = {tagger().tags[column] for column in np.flatnonzero(own)}
        (plain,) = tagger().rank(photo[np.newaxis], 0)
        order = [score.tag for score in plain.tags]
        accepted: list[str] = []
        now = plain
        for _ in range(min(n_accepted, len(right))):
            shown = [score.tag for score in now.tags]
            by = shown if protocol == "first" else order[::-1]
            accepted.append(next(tag for tag in by if tag in right - set(accepted)))
            now = tagger().rerank(plain, accepted, k=0)
        left = right - set(accepted)
        if left:
            rest = [tag for tag in order if tag not in accepted]
            alone.append(precision(rest, left))
            listening.append(precision([score.tag for score in now.tags], left))
    return len(alone), float(np.mean(alone)), float(np.mean(listening))


@pytest.mark.parametrize("protocol", ["first", "last"])
def test_the_report_is_what_a_person_meets(protocol: str) -> None:
    reports = {
        report.n_accepted: report
        for report in accept_encoded(tagger(), VALIDATION, (0, 1, 2))
        if (report.source, report.protocol) == ("all", protocol)
    }
    assert list(reports) == [0, 1, 2]
    for n, report in reports.items():
        n_photos, alone, listening = imitate(protocol, n)
        assert report.n_photos == n_photos
        assert report.alone == pytest.approx(alone, abs=1e-12)
        assert report.listening == pytest.approx(listening, abs=1e-12)
    assert reports[0].gain == 0
    assert reports[0].n_photos > reports[1].n_photos > reports[2].n_photos > 0


def test_every_source_protocol_and_number_has_its_report() -> None:
    reports = list(accept_encoded(tagger(), VALIDATION, (0, 3, 7)))
    keys = [(r.protocol, r.n_accepted, r.source) for r in reports]
    assert keys == [
        (protocol, n, source)
        for protocol in PROTOCOLS
        for n in (0, 3, 7)
        for source in ("a", "b", "all")
    ]
    for report in reports:
        shown = json.loads(json.dumps(report.to_dict(), allow_nan=False))
        assert (shown["alone"] is None) == (report.n_photos == 0)
    assert any(report.n_photos == 0 for report in reports)
    again = list(accept_encoded(tagger(), VALIDATION, (0, 3, 7)))
    assert [str(r) for r in again] == [str(r) for r in reports]  # random is drawn once


def test_a_word_that_tells_raises_the_rest() -> None:
    """Tag 6 is worn whenever tag 5 is, and no photo shows either."""
    rng = np.random.default_rng(3)
    photos = draw_photos(n_photos=1200, sources=("a",))
    own = photos.membership.copy()
    own[:, 5] = own[:, 6] = rng.random(len(own)) < 0.3
    photos = replace(photos, membership=own)
    one = Tagger(make_bundle(photos))
    found: dict[tuple[str, int], RerankGain] = {
        (report.protocol, report.n_accepted): report
        for report in accept_encoded(one, photos.rows(photos.is_validation), (1, 2))
        if report.source == "all"
    }
    assert found["random", 1].gain > 0.02


def test_a_bundle_that_cannot_listen_has_no_such_figures() -> None:
    made = make_bundle(PHOTOS)
    kept = {k: v for k, v in made.gaussians.items() if k != "coupling"}
    with pytest.raises(NotInBundle):
        list(accept_encoded(Tagger(replace(made, gaussians=kept)), VALIDATION, (1,)))
