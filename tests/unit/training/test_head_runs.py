"""From photos to the folder of a head: encoded, kept, trained, printed, refused."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from head_makers import write_vectors
from model_makers import encoder_onnx
from training_makers import PHOTOS, Heard, make_corpus, one_core  # noqa: F401

from lablr.cli import main, train_methods
from lablr.corpus import Corpus
from lablr.encoders.encoder import Encoder
from lablr.encoders.encoding import encode_corpus
from lablr.encoders.ensemble import joined
from lablr.encoders.features import with_features
from lablr.encoders.source import read_encoder
from lablr.errors import BundleError, FitError, TrainingError
from lablr.ranking.methods.classifier import Classifier
from lablr.ranking.methods.semantic import Semantic
from lablr.ranking.methods.triplet import Triplet
from lablr.system.npz import unpack_arrays
from lablr.training.array_cache import ArrayCache
from lablr.training.heads.frozen import Frozen, encoded_frozen
from lablr.training.heads.inputs import encoded_photos
from lablr.training.heads.run import train_head as run_head
from lablr.training.heads.settings import (
    CONFIGS,
    ClassifierConfig,
    HeadConfig,
    SemanticConfig,
)

LITE = Frozen("efficientnet-lite0", image_size=64, n_latent=8)
QUICK = {"epochs": 20, "batch_size": 6, "learning_rate": 0.02, "dropout": 0.1}
QUICK |= {"inputs": "latents", "heads": 3}
WORDS = ["--epochs", "3", "--batch-size", "6", "--learning-rate", ".02"]
METHODS = {"classifier": Classifier, "triplet": Triplet, "semantic": Semantic}
TAGS = sorted({tag for tags in PHOTOS.values() for tag in tags})


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("corpus"), n_train=24, n_val=12)


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def frozen_run(corpus, cache, tmp_path_factory) -> Path:
    """A classifier over EfficientNet-Lite0 as it is, which is an encoder as well."""
    folder = tmp_path_factory.mktemp("runs") / "frozen"
    config = ClassifierConfig(**QUICK)
    run_head(corpus, folder, config, frozen=LITE, cache_folder=cache)
    return folder


@pytest.fixture(scope="module")
def glove(tmp_path_factory) -> Path:
    path = write_vectors(tmp_path_factory.mktemp("words") / "glove.txt")
    generator = np.random.default_rng(3)
    with path.open("a") as file:
        for tag in TAGS:
            numbers = (f"{n:.4f}" for n in generator.normal(size=8))
            file.write(" ".join([tag, *numbers]) + "\n")
    return path


def described(folder: Path) -> dict:
    return json.loads((folder / "config.json").read_text())


def arrays_of(folder: Path) -> dict:
    return unpack_arrays((folder / "method.npz").read_bytes(), "method.npz")


def lablr(*words: object):
    return CliRunner().invoke(main, ["train", *map(str, words)])


# --- a backbone as it is


def test_a_frozen_backbone_becomes_an_encoder(corpus, frozen_run):
    files = {path.name for path in frozen_run.iterdir()}
    assert files >= {"method.npz", "history.json", "loss.png", "encoder.onnx"}
    model, preprocessing = read_encoder(frozen_run)
    assert preprocessing.to_dict() == {
        "size": 64,
        "mean": [127] * 3,
        "scale": [128] * 3,
    }
    assert described(frozen_run)["encoder_sha256"] == hashlib.sha256(model).hexdigest()
    encoder = Encoder(model, preprocessing)
    assert (encoder.n_latent, encoder.n_features) == (8, 0)
    encoded = encode_corpus(corpus, encoder, splits=["train"])
    # Principal axes: around the mean, not correlated, the longest first.
    covariance = np.cov(encoded.latents, rowvar=False)
    np.testing.assert_allclose(encoded.latents.mean(axis=0), 0, atol=1e-3)
    off = covariance - np.diag(np.diag(covariance))
    assert abs(off).max() < 0.01 * covariance[0, 0]
    assert (np.diff(np.diag(covariance)) < 1e-6).all()
    means, log_variances = encoder.posterior(np.zeros((2, 64, 64, 3), np.uint8))
    assert np.isfinite(means).all()
    assert not log_variances.any()


def test_a_head_is_trained_on_what_the_encoder_will_say(corpus, cache, frozen_run):
    """The latents that the axes gave are those of the graph that was written."""
    config = ClassifierConfig(**QUICK)
    made = encoded_frozen(LITE, corpus, config, ArrayCache(cache))
    model, preprocessing = read_encoder(frozen_run)
    assert (made.model, made.preprocessing) == (model, preprocessing)
    photos = made.photos
    encoded = encode_corpus(corpus, Encoder(model, preprocessing), mirror=True)
    np.testing.assert_allclose(photos.views[:, 0], encoded.latents, atol=1e-5)
    np.testing.assert_allclose(photos.views[:, 1], encoded.mirrored, atol=1e-5)
    np.testing.assert_array_equal(photos.membership, encoded.membership)
    np.testing.assert_array_equal(
        photos.validation_rows, np.flatnonzero(encoded.is_validation)
    )
    method = Classifier.from_arrays(arrays_of(frozen_run), TAGS)
    rows = photos.train_rows
    best = method.logits(photos.of(rows)).argmax(axis=1)
    assert photos.membership[rows, best].mean() > 0.8


def test_other_backbones_have_the_same_way(corpus, cache, tmp_path):
    """torchvision's weights are not here; random ones go the same way."""
    frozen = Frozen("mobilenet_v3_small", 64, n_latent=4, pretrained=False)
    config = ClassifierConfig(**QUICK | {"inputs": "features"})
    run = run_head(corpus, tmp_path / "run", config, frozen=frozen, cache_folder=cache)
    assert run.learned.method.n_inputs == 576
    assert Encoder(*read_encoder(tmp_path / "run")).n_latent == 4


