"""The figures say what the suggestion says, in colours the page can swap."""

from __future__ import annotations

import io
import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from lablr import Tagger
from lablr.figures.charts import (
    PALETTE,
    latent_map_figure,
    ranked_tags_figure,
    training_photos_figure,
)
from lablr.figures.map_layout import percent, place_labels
from lablr.figures.map_svg import NARROW, WIDE, draw_map_png, map_svg


class OneTag:
    """The plane of one tag."""

    centroids = np.zeros((1, 2))
    dispersion_radii = np.ones(1)
    explained_variance_ratio = np.array([0.7, 0.2])

    def photos_of(self, tag: int) -> np.ndarray:
        return np.zeros((0, 2))


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger.load()


@pytest.fixture(scope="module")
def suggestion(tagger, china_jpg):
    return tagger.suggest(china_jpg, k=0)


def test_bars_are_the_tags_in_their_order(tagger, china_jpg):
    suggestion = tagger.suggest(china_jpg, k=5)
    figure = ranked_tags_figure(suggestion)
    (bars,) = figure["data"]
    assert bars["y"] == [score.tag for score in suggestion.tags]
    assert bars["x"] == [score.probability for score in suggestion.tags]
    strong = [color == PALETTE["tag"] for color in bars["marker"]["color"]]
    assert strong == [
        score.probability >= suggestion.threshold for score in suggestion.tags
    ]
    assert figure["layout"]["yaxis"]["autorange"] == "reversed"


@pytest.mark.parametrize("narrow", [False, True])
def test_circles_have_their_tags_dispersion_radius(tagger, suggestion, narrow):
    figure = latent_map_figure(tagger.latent_map, tagger.tags, suggestion, narrow)
    shapes = {shape["name"]: shape for shape in figure["layout"]["shapes"]}
    assert list(reversed(shapes)) == [score.tag for score in suggestion.tags[:20]]
    for tag, shape in shapes.items():
        number = tagger.tags.index(tag)
        centre = tagger.latent_map.centroids[number]
        radius = tagger.latent_map.dispersion_radii[number]
        low, high = (shape["x0"], shape["y0"]), (shape["x1"], shape["y1"])
        np.testing.assert_allclose(low, centre - radius, rtol=1e-5)
        np.testing.assert_allclose(high, centre + radius, rtol=1e-5)
    assert figure["layout"]["yaxis"]["scaleanchor"] == "x"  # circles stay round


def test_the_photo_is_a_cross_at_its_position(tagger, suggestion):
    figure = latent_map_figure(tagger.latent_map, tagger.tags, suggestion)
    cross = figure["data"][-1]
    assert (cross["x"], cross["y"]) == (
        [suggestion.position[0]],
        [suggestion.position[1]],
    )
    assert cross["marker"]["line"]["color"] == PALETTE["photo"]
    low, high = figure["layout"]["xaxis"]["range"]
    assert low < cross["x"][0] < high


def test_axes_tell_the_share_of_the_variance(tagger, suggestion):
    layout = latent_map_figure(tagger.latent_map, tagger.tags, suggestion)["layout"]
    shares = [
        float(re.search(r"([\d.]+) % of the variance", axis["title"]["text"])[1])
        for axis in (layout["xaxis"], layout["yaxis"])
    ]
    expected = 100 * tagger.latent_map.explained_variance_ratio
    np.testing.assert_allclose(shares, expected, atol=0.051)


def test_dots_are_the_training_photos_of_the_top_tags(tagger, suggestion):
    figure = training_photos_figure(tagger.latent_map, tagger.tags, suggestion)
    *tags, cross = figure["data"]
    assert [trace["name"] for trace in tags] == [
        score.tag for score in suggestion.tags[:3]
    ]
    for trace in tags:
        photos = tagger.latent_map.photos_of(tagger.tags.index(trace["name"]))
        assert len(trace["x"]) == len(photos) > 0
        np.testing.assert_allclose(trace["x"], photos[:, 0], atol=1e-4)
    assert len({trace["marker"]["symbol"] for trace in tags}) == 3
    assert cross["name"] == "your photo"


