"""From real photos and the bundled encoder to a bundle and its figures."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from model_makers import GREY, draw_photos, encoder_onnx, make_bundle
from PIL import Image
from places import ROOT
from sklearn.metrics import average_precision_score, roc_auc_score

from lablr.bundle import Bundle, bundled_folder
from lablr.cli import main
from lablr.corpus import Corpus
from lablr.encoders.encoder import Encoder, Preprocessing
from lablr.encoders.encoding import encode_corpus
from lablr.encoders.source import read_encoder
from lablr.errors import BundleError, FitError
from lablr.fitting.evaluate import evaluate_bundle
from lablr.fitting.fit import SHRINKAGES, FitConfig, fit
from lablr.fitting.metrics import calibration_error
from lablr.latent_space.gaussians import GaussianStatistics
from lablr.ranking.tagger import RANKINGS, Tagger

# Photos that scikit-learn and scikit-image ship: their tags and their source.
PHOTOS = {
    "sklearn/datasets/images/china.jpg": ("one", ["temple", "sky"]),
    "sklearn/datasets/images/flower.jpg": ("one", ["flower"]),
    "skimage/data/rocket.jpg": ("one", ["rocket", "sky"]),
    "skimage/data/chelsea.png": ("two", ["cat"]),
    "skimage/data/coffee.png": ("two", ["coffee"]),
}
TAGS = ("cat", "coffee", "flower", "rocket", "sky", "temple")
SPLITS = ["train", "train", "val"] * 3
SIDE = 128


def record(folder: Path, file: str, **values: object) -> None:
    with (folder / "photos.jsonl").open("a") as lines:
        lines.write(json.dumps({"file": file, **values}) + "\n")


def cut_photos(folder: Path) -> None:
    """Nine crops of each photo, as JPEGs, and three records that must not count."""
    for path, (source, tags) in PHOTOS.items():
        package, _, rest = path.partition("/")
        spec = importlib.util.find_spec(package)
        with Image.open(Path(spec.origin).parent / rest) as photo:
            image = photo.convert("RGB").resize((3 * SIDE, 2 * SIDE))
        for number, split in enumerate(SPLITS):
            left, top = number % 3 * SIDE, number // 3 * SIDE // 2
            file = f"{Path(rest).stem}{number}.jpg"
            box = (left, top, left + SIDE, top + SIDE)
            image.crop(box).save(folder / file, quality=90)
            record(folder, file, tags=tags, source=source, split=split)
    # Another split, with a tag of its own, a photo without tags, a broken one.
    shutil.copy(folder / "china0.jpg", folder / "test.jpg")
    record(folder, "test.jpg", tags=["onlyfortests"], source="one", split="test")
    shutil.copy(folder / "china1.jpg", folder / "untagged.jpg")
    record(folder, "untagged.jpg", tags=[], source="two", split="val")
    (folder / "broken.jpg").write_bytes(b"no photo")
    record(folder, "broken.jpg", tags=["cat"], source="two", split="train")


@pytest.fixture(scope="module")
def corpus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    cut_photos(folder)
    return folder


@pytest.fixture(scope="module")
def encoder() -> tuple[bytes, Preprocessing]:
    return read_encoder(bundled_folder())


@pytest.fixture(scope="module")
def fitted(corpus_folder: Path, encoder: tuple[bytes, Preprocessing]) -> Bundle:
    return fit(
        Corpus.open(corpus_folder),
        *encoder,
        FitConfig(),
        model_card="# Crops",
        provenance={"seed": 0},
    )


@pytest.fixture(scope="module")
def judged(corpus_folder: Path) -> Bundle:
    """The same over an encoder of mean colours, a thousand times as quick."""
    return fit(Corpus.open(corpus_folder), encoder_onnx(), GREY, FitConfig())


# --- end to end


def test_a_bundle_is_fitted_to_real_photos(fitted: Bundle, tmp_path: Path) -> None:
    assert fitted.tags == TAGS
    assert fitted.settings["shrinkage"] in SHRINKAGES
    assert 0 < fitted.settings["threshold"] <= 1
    assert {"created", "lablr", "packages", "seed", "corpus_digest"} <= set(
        fitted.provenance
    )
    statistics = GaussianStatistics.from_arrays(fitted.gaussians, TAGS)
    # Each training photo and its mirror image count half.
    assert statistics.tag_moments.n.tolist() == [6, 6, 6, 6, 12, 6]
    assert statistics.source_moments.n.tolist() == [18, 12]
    fitted.save(tmp_path / "bundle")
    loaded = Bundle.load(tmp_path / "bundle")
    assert loaded.digest == fitted.digest
    assert loaded.model_card == "# Crops"


def test_it_knows_new_crops_of_its_photos(fitted: Bundle, corpus_folder: Path) -> None:
    tagger = Tagger(fitted)
    for path, (_, tags) in PHOTOS.items():
        suggestion = tagger.suggest(corpus_folder / f"{Path(path).stem}2.jpg")
        assert sorted(tag.tag for tag in suggestion.tags[: len(tags)]) == sorted(tags)
        assert suggestion.sure


def test_photos_that_cannot_be_read_are_named(
    corpus_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    encoded = encode_corpus(
        Corpus.open(corpus_folder), Encoder(encoder_onnx(), GREY), splits=["train"]
    )
    assert len(encoded.latents) == 30
    assert caplog.messages[0].startswith("left out broken.jpg: ")
    assert caplog.messages[-1] == "1 of 31 photos left out"


def test_latents_come_in_the_order_of_the_photos(corpus_folder: Path) -> None:
    corpus = Corpus.open(corpus_folder)
    tagger = Tagger(make_bundle(draw_photos()))
    encoded = encode_corpus(corpus, tagger.encoder, mirror=True)
    photos = [photo for photo in corpus if photo.file != "broken.jpg"]
    assert encoded.mirrored is not None
    for row, photo in enumerate(photos):
        alone = tagger.suggest(photo.path).latent
        np.testing.assert_allclose(encoded.latents[row], alone, atol=1e-4)
        own = {encoded.tags[t] for t in np.flatnonzero(encoded.membership[row])}
        assert own == set(photo.tags)
        assert encoded.sources[row] == photo.source
        assert encoded.is_validation[row] == (photo.split == "val")
    with Image.open(photos[0].path) as image:
        flipped = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        flipped.save(corpus_folder.parent / "flipped.png")
    mirrored = tagger.suggest(corpus_folder.parent / "flipped.png").latent
    # A JPEG is decoded at a scale, a PNG is not: nearly the same pixels.
    np.testing.assert_allclose(encoded.mirrored[0], mirrored, atol=0.3)


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    record(tmp_path, "a.jpg", tags=["sea"])
    with pytest.raises(FitError, match="none of the 1 photos can be read"):
        encode_corpus(Corpus.open(tmp_path), Encoder(encoder_onnx(), GREY))


# --- the figures


@pytest.mark.parametrize("ranking", RANKINGS)
def test_the_figures_of_a_bundle_against_a_loop(
    judged: Bundle, corpus_folder: Path, ranking: str
) -> None:
    tagger = Tagger(judged)
    photos = list(Corpus.open(corpus_folder).photos("val"))
    relevant = np.array([[tag in photo.tags for tag in TAGS] for photo in photos])
    scores, probability = np.empty(relevant.shape), np.empty(relevant.shape)
    for row, photo in enumerate(photos):
        for tag in tagger.suggest(photo.path, 0, ranking).tags:
            column = TAGS.index(tag.tag)
            probability[row, column] = tag.probability
            scores[row, column] = {
                "calibrated": tag.probability,
                "likelihood": tag.log_likelihood_ratio,
                "mahalanobis": -tag.squared_mahalanobis,
            }[ranking]
    reports = evaluate_bundle(judged, Corpus.open(corpus_folder), "val", ranking)
    assert [report.source for report in reports] == ["one", "two", "all"]
    for report in reports:
        rows = [report.source in (photo.source, "all") for photo in photos]
        truth, ranks = relevant[rows], scores[rows]
        tags, tagged = truth.any(axis=0), truth.any(axis=1)
        order = np.argsort(-ranks[tagged], axis=1, kind="stable")
        first = np.take_along_axis(truth[tagged], order, axis=1)
        expected = {
            "n_photos": len(truth),
            "macro_average_precision": average_precision_score(
                truth[:, tags], ranks[:, tags], average="macro"
            ),
            "mean_average_precision": np.mean(
                [
                    average_precision_score(*pair)
                    for pair in zip(truth[tagged], ranks[tagged], strict=True)
                ]
            ),
            "precision_at_1": first[:, 0].mean(),
            "precision_at_5": first[:, :5].mean(),
            "recall_at_5": (first[:, :5].sum(1) / first.sum(1)).mean(),
            "recall_at_10": 1.0,
            "roc_auc": roc_auc_score(truth[:, tags], ranks[:, tags], average="macro"),
            "calibration_error": calibration_error(truth, probability[rows]),
        }
        for name, figure in expected.items():
            assert getattr(report, name) == pytest.approx(figure, abs=1e-3), name


def test_cross_fitting_changes_probabilities_only(
    judged: Bundle, corpus_folder: Path
) -> None:
    corpus = Corpus.open(corpus_folder)
    own, crossed = (
        evaluate_bundle(judged, corpus, None, cross_fit=cross_fit)[-1]
        for cross_fit in (False, True)
    )
    # All splits: that of the tests too.
    assert own.n_photos == 5 * len(SPLITS) + 2
    assert own.calibration_error != crossed.calibration_error
    same = replace(crossed, calibration_error=own.calibration_error)
    assert same == own


def test_rare_tags_can_be_left_out_of_the_means_over_tags(
    judged: Bundle, corpus_folder: Path
) -> None:
    """Only the sky, on two of the photos, is in more than six crops for training."""
    corpus = Corpus.open(corpus_folder)
    encoder = Tagger(judged).encoder
    photos = encode_corpus(corpus, encoder, splits=["val"], tags=TAGS)
    scores = Tagger(judged).ranker.scores(photos.latents).probability
    sky = TAGS.index("sky")
    one, two, every = evaluate_bundle(judged, corpus, min_photos=7)
    for report, rows in ((one, photos.sources == "one"), (every, slice(None))):
        truth = photos.membership[rows, sky], scores[rows, sky]
        found = (report.macro_average_precision, report.roc_auc)
        expected = (average_precision_score(*truth), roc_auc_score(*truth))
        assert found == pytest.approx(expected, rel=1e-12)
    assert np.isnan([two.macro_average_precision, two.roc_auc]).all()
    # The tags left out still compete for every photo.
    usual = evaluate_bundle(judged, corpus)[-1]
    assert every.mean_average_precision == usual.mean_average_precision
    assert evaluate_bundle(judged, corpus, min_photos=6)[-1] == usual


def test_an_encoder_comes_from_a_run_or_a_bundle(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(FitError, match="not a finished training run"):
        read_encoder(run)
    (run / "encoder.onnx").write_bytes(encoder_onnx())
    (run / "encoder.json").write_text("{")
    with pytest.raises(FitError, match="not a finished training run"):
        read_encoder(run)
    (run / "encoder.json").write_text(json.dumps(GREY.to_dict()))
    assert read_encoder(run) == (encoder_onnx(), GREY)
    make_bundle(draw_photos()).save(tmp_path / "bundle")
    assert read_encoder(tmp_path / "bundle") == (encoder_onnx(), GREY)
    (tmp_path / "bundle" / "map.npz").write_bytes(b"")
    with pytest.raises(BundleError, match=r"map\.npz"):
        read_encoder(tmp_path / "bundle")


# --- the command

WITHOUT_TORCH = """
import sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "torchvision"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NotInstalled())
from click.testing import CliRunner
from lablr.cli import main