# --- the features of an encoder


def test_features_are_what_the_latents_are_made_of(corpus, frozen_run):
    model, preprocessing = read_encoder(frozen_run)
    plain, rich = (Encoder(m, preprocessing) for m in (model, with_features(model)))
    assert rich.n_features == 1280
    images = np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3)).astype(np.uint8)
    features = rich.features(images)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-5)
    # The latents are an affine map of them: as many images show which.
    more = np.random.default_rng(1).integers(0, 255, (20, 64, 64, 3)).astype(np.uint8)
    x = np.hstack([rich.features(more), np.ones((20, 1))])
    map_, *_ = np.linalg.lstsq(x, plain.encode(more), rcond=None)
    np.testing.assert_allclose(x @ map_, plain.encode(more), atol=1e-4)
    described = rich.describe(images)
    np.testing.assert_array_equal(described[:, :8], plain.encode(images))
    np.testing.assert_array_equal(described[:, 8:], features.astype(np.float16))
    assert with_features(with_features(model)) == with_features(model)


def test_joined_encoders_give_the_features_of_each(frozen_run):
    one, preprocessing = read_encoder(frozen_run)
    both, _ = joined([(one, preprocessing), (one, preprocessing)])
    images = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3)).astype(np.uint8)
    found = Encoder(with_features(both), preprocessing).features(images)
    alone = Encoder(with_features(one), preprocessing)
    np.testing.assert_allclose(found[:, :1280], alone.features(images), atol=1e-6)
    mirrored = alone.features(images[:, :, ::-1])
    np.testing.assert_allclose(found[:, 1280:], mirrored, atol=1e-6)


def test_an_encoder_without_features_says_so(frozen_run):
    encoder = Encoder(*read_encoder(frozen_run))
    images = np.zeros((1, 64, 64, 3), np.uint8)
    for ask in (encoder.features,):
        with pytest.raises(BundleError, match="gives no features"):
            ask(images)


def test_latents_that_no_dense_layer_makes_have_no_features():
    model = onnx.load_from_string(encoder_onnx())
    dense = next(node for node in model.graph.node if node.op_type == "MatMul")
    assert b"features" in with_features(model.SerializeToString())
    dense.op_type = "Mul"
    with pytest.raises(FitError, match="has no features: its latents are made by Mul"):
        with_features(model.SerializeToString())


