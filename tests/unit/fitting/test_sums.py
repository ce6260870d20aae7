"""What fit takes from photos adds, so that blocks and machines change nothing."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from fit_makers import assert_same_bundle
from model_makers import GREY, draw_photos, encoder_onnx, make_bundle
from training_makers import make_corpus, read_records, write_records

from lablr.corpus import Corpus
from lablr.encoders.encoder import Encoder
from lablr.encoders.encoding import EncodedPhotos, encode_corpus, encode_photos
from lablr.errors import BundleError, FitError
from lablr.fitting.fit import FitConfig, fit, fit_encoded
from lablr.fitting.sums import FitSums, FitWork
from lablr.ranking.reach import Reach

LIKE = {"model_card": "", "provenance": {"created": "2025-01-01T00:00:00+00:00"}}


def bundle_of(parts: list[EncodedPhotos], config: FitConfig):
    """Fit to parts of photos that come one after another."""
    from lablr.fitting.fit import _bundle

    sums = FitSums.total(FitSums.of(part, config.seed) for part in parts)
    return _bundle(sums, config, encoder_onnx=b"", preprocessing={}, **LIKE)


@pytest.mark.parametrize("n_parts", [2, 7, 60])
def test_the_number_of_blocks_changes_nothing(n_parts: int) -> None:
    photos, config = draw_photos(n_photos=900), FitConfig()
    number = np.arange(900) * n_parts // 900
    parts = [photos.rows(number == part) for part in range(n_parts)]
    whole = bundle_of([photos], config)
    assert_same_bundle(bundle_of(parts, config), whole)
    # Neither do tags that a block's photos do not have.
    own = [
        part.with_tags(np.array(part.tags)[part.membership.any(0)]) for part in parts
    ]
    assert_same_bundle(bundle_of(own, config), whole)


def test_validation_photos_stay_in_order() -> None:
    photos = draw_photos()
    parts = [photos.rows(np.arange(240) // 50 == part) for part in range(5)]
    total = FitSums.total(FitSums.of(part, 0) for part in parts)
    expected = photos.rows(photos.is_validation)
    for name in ("latents", "membership", "files", "sources"):
        assert np.array_equal(getattr(total.validation, name), getattr(expected, name))


def test_sums_come_back_as_they_were_packed() -> None:
    photos = draw_photos(sources=("a", "été"))
    strange = np.array(["写真.jpg", "bad\udcff.jpg", *photos.files[2:]])
    named = replace(photos, files=strange, left_out=("a\n.jpg: é",))
    for part in (
        named,
        named.rows(~photos.is_validation),
        named.rows(photos.files == ""),
    ):
        before = FitSums.of(part, 3)
        after = FitSums.unpack(before.pack())
        assert after.pack() == before.pack()
        assert after.left_out == before.left_out == ("a\n.jpg: é",)
        assert after.statistics.sources == before.statistics.sources
        ours, theirs = before.statistics.tag_moments, after.statistics.tag_moments
        # Not rounded to float32, as a bundle's are.
        assert np.array_equal(ours.outer, theirs.outer)
        assert np.array_equal(before.validation.files, after.validation.files)
    with pytest.raises(BundleError, match="sums of a block"):
        FitSums.unpack(b"")


def test_a_corpus_is_fitted_as_its_encoded_photos_are(tmp_path, caplog) -> None:
    corpus = make_corpus(tmp_path / "corpus", n_train=90, n_val=24, side=64)
    for broken in (3, 100):
        (tmp_path / "corpus" / f"{broken:03}.jpg").write_bytes(b"no photo")
    config = FitConfig(shrinkage=30.0)
    with caplog.at_level(logging.WARNING, "lablr"):
        found = fit(corpus, encoder_onnx(), GREY, config, provenance=LIKE["provenance"])
    assert [text.partition(": ")[0] for text in caplog.messages] == [
        "left out 003.jpg",
        "left out 100.jpg",
        "2 of 114 photos left out",
    ]
    encoded = encode_corpus(corpus, Encoder(encoder_onnx(), GREY), mirror=True)
    expected = fit_encoded(
        encoded,
        config,
        encoder_onnx=encoder_onnx(),
        preprocessing=GREY.to_dict(),
        **LIKE,
    )
    assert_same_bundle(found, expected)


def test_reach_is_from_the_records_views_or_from_popularity(tmp_path) -> None:
    folder = tmp_path / "corpus"
    corpus = make_corpus(folder, n_train=60, n_val=12, side=64)
    config = FitConfig(shrinkage=30.0)
    bundle = fit(corpus, encoder_onnx(), GREY, config)
    reach = Reach.from_arrays(bundle.gaussians, bundle.tags)
    assert reach.basis == "popularity"
    assert reach.values[bundle.tags.index("sky")] == 1 / 4
    records = read_records(folder)
    for record in records:
        record["views"] = 1000 if "cat" in record["tags"] else 10
    write_records(folder, records)
    bundle = fit(Corpus.open(folder), encoder_onnx(), GREY, config)
    reach = Reach.from_arrays(bundle.gaussians, bundle.tags)
    assert reach.basis == "views"
    assert bundle.tags[int(reach.values.argmax())] == "cat"


def test_work_is_what_fit_sums_up(tmp_path) -> None:
    corpus = make_corpus(tmp_path / "corpus", side=64)
    work = FitWork(encoder_onnx(), GREY, mirror=False, seed=5)
    result = work.prepare()(list(corpus))
    encoded = encode_photos(list(corpus), Encoder(encoder_onnx(), GREY))
    assert work.pack(result) == FitSums.of(encoded, 5).pack()
    with pytest.raises(BundleError, match=r"encoder\.onnx"):
        replace(work, encoder_onnx=b"no graph").prepare()


def test_no_photos_are_no_sums() -> None:
    photos = draw_photos()
    none = replace(photos.rows(photos.files == ""), left_out=("a.jpg: torn",))
    with pytest.raises(FitError, match="none of the 1 photos can be read"):
        FitSums.total([FitSums.of(none, 0)])
    with pytest.raises(FitError, match="none of the 0 photos"):
        FitSums.total([])


def test_a_bundle_without_mirror_images_is_another() -> None:
    photos = draw_photos()
    maps = [
        make_bundle(photos, FitConfig(30.0, mirror=mirror)).latent_map
        for mirror in (True, False)
    ]
    # The plane is that of the photos that the Gaussians have seen.
    assert not np.array_equal(maps[0]["mean"], maps[1]["mean"])
    train = photos.rows(~photos.is_validation)
    views = np.concatenate([train.latents, train.mirrored]).astype(float)
    np.testing.assert_allclose(maps[0]["mean"], views.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(
        maps[1]["mean"], train.latents.astype(float).mean(axis=0), rtol=1e-12
    )
