"""Why a tag: the percentile, the training photos, and where the tag was seen."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from scipy.stats import percentileofscore

from lablr.bundle import Bundle
from lablr.cli import main
from lablr.errors import UnknownTag
from lablr.latent_space.gaussians import (
    GaussianStatistics,
    TagGaussians,
    shrunk_covariances,
)
from lablr.ranking.explanation import MIN_PHOTOS, N_NEIGHBOURS, explain, percentile
from lablr.ranking.saliency import GRID, N_PATCHES, Saliency, covered, painted, regions
from lablr.ranking.tagger import Tagger
from lablr.system.progress import silent


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger.load()


@pytest.fixture(scope="module")
def halves(flower_jpg: Path, china_jpg: Path) -> bytes:
    """A flower on the left, a temple on the right."""
    both = Image.new("RGB", (800, 400))
    for left, path in ((0, flower_jpg), (400, china_jpg)):
        with Image.open(path) as photo:
            both.paste(photo.resize((400, 400)), (left, 0))
    written = io.BytesIO()
    both.save(written, "PNG")
    return written.getvalue()


@pytest.fixture(scope="module")
def explained(tagger, halves):
    """Both tags of the two halves, explained with their saliency."""
    image = tagger.read(halves)
    return explain(tagger, image, ["flower", "building"], saliency=True)


# --- Gaussians ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted():
    """Gaussians of 3 tags in 6 dimensions, and the photos they were fitted on."""
    rng = np.random.default_rng(3)
    membership = rng.random((300, 3)) < 0.3
    latents = rng.normal(size=(300, 6)) @ rng.normal(size=(6, 6))
    latents += membership @ rng.normal(size=(3, 6))
    tags, sources = ("a", "b", "c"), np.array(["s"] * 300)
    statistics = GaussianStatistics.of(latents, membership, sources, tags)
    gaussians = TagGaussians(statistics, np.ones((1, 3)), shrinkage=20, ridge=0.01)
    return gaussians, latents


def test_one_tag_scores_as_among_all(fitted):
    gaussians, latents = fitted
    squares, ratios = gaussians.score(latents)
    for tag in range(3):
        square, ratio = gaussians.score_of(tag, latents)
        np.testing.assert_allclose(square, squares[:, tag], rtol=1e-4)
        np.testing.assert_allclose(ratio, ratios[:, tag], rtol=1e-4, atol=1e-4)


def test_one_tag_scores_as_among_all_of_the_bundle(tagger):
    latents = tagger.neighbours.latents[:40].astype(np.float32)
    squares, ratios = tagger.ranker.gaussians.score(latents)
    for tag in (0, 50, 97):
        square, ratio = tagger.ranker.gaussians.score_of(tag, latents)
        np.testing.assert_allclose(square, squares[:, tag], rtol=1e-3)
        np.testing.assert_allclose(ratio, ratios[:, tag], rtol=1e-3, atol=0.1)


# --- Typicality -----------------------------------------------------------------------


@pytest.mark.parametrize("distance", [-1.0, 0.5, 2.0, 2.5, 9.0])
def test_the_percentile_is_that_of_scipy_and_of_counting(distance):
    others = [0.5, 2.0, 2.0, 2.0, 3.0, 7.0, 0.1]
    counted = sum(one < distance for one in others)
    counted += sum(one == distance for one in others) / 2
    found = percentile(distance, others)
    assert found == pytest.approx(100 * counted / len(others))
    assert found == pytest.approx(percentileofscore(others, distance, kind="mean"))


def test_typicality_is_the_rank_among_the_tag_s_own_training_photos(tagger, explained):
    """By the textbook's covariance of each tag, inverted, and SciPy's percentile."""
    bundle = Bundle.load()
    moments = GaussianStatistics.from_arrays(bundle.gaussians, bundle.tags).tag_moments
    nu, ridge = bundle.settings["shrinkage"], bundle.settings["ridge"]
    covariances = list(
        shrunk_covariances(moments, moments.within_covariance(), nu, ridge)
    )
    neighbours = tagger.neighbours
    bits = np.unpackbits(neighbours.carries, axis=1, count=len(tagger.tags))
    for one in explained:
        tag = tagger.tags.index(one.tag)
        own = neighbours.latents[bits[:, tag] == 1].astype(np.float64)
        apart = own - moments.means[tag]
        others = [x @ np.linalg.solve(covariances[tag], x) for x in apart]
        assert one.typicality.n_photos == len(own)
        expected = percentileofscore(others, one.squared_mahalanobis, kind="mean")
        # a step or two: distances are summed in single precision
        step = 100 / len(own)
        assert one.typicality.percentile == pytest.approx(expected, abs=2 * step)


def test_a_rare_tag_has_no_percentile(tagger, halves):
    n_photos = [len(tagger.neighbours.latents_with(tag)) for tag in tagger.tags]
    rare = tagger.tags[int(np.argmin(n_photos))]
    assert min(n_photos) < MIN_PHOTOS
    (found,) = explain(tagger, tagger.read(halves), [rare])
    assert found.typicality is None
    assert found.because
    assert found.saliency is None
    assert "saliency" not in found.to_dict()


def test_a_model_that_keeps_no_photos_says_only_the_rest(halves):
    bundle = replace(Bundle.load(), methods={}, networks={})
    tagger = Tagger(bundle)
    (found,) = explain(tagger, tagger.read(halves), ["flower"])
    assert (found.typicality, found.because) == (None, ())
    assert found.to_dict()["because"] == []
    assert found.log_likelihood_ratio > 0


# --- The nearest training photos ------------------------------------------------------


def test_the_nearest_photos_have_the_tag(tagger, explained, halves):
    latent = tagger.encode(tagger.read(halves)[np.newaxis])[
        0, : tagger.encoder.n_latent
    ]
    for one in explained:
        assert len(one.because) == N_NEIGHBOURS
        assert all(one.tag in near.tags for near in one.because)
        similarities = [near.similarity for near in one.because]
        assert similarities == sorted(similarities, reverse=True)
        everyone = tagger.neighbours.nearest(latent, len(tagger.neighbours.latents))
        best = [near for near in everyone if one.tag in near.tags][:N_NEIGHBOURS]
        assert list(one.because) == best


# --- Where the tag was seen -----------------------------------------------------------


def test_patches_cover_each_cell_and_half_of_the_next():
    image = np.zeros((64, 64, 3), np.uint8)
    found = [copy[..., 0] == 9 for copy in covered(image, (9, 9, 9))]
    assert len(found) == N_PATCHES
    for number, mask in enumerate(found):
        row, column = divmod(number, GRID)
        expected = np.zeros((64, 64), bool)
        for y in range(64):
            for x in range(64):
                down, right = y - 8 * row, x - 8 * column
                expected[y, x] = -4 <= down < 12 and -4 <= right < 12
        np.testing.assert_array_equal(mask, expected)
    assert not image.any()


def test_drops_are_those_of_covering_each_patch_alone(tagger, explained, halves):
    image, number = tagger.read(halves), tagger.tags.index("flower")
    color = tuple(round(mean) for mean in tagger.encoder.preprocessing.mean)
    patches = list(covered(image, color))
    gaussians = tagger.ranker.gaussians
    whole = gaussians.log_likelihood_ratio(tagger.encoder.encode(image[None]))
    for place in (0, 17, 34, 63):
        part = tagger.encoder.encode(patches[place][None])
        expected = (whole - gaussians.log_likelihood_ratio(part))[0, number]
        found = explained[0].saliency.drops[divmod(place, GRID)]
        assert found == pytest.approx(expected, abs=0.05)


def test_a_tag_is_seen_where_it_is(explained):
    flower, building = (one.saliency for one in explained)
    assert flower.share("left half") > 0.85
    assert "left" in flower.where
    assert building.share("right half") > 0.5
    assert flower.share("left half") > building.share("left half") + 0.25


def test_words_for_where():
    for name, cells in regions().items():
        found = Saliency(np.where(cells, 1.0, -1.0))
        assert (found.where, found.share(name)) == (name, 1)
    for drops in (np.zeros((GRID, GRID)), np.ones((GRID, GRID)), -np.eye(GRID)):
        assert Saliency(drops).to_dict() == {
            "drops": drops.tolist(),
            "where": None,
            "share": None,
        }


def test_paint_lies_on_what_the_encoder_sees():
    photo = np.full((100, 400, 3), 100, np.uint8)  # of which it sees the middle half
    drops = np.zeros((GRID, GRID))
    drops[:, 0] = 5
    drops[:, -1] = -5
    found = painted(photo, drops).astype(int)
    assert (found[:, :100] == 100).all()
    assert (found[:, 300:] == 100).all()
    assert (found[:, 100, 0] > 180).all()  # orange
    assert (found[:, 299, 2] > 180).all()  # blue
    assert (np.abs(found[:, 195:205] - 100) <= 1).all()
    np.testing.assert_array_equal(painted(photo, 0 * drops), photo)


# --- Asked wrongly, or stopped --------------------------------------------------------


def test_an_unknown_tag_is_refused(tagger, halves):
    with pytest.raises(UnknownTag, match="nonesuch"):
        explain(tagger, tagger.read(halves), ["flower", "nonesuch"])


def test_what_the_progress_raises_ends_it(tagger, halves):
    seen = []

    def stop(items, total, label):
        for item in items:
            seen.append((len(item), total, label))
            raise KeyboardInterrupt
        yield from silent([], total, label)

    with pytest.raises(KeyboardInterrupt):
        explain(tagger, tagger.read(halves), ["flower"], True, stop)
    assert seen == [(4, 16, "covering the photo")]


# --- The command ----------------------------------------------------------------------


@pytest.fixture
def why(tagger, monkeypatch) -> Callable[..., Result]:
    """Run ``lablr why WORD...`` over the model that is loaded already."""
    monkeypatch.setattr(Tagger, "load", lambda *_: tagger)
    return lambda *words: CliRunner().invoke(main, ["why", *map(str, words)])


def test_the_command_explains_and_paints(why, tmp_path, halves):
    photo, out = tmp_path / "halves.png", tmp_path / "seen.png"
    photo.write_bytes(halves)
    done = why(photo, "Flower!", "--overlay", out)
    assert done.exit_code == 0, done.output
    printed = done.stdout
    assert printed.startswith("flower: log-likelihood ratio +")
    assert "training photos with it" in printed.split("how typical: ")[1]
    assert "left" in printed.split("where: ")[1].splitlines()[0]
    assert "https://www.flickr.com/photo.gne?id=" in printed
    assert done.stderr == ""
    with Image.open(out) as overlay, Image.open(photo) as whole:
        assert overlay.format == "PNG"
        assert overlay.size == whole.size
        red, _, blue = np.moveaxis(np.array(overlay).astype(int), 2, 0)
    orange = np.maximum(red - blue, 0)  # the photo itself is grey now
    assert orange[:, :400].mean() > 3 * orange[:, 400:].mean()
    assert set(tmp_path.iterdir()) == {photo, out}


def test_the_command_prints_json(why, china_jpg):
    done = why(china_jpg, "building", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["photo"] == str(china_jpg)
    assert found["tag"] == "building"
    assert np.shape(found["saliency"]["drops"]) == (GRID, GRID)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("photo.jpg", "nonesuch"), 1, "'nonesuch'; lablr tags lists"),
        (("no.jpg", "flower"), 1, "cannot be opened"),
        (("photo.jpg", "!!!"), 1, "holds no letter"),
        (("photo.jpg", "flower", "--overlay", "x.jpg"), 2, "must end in .png"),
    ],
)
def test_the_command_says_what_is_wrong(
    why, monkeypatch, tmp_path, flower_jpg, words, code, said
):
    (tmp_path / "photo.jpg").write_bytes(flower_jpg.read_bytes())
    monkeypatch.chdir(tmp_path)
    done = why(*words)
    assert done.exit_code == code
    assert said in done.stderr
    assert done.stdout == ""