# --- runs


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("inputs", ["latents", "features"])
def test_a_head_over_a_run(corpus, cache, frozen_run, glove, tmp_path, method, inputs):
    out = tmp_path / "head"
    words = ["--method", method, "--encoder", frozen_run, "--inputs", inputs, *WORDS]
    if method == "semantic":
        words += ["--vectors", glove]
    done = lablr(corpus.root, "--out", out, "--cache-folder", cache, *words)
    assert done.exit_code == 0, done.output
    header, *rows = done.stdout.splitlines()
    columns = re.split(r"  +", header)
    assert columns[0] == "photos"
    assert columns[1:4] == ["macro AP", "image MAP", "P@5"]
    assert columns[4:] == ["accuracy", "of no tag"]
    assert [row.split()[0] for row in rows] == ["shipped", "all"]
    assert done.stderr.splitlines()[-1] == f"lablr: {method} of 7 tags in {out}"
    description = described(out)
    assert description["method"] == method
    assert description["tags"] == TAGS
    assert description["settings"]["inputs"] == inputs
    assert description["encoders"] == ["frozen"]
    model, _ = joined([read_encoder(frozen_run)])
    assert description["encoder_sha256"] == hashlib.sha256(model).hexdigest()
    again = METHODS[method].from_arrays(arrays_of(out), TAGS)
    assert again.n_inputs == (8 if inputs == "latents" else 1280)
    assert not list(out.glob("*.partial"))
    has_curves = method != "semantic"
    assert (out / "loss.png").exists() == has_curves
    assert bool(json.loads((out / "history.json").read_text())) == has_curves


def test_two_runs_are_the_same_to_the_last_byte(corpus, cache, frozen_run, tmp_path):
    for name in ("one", "two"):
        config = ClassifierConfig(**QUICK)
        run_head(
            corpus, tmp_path / name, config, encoders=[frozen_run], cache_folder=cache
        )
    for file in ("method.npz", "history.json", "config.json"):
        one, two = ((tmp_path / name / file).read_bytes() for name in ("one", "two"))
        assert one == two


def test_photos_are_encoded_once(corpus, frozen_run, tmp_path):
    heard = []
    for name in ("one", "two"):
        heard.append(Heard())
        config = ClassifierConfig(**QUICK | {"heads": 1, "views": 2})
        folders = {"encoders": [frozen_run], "cache_folder": tmp_path / "cache"}
        run_head(corpus, tmp_path / name, config, **folders, progress=heard[-1])
    first, second = (own.labels for own in heard)
    assert first == ["reading photos", "encoding photos", "head 1 of 1"]
    assert second == ["head 1 of 1"]


def test_random_views_are_drawn_by_the_seed(corpus, frozen_run, tmp_path):
    encoder = read_encoder(frozen_run)

    def views(name: str, seed: int) -> np.ndarray:
        config = ClassifierConfig(views=2, seed=seed, inputs="latents")
        return encoded_photos(
            corpus, *encoder, config, ArrayCache(tmp_path / name)
        ).views

    once = views("one", 0)
    assert once.shape == (36, 4, 8)
    np.testing.assert_array_equal(once, views("two", 0))
    other = views("one", 1)
    np.testing.assert_array_equal(once[:, :2], other[:, :2])
    for drawn in (once[:, 3], other[:, 2]):
        assert (abs(drawn - once[:, 2]).max(axis=1) > 1e-3).all()


@pytest.mark.parametrize("stop", [("encoding photos", 1), ("head 2 of 3", 1)])
def test_ctrl_c_leaves_no_run_and_loses_no_photo(corpus, frozen_run, tmp_path, stop):
    run, cache = tmp_path / "run", tmp_path / "cache"
    config = ClassifierConfig(**QUICK)
    folders = {"encoders": [frozen_run], "cache_folder": cache}
    with pytest.raises(KeyboardInterrupt):
        run_head(corpus, run, config, **folders, progress=Heard(*stop))
    assert {path.name for path in run.iterdir()} <= {".training"}
    assert not list(cache.glob("*.partial"))
    heard = Heard()
    run_head(corpus, run, config, **folders, progress=heard)
    assert (run / "config.json").exists()
    assert ("encoding photos" in heard.labels) == (stop[0] == "encoding photos")
    assert "reading photos" not in heard.labels