done = CliRunner().invoke(main, sys.argv[1:], catch_exceptions=False)
print(done.output)
sys.exit(done.exit_code)
"""


def test_lablr_fit_needs_no_torch(corpus_folder: Path, tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    card.write_text("# Photos of été\n", encoding="utf-8")
    out = tmp_path / "bundle"
    words = [corpus_folder, "--encoder", bundled_folder(), "--out", out]
    options = ["--shrinkage", "100", "--no-mirror", "--model-card", card]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_TORCH, "fit", *words, *options],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert f"6 tags in {out}; shrinkage 100, threshold 0." in done.stdout
    bundle = Bundle.load(out)
    assert bundle.tags == TAGS
    assert bundle.model_card == "# Photos of été\n"
    assert bundle.settings["shrinkage"] == 100
    assert bundle.settings["mirror"] is False
    (report,) = [
        report
        for report in evaluate_bundle(bundle, Corpus.open(corpus_folder))
        if report.source == "all"
    ]
    assert report.mean_average_precision > 0.9


def test_lablr_fit_names_what_is_wrong(tmp_path: Path, china_jpg: Path) -> None:
    make_bundle(draw_photos()).save(tmp_path / "bundle")
    for number in range(8):
        file, split = f"{number}.jpg", "val" if number > 5 else "train"
        shutil.copy(china_jpg, tmp_path / file)
        tags = ["sky", "temple"] if number < 4 else ["sky"]
        record(tmp_path, file, tags=tags, split=split)
    words = [str(tmp_path), "--encoder", str(tmp_path / "bundle"), "-o"]
    done = CliRunner().invoke(main, ["fit", *words, str(tmp_path / "out")])
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].endswith("too few of: temple (4)")
    words[2] = str(tmp_path / "nonesuch")
    done = CliRunner().invoke(main, ["fit", *words, str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "not a finished training run" in done.stderr
    assert not (tmp_path / "out").exists()