def test_figures_are_json_and_need_no_webgl(tagger, suggestion):
    plane, tags = tagger.latent_map, tagger.tags
    for figure in (
        ranked_tags_figure(suggestion),
        latent_map_figure(plane, tags, suggestion),
        latent_map_figure(plane, tags, None),
        training_photos_figure(plane, tags, suggestion),
    ):
        text = json.dumps(figure, allow_nan=False)
        assert {trace["type"] for trace in figure["data"]} <= {"bar", "scatter"}
        colors = set(re.findall(r'"(#[0-9a-f]{3,8}|rgba?\([^"]*\))"', text))
        assert colors <= {*PALETTE.values(), "rgba(0,0,0,0)"}


def test_without_a_suggestion_every_tag_is_shown(tagger):
    figure = latent_map_figure(tagger.latent_map, tagger.tags, None)
    assert len(figure["layout"]["shapes"]) == len(tagger.tags)
    assert [trace["name"] for trace in figure["data"]] == ["tags"]


def test_the_png_shows_the_cross_where_the_photo_is(tagger, suggestion):
    plane, tags = tagger.latent_map, tagger.tags
    with_photo, without = (
        _pixels(draw_map_png(plane, tags, suggested))
        for suggested in (suggestion, None)
    )
    assert with_photo.shape == without.shape == (900, 1200, 3)
    assert _red(with_photo).sum() > 30
    assert _red(without).sum() == 0
    assert with_photo[0, 0].tolist() == [255, 255, 255]


def texts_of(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own
    return [text.text for text in root.findall("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("sheet", [WIDE, NARROW], ids=lambda sheet: sheet.name)
def test_the_svg_shows_what_the_figure_shows(tagger, suggestion, sheet):
    svg = map_svg(tagger.latent_map, tagger.tags, suggestion, sheet)
    assert svg.count("<circle ") == 20
    first, second, *names = texts_of(svg)
    assert first.startswith("Component 1 · ")
    assert second.startswith("Component 2 · ")
    assert names == [s.tag for s in suggestion.tags[: sheet.n_labels or 20]]


@pytest.mark.parametrize(
    "names",
    [
        ("Łódź", "Žďár"),
        ("Киев", "Омск"),
        ("Ρόδος", "Χανιά"),
        ("دریا", "شیخی"),
        ("חיפה", "אילת"),
    ],
    ids=["Latin", "Cyrillic", "Greek", "Persian", "Hebrew"],
)
def test_the_png_has_the_letters_of_many_scripts(names):
    """Letters that no font had would be boxes: one picture for both names."""
    one, other = (_pixels(draw_map_png(OneTag(), [name])) for name in names)
    assert (one != other).any()


def test_a_name_breaks_no_picture():
    name = "</text><script>&\"'\x00\ud800"
    svg = map_svg(OneTag(), [name])
    assert "<script>" not in svg
    assert texts_of(svg)[-1] == "</text><script>&\"'\ufffd\ufffd"
    assert draw_map_png(OneTag(), [name])


def test_labels_keep_apart_and_inside():
    random = np.random.default_rng(0)
    anchors = [(float(x), float(y)) for x, y in random.uniform(60, 440, (14, 2))]
    sizes = [(60.0, 16.0)] * len(anchors)
    cross = (240.0, 240.0, 260.0, 260.0)
    offsets = place_labels(anchors, sizes, (0, 0, 500, 500), [cross])
    boxes = [
        (x + dx - 30, y + dy - 8, x + dx + 30, y + dy + 8)
        for (x, y), (dx, dy) in zip(anchors, offsets, strict=True)
    ]
    for number, box in enumerate(boxes):
        assert box[0] >= 0 <= box[1]
        assert box[2] <= 500 >= box[3]
        for other in [*boxes[:number], cross]:
            apart = (
                box[2] <= other[0]
                or other[2] <= box[0]
                or box[3] <= other[1]
                or other[3] <= box[1]
            )
            assert apart


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (0, "0 %"),
        (1e-9, "< 1 %"),
        (0.0149, "1 %"),
        (0.934, "93 %"),
        (0.9999, "99 %"),
        (1, "100 %"),
    ],
)
def test_percentages_never_claim_certainty(probability, words):
    assert percent(probability) == words


def _pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def _red(pixels: np.ndarray) -> np.ndarray:
    red, green, blue = np.moveaxis(pixels, -1, 0)
    return (red > 180) & (green < 110) & (blue < 115)