def test_a_photo_that_cannot_be_read_is_left_out(frozen_run, tmp_path):
    corpus = make_corpus(tmp_path / "corpus", n_train=24, n_val=12)
    (tmp_path / "corpus" / "003.jpg").write_bytes(b"no photo")
    config = ClassifierConfig(**QUICK | {"heads": 1})
    model, preprocessing = read_encoder(frozen_run)
    photos = encoded_photos(
        corpus, model, preprocessing, config, ArrayCache(tmp_path / "c")
    )
    assert 3 not in photos.train_rows
    assert len(photos.train_rows) == 23


def test_tags_are_held_out(cache, frozen_run, glove, tmp_path):
    corpus = make_corpus(tmp_path / "corpus", n_train=130, n_val=12)
    words = ["--method", "semantic", "--encoder", frozen_run, "--vectors", glove]
    words += ["--hold-out", "2", "--seed", "3"]
    done = lablr(corpus.root, "--out", tmp_path / "run", *words)
    assert done.exit_code == 0, done.output
    unseen = described(tmp_path / "run")["unseen"]
    assert (
        f"2 tags never seen: median rank {unseen['median_rank']:g} of 7" in done.stdout
    )
    assert len(unseen["tags"]) == 2
    assert set(unseen["tags"]) | set(described(tmp_path / "run")["tags"]) == set(TAGS)
    assert not set(unseen["tags"]) & set(described(tmp_path / "run")["tags"])
    carried = [tag for photo in corpus.photos("val") for tag in photo.tags]
    assert len(unseen["ranks"]) == sum(carried.count(tag) for tag in unseen["tags"])


# --- refused


def test_a_folder_that_holds_a_run_is_left_alone(corpus, frozen_run, tmp_path):
    shutil.copytree(frozen_run, tmp_path / "run")
    before = (tmp_path / "run" / "method.npz").read_bytes()
    with pytest.raises(TrainingError, match="holds a run: choose another folder"):
        run_head(corpus, tmp_path / "run", ClassifierConfig(**QUICK), frozen=LITE)
    assert (tmp_path / "run" / "method.npz").read_bytes() == before


def test_a_head_needs_one_kind_of_encoder(corpus, frozen_run, tmp_path):
    for given in ({}, {"frozen": LITE, "encoders": [frozen_run]}):
        with pytest.raises(TrainingError, match="encoders, or else a backbone"):
            run_head(corpus, tmp_path / "run", ClassifierConfig(**QUICK), **given)


@pytest.mark.parametrize(
    ("words", "flag", "why"),
    [
        (["--method", "classifier", "--beta", "1"], "--beta", "classifier"),
        (["--method", "classifier", "--resume"], "--resume", "classifier"),
        (["--method", "classifier", "--margin", "1"], "--margin", "classifier"),
        (["--method", "triplet", "--mixup", "1"], "--mixup", "triplet"),
        (["--method", "triplet", "--vectors", "x"], "--vectors", "triplet"),
        (["--method", "semantic", "--heads", "3"], "--heads", "semantic"),
        (
            ["--method", "triplet", "--encoder", "x", "--backbone", "resnet50"],
            "--backbone",
            "triplet and --encoder",
        ),
        (["--hidden", "9"], "--hidden", "vae"),
        (["--encoder", "x"], "--encoder", "vae"),
    ],
)
def test_an_option_of_no_use_is_refused_by_name(corpus, tmp_path, words, flag, why):
    done = lablr(corpus.root, "--out", tmp_path / "run", *words)
    assert done.exit_code == 2
    assert f"Error: {flag} is of no use with --method {why}\n" in done.stderr
    assert not (tmp_path / "run").exists()


def test_the_command_knows_every_method():
    assert tuple(CONFIGS) == train_methods.METHODS
    settings = {name for config in CONFIGS.values() for name in vars(config())}
    given = {name for name, *_ in train_methods.HEAD_OPTIONS}
    shared = {"epochs", "batch_size", "learning_rate", "patience", "unknown_weight"}
    assert settings == given | shared | {"seed"}
    assert issubclass(SemanticConfig, HeadConfig)
