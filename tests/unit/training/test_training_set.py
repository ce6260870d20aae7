"""Decoded photos and features on disk: found again, made anew, never half."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from training_makers import (
    Heard,
    make_corpus,
    one_core,  # noqa: F401
    read_records,
    write_records,
)

from lablr.corpus import Corpus
from lablr.errors import TrainingError
from lablr.photos import FOLDER_LIMITS, read_image
from lablr.training.array_cache import ArrayCache
from lablr.training.batches import FeatureBatches, ImageBatches
from lablr.training.dataset import TrainingSet
from lablr.training.distributed import Processes
from lablr.training.run_folder import locked
from lablr.training.vae import VAE, VAEConfig

SIZE = 64
CONFIG = VAEConfig(
    backbone="efficientnet-lite0",
    image_size=SIZE,
    n_latent=8,
    n_frozen=-1,
    reconstruction_size=16,
)


@pytest.fixture(scope="module")
def shared_corpus(tmp_path_factory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("corpus"), n_train=12, n_val=5)


@pytest.fixture
def corpus(shared_corpus, tmp_path) -> Corpus:
    """A copy of the corpus, to be spoilt."""
    shutil.copytree(shared_corpus.root, tmp_path / "corpus")
    return Corpus.open(tmp_path / "corpus")


def prepare(corpus: Corpus, cache: Path, progress=None) -> TrainingSet:
    store = ArrayCache(cache, progress=progress or Heard())
    return TrainingSet.prepare(corpus, SIZE, 0.1, store)


@pytest.fixture(scope="module")
def photos(shared_corpus, tmp_path_factory) -> TrainingSet:
    return prepare(shared_corpus, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def model() -> VAE:
    torch.manual_seed(0)
    return VAE(CONFIG, n_tags=7)


# --- decoded photos


def test_the_arrays_are_the_corpus(shared_corpus, photos):
    records = list(shared_corpus.photos())
    assert photos.images.shape == (17, SIZE, SIZE, 3)
    rows = np.arange(17)
    for image, photo in zip(photos.images[rows], records, strict=True):
        assert np.array_equal(image, read_image(photo.path, SIZE, FOLDER_LIMITS))
    assert photos.tags == tuple(
        sorted({tag for photo in records for tag in photo.tags})
    )
    for row, photo in zip(photos.membership(rows), records, strict=True):
        assert [photos.tags[t] for t in np.flatnonzero(row)] == list(photo.tags)
    assert photos.train_rows.tolist() == list(range(12))
    assert photos.validation_rows.tolist() == list(range(12, 17))
    assert (photos.evidence(rows) == 1).all()  # one source uses every tag


def test_photos_are_decoded_once(shared_corpus, tmp_path):
    first, second = Heard(), Heard()
    prepare(shared_corpus, tmp_path, first)
    again = prepare(shared_corpus, tmp_path, second)
    assert (first.labels, second.labels) == (["reading photos"], [])
    assert again.images[[0, 16]].any(axis=(1, 2, 3)).all()


def spoil(corpus: Corpus) -> None:
    """Break two training photos and take one for validation away."""
    (corpus.root / "001.jpg").write_bytes(b"\xff\xd8 not a photo")
    whole = (corpus.root / "002.jpg").read_bytes()
    (corpus.root / "002.jpg").write_bytes(whole[: len(whole) // 2])
    (corpus.root / "013.jpg").unlink()


def test_unreadable_photos_are_left_out_and_named(corpus, tmp_path, caplog):
    spoil(corpus)
    for _ in range(2):  # read from disk, then found in the cache
        caplog.clear()
        photos = prepare(corpus, tmp_path / "cache")
        assert sorted({r.getMessage().split()[2][:7] for r in caplog.records}) == [
            "001.jpg",
            "002.jpg",
            "013.jpg",
        ]
        assert photos.train_rows.tolist() == [0, *range(3, 12)]
        assert photos.validation_rows.tolist() == [12, 14, 15, 16]


def test_a_replaced_photo_is_read_again(corpus, tmp_path):
    before = prepare(corpus, tmp_path / "cache")
    shutil.copy(corpus.root / "001.jpg", corpus.root / "000.jpg")
    after = prepare(Corpus.open(corpus.root), tmp_path / "cache")
    assert not np.array_equal(before.images[[0]], after.images[[0]])
    assert np.array_equal(after.images[[0]], after.images[[1]])


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def garbage(path: Path) -> None:
    path.write_bytes(b"something else")


@pytest.mark.parametrize("kind", ["images", "readable"])
@pytest.mark.parametrize(
    "damage", [cut_off, garbage, Path.unlink, lambda p: cut_off(p)]
)
def test_a_damaged_cache_is_made_anew(
    shared_corpus, photos, tmp_path, caplog, kind, damage
):
    prepare(shared_corpus, tmp_path)
    (path,) = tmp_path.glob(f"{kind}-*.npy")
    damage(path)
    heard = Heard()
    again = prepare(shared_corpus, tmp_path, heard)
    assert heard.labels == ["reading photos"]
    assert np.array_equal(again.images.load(), photos.images.load())
    assert ("made anew" in caplog.text) == (damage is not Path.unlink)


def test_a_stopped_reading_leaves_nothing(shared_corpus, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        prepare(shared_corpus, tmp_path, Heard("reading photos", 5))
    assert not [path for path in tmp_path.iterdir() if path.stat().st_size]


def test_what_a_killed_run_left_is_overwritten(shared_corpus, photos, tmp_path):
    name = f"images-{photos.digest}.npy.partial"
    (tmp_path / name).write_bytes(b"half an array")
    assert np.array_equal(
        prepare(shared_corpus, tmp_path).images.load(), photos.images.load()
    )
    assert not list(tmp_path.glob("*.partial"))


def test_one_run_at_a_time_fills_a_cache(tmp_path):
    lock = tmp_path / ".filling"
    with (
        locked(lock, "busy", wait=True),
        pytest.raises(TrainingError, match="busy"),
        locked(lock, "busy", wait=False),
    ):
        pass
    with locked(lock, "busy", wait=False):
        pass


def test_a_cache_that_cannot_be_written(shared_corpus, tmp_path):
    # A folder where the file should be: the system's own refusal, also for root.
    photos = prepare(shared_corpus, tmp_path)
    path = tmp_path / f"images-{photos.digest}.npy"
    path.unlink()
    (tmp_path / f"{path.name}.partial").mkdir()
    with pytest.raises(TrainingError, match=r"images.*npy cannot be written: Is a dir"):
        prepare(shared_corpus, tmp_path)


@pytest.mark.parametrize("missing", ["train", "val"])
def test_both_splits_are_needed(corpus, tmp_path, missing):
    records = [r for r in read_records(corpus.root) if r["split"] != missing]
    write_records(corpus.root, records)
    with pytest.raises(TrainingError, match="a run needs both"):
        prepare(Corpus.open(corpus.root), tmp_path / "cache")


def test_evidence_is_less_where_a_source_never_uses_a_tag(corpus, tmp_path):
    records = read_records(corpus.root)
    for record in records:
        record["source"] = "portraits" if "portrait" in record["tags"] else "others"
    write_records(corpus.root, records)
    photos = prepare(Corpus.open(corpus.root), tmp_path / "cache")
    rows = np.arange(17)
    portrait = photos.membership(rows)[:, photos.tags.index("portrait")] == 1
    of_sky = photos.evidence(rows)[:, photos.tags.index("sky")]
    assert np.unique(of_sky[portrait]) == np.float32(0.1)
    assert np.unique(of_sky[~portrait]) == 1


# --- batches of images


def image_batches(photos: TrainingSet, batch_size: int = 5) -> ImageBatches:
    return ImageBatches(
        photos, batch_size, 16, Processes(), train_size=48, min_crop=0.5
    )


def test_an_epoch_goes_over_the_training_photos_once(photos):
    batches = image_batches(photos)
    rows = np.concatenate(batches.rows(True, np.random.default_rng(0)))
    assert len(rows) == 10  # two whole batches; the two photos left over wait
    assert len(set(rows.tolist())) == 10
    assert set(rows.tolist()) <= set(photos.train_rows.tolist())
    in_order = np.concatenate(batches.rows(False, np.random.default_rng(0)))
    assert in_order.tolist() == photos.validation_rows.tolist()


def test_fewer_photos_than_a_batch_are_one_batch(photos):
    (rows,) = image_batches(photos, 100).rows(True, np.random.default_rng(0))
    assert sorted(rows.tolist()) == photos.train_rows.tolist()


def test_training_images_are_random_crops_by_the_seed(photos, model):
    batches = image_batches(photos)
    image = torch.from_numpy(photos.images[[3]])[0].permute(2, 0, 1)
    crops = [batches._augmented(image, seed) for seed in (0, 1, 0)]
    assert {crop.shape for crop in crops} == {(3, 48, 48)}
    assert crops[0].equal(crops[2])
    assert not crops[0].equal(crops[1])

    def first(seed: int) -> torch.Tensor:
        batch = next(batches.epoch(True, np.random.default_rng(seed)))
        assert batch.pixels.shape == (5, 3, 16, 16)
        assert 0 <= batch.pixels.min() < batch.pixels.max() <= 1
        return batch.pixels

    assert first(0).equal(first(0))
    assert not first(0).equal(first(1))


def test_validation_images_are_as_they_are(photos, model):
    batch = next(image_batches(photos).epoch(False, np.random.default_rng(0)))
    images = torch.from_numpy(photos.images[photos.validation_rows])
    images = images.permute(0, 3, 1, 2)
    four_by_four = images.float().unfold(2, 4, 4).unfold(3, 4, 4).mean(dim=(4, 5))
    torch.testing.assert_close(batch.pixels, four_by_four / 255)
    assert np.array_equal(batch.tags, photos.membership(np.arange(12, 17)))
    with torch.no_grad():
        found = batch.posterior(model.eval()).mean
        expected = model.encode(model.normalize(images)).mean
    torch.testing.assert_close(found, expected)


# --- batches of features


def feature_batches(photos, model, cache: Path, progress=None) -> FeatureBatches:
    store = ArrayCache(cache, progress=progress or Heard())
    return FeatureBatches(photos, 5, 16, Processes(), model, store)


@torch.no_grad()
def test_kept_features_give_the_same_posterior(photos, model, tmp_path):
    batches = feature_batches(photos, model, tmp_path)
    model.eval()
    kept = next(batches.epoch(False, np.random.default_rng(0)))
    computed = next(image_batches(photos).epoch(False, np.random.default_rng(0)))
    found, expected = kept.posterior(model), computed.posterior(model)
    # Kept as float16: eleven binary digits.
    torch.testing.assert_close(
        found.features, expected.features, rtol=2**-11, atol=1e-6
    )
    torch.testing.assert_close(found.mean, expected.mean, rtol=0, atol=1e-3)
    torch.testing.assert_close(
        found.log_variance, expected.log_variance, rtol=0, atol=1e-3
    )
    assert kept.pixels.equal(computed.pixels)


@torch.no_grad()
def test_a_training_photo_is_seen_as_it_is_or_mirrored(photos, model, tmp_path):
    batches = feature_batches(photos, model, tmp_path)
    model.eval()
    features_of = batches.features.load()
    views = set()
    for batch in batches.epoch(True, np.random.default_rng(1)):
        features = batch.posterior(model).features
        for row, pixels in zip(features, batch.pixels, strict=True):
            found = [
                (number, view)
                for number in photos.train_rows
                for view in (0, 1)
                if np.array_equal(features_of[number, view], row.numpy())
            ]
            assert len(found) == 1
            number, view = found[0]
            image = torch.from_numpy(photos.images[[number]])[0].permute(2, 0, 1)[None]
            expected = batches._pixels(image)[0]
            assert pixels.equal(expected.flip(2) if view else expected)
            views.add(view)
    assert views == {0, 1}


def test_features_are_computed_once_for_the_same_weights(photos, model, tmp_path):
    heard = [Heard() for _ in range(3)]
    feature_batches(photos, model, tmp_path, heard[0])
    feature_batches(photos, model, tmp_path, heard[1])
    torch.manual_seed(1)
    other = VAE(CONFIG, n_tags=7, pretrained=False)
    feature_batches(photos, other, tmp_path, heard[2])
    labels = [progress.labels for progress in heard]
    assert labels == [["computing features"], [], ["computing features"]]


def test_damaged_features_are_computed_anew(photos, model, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    whole = feature_batches(photos, model, tmp_path).features.load()
    (path,) = tmp_path.glob("features-*.npy")
    cut_off(path)
    again = feature_batches(photos, model, tmp_path).features.load()
    assert np.array_equal(again, whole)
    assert "made anew" in caplog.text
