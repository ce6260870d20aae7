"""The layout of the latent map: its circles, its frame, the places of its labels.

Shared by the Plotly figures (`lablr.figures.charts`) and the SVG
(`lablr.figures.map_svg`). Lengths are in the units of the latent plane; ``*_px`` are
pixels. Nothing here draws.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lablr.latent_space.plane import LatentMap
from lablr.ranking.suggestion import Suggestion, TagScore

Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels

N_MAP_TAGS = 20
_CLOSEST = 3  # so many circles are drawn strong when no tag reaches the threshold


@dataclass(frozen=True)
class Circle:
    """A tag on the map: its name, place, radius and style."""

    tag: str
    label: str
    x: float
    y: float
    radius: float
    strong: bool
    note: str

    @property
    def role(self) -> str:
        """Its name in a palette: ``"tag"`` or ``"faint"``."""
        return "tag" if self.strong else "faint"


@dataclass(frozen=True)
class Frame:
    """The part of the plane that is in sight: x and y from low to high."""

    low: tuple[float, float]
    high: tuple[float, float]

    @property
    def size(self) -> tuple[float, float]:
        """Width and height, in the units of the plane."""
        return self.high[0] - self.low[0], self.high[1] - self.low[1]


@dataclass(frozen=True)
class View:
    """A frame in the middle of a box of pixels, both axes to one scale.

    Where the box has other proportions than the frame, it shows more of the plane.
    """

    frame: Frame
    box: Box

    @property
    def scale(self) -> float:
        """Pixels per unit of the plane."""
        left, top, right, bottom = self.box
        width, height = self.frame.size
        return min((right - left) / width, (bottom - top) / height)

    def pixel(self, point: Sequence[float] | NDArray[Any]) -> tuple[float, float]:
        """Return the pixel of a point; y grows upward there, downward here."""
        (left, top, right, bottom), scale = self.box, self.scale
        (low_x, low_y), (high_x, high_y) = self.frame.low, self.frame.high
        return (
            (left + right) / 2 + (float(point[0]) - (low_x + high_x) / 2) * scale,
            (top + bottom) / 2 - (float(point[1]) - (low_y + high_y) / 2) * scale,
        )

    def label_offsets(
        self,
        circles: Sequence[Circle],
        suggestion: Suggestion | None,
        font_px: float,
    ) -> list[tuple[float, float]]:
        """Return the offset of each circle's label from its centre, in pixels.

        The labels of strong circles are a sixth larger than `font_px`. Where there is
        room, no label covers another or the photo's cross.
        """
        cross: list[Box] = []
        if suggestion is not None:
            x, y = self.pixel(suggestion.position)
            cross.append((x - font_px, y - font_px, x + font_px, y + font_px))
        fonts = [font_px * (7 / 6 if circle.strong else 1) for circle in circles]
        return place_labels(
            anchors=[self.pixel((circle.x, circle.y)) for circle in circles],
            sizes=[
                (_text_width(circle.label, font) + 0.5 * font, 1.3 * font)
                for circle, font in zip(circles, fonts, strict=True)
            ],
            bounds=self.box,
            keep_out=cross,
        )


def _text_width(text: str, font_px: float) -> float:
    """Estimate a width in pixels, whatever the font."""
    n_wide = sum(unicodedata.east_asian_width(letter) in "FW" for letter in text)
    return (0.6 * len(text) + 0.4 * n_wide) * font_px


def axis_titles(latent_map: LatentMap) -> tuple[str, str]:
    """Return the axis titles, which give the explained share of the variance."""
    first, second = (
        f"Component {number} · {100 * float(ratio):.1f} % of the variance"
        for number, ratio in enumerate(latent_map.explained_variance_ratio, 1)
    )
    return first, second


def circles_of(
    latent_map: LatentMap,
    tags: Sequence[str],
    suggestion: Suggestion | None,
    labels: Mapping[str, str] | None = None,
) -> list[Circle]:
    """Return the `N_MAP_TAGS` most relevant tags; without a suggestion all, faint.

    labels: tag to shown name, where they differ.
    """
    names = labels or {}
    index = {tag: number for number, tag in enumerate(tags)}
    if suggestion is None:
        chosen = [(tag, False, html.escape(names.get(tag, tag))) for tag in tags]
    else:
        bar = _strong_from(suggestion)
        chosen = [
            (score.tag, score.probability >= bar, _note(score, names))
            for score in suggestion.tags[:N_MAP_TAGS]
        ]
    return [
        Circle(
            tag=tag,
            label=names.get(tag, tag),
            x=float(latent_map.centroids[index[tag], 0]),
            y=float(latent_map.centroids[index[tag], 1]),
            radius=float(latent_map.dispersion_radii[index[tag]]),
            strong=strong,
            note=note,
        )
        for tag, strong, note in chosen
    ]


def _strong_from(suggestion: Suggestion) -> float:
    """Return the probability from which a circle is drawn strong, like the bars."""
    likeliest = sorted((score.probability for score in suggestion.tags), reverse=True)
    if not likeliest or likeliest[0] >= suggestion.threshold:
        return suggestion.threshold
    return likeliest[:_CLOSEST][-1]


def _note(score: TagScore, names: Mapping[str, str]) -> str:
    name = html.escape(names.get(score.tag, score.tag))
    return (
        f"<b>{name}</b><br>probability {percent(score.probability)}"
        f"<br>squared Mahalanobis distance {score.squared_mahalanobis:.1f}"
    )


def percent(probability: float) -> str:
    """Return ``"93 %"``; never 0 % for the possible nor 100 % for the uncertain."""
    if 0 < probability < 0.01:
        return "< 1 %"
    return f"{min(round(100 * probability), 99 if probability < 1 else 100)} %"


def frame_of(circles: Sequence[Circle], suggestion: Suggestion | None) -> Frame:
    """Return the frame that holds every circle and the photo."""
    corners = [
        (circle.x + sign * circle.radius, circle.y + sign * circle.radius)
        for circle in circles
        for sign in (-1, 1)
    ]
    if suggestion is not None:
        corners.append((float(suggestion.position[0]), float(suggestion.position[1])))
    points = np.asarray(corners or [(0.0, 0.0)])
    return padded_frame(points, 0.04)


def padded_frame(points: NDArray[Any], share: float) -> Frame:
    """Return the frame that holds points (n, 2), widened by a share."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = share * max(float((high - low).max()), 1e-6)
    return Frame(
        (float(low[0] - margin), float(low[1] - margin)),
        (float(high[0] + margin), float(high[1] + margin)),
    )


def place_labels(
    anchors: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    bounds: Box,
    keep_out: Sequence[Box] = (),
) -> list[tuple[float, float]]:
    """Place labels greedily: each takes the nearest spot that covers nothing.

    anchors: (n) points in pixels, most important first; sizes: (n) widths and
    heights; bounds: the box to stay in; keep_out: boxes to leave free. Returns
    (n) offsets of the labels' centres from their anchors. When every spot
    covers something, the one that covers least is taken.
    """
    taken: list[Box] = [*keep_out]
    taken += [(x - 5, y - 5, x + 5, y + 5) for x, y in anchors]
    offsets = []
    for anchor, size in zip(anchors, sizes, strict=True):
        best, least = (0.0, -size[1]), float("inf")
        for offset in _spots(*size):
            box = _box(anchor, offset, size)
            covered = sum(_overlap(box, other) for other in taken)
            covered += 4 * (size[0] * size[1] - _overlap(box, bounds))
            if covered < least:
                best, least = offset, covered
            if covered < 1:  # a square pixel; rounding leaves less
                break
        offsets.append(best)
        taken.append(_box(anchor, best, size))
    return offsets


def _box(
    anchor: tuple[float, float],
    offset: tuple[float, float],
    size: tuple[float, float],
) -> Box:
    x, y = anchor[0] + offset[0], anchor[1] + offset[1]
    return x - size[0] / 2, y - size[1] / 2, x + size[0] / 2, y + size[1] / 2


def _spots(width: float, height: float) -> Iterator[tuple[float, float]]:
    """Yield offsets to try, nearest first: above, beside, below, then wider rings."""
    for ring in range(7):
        reach = 8 + height / 2 + 15 * ring
        side = 8 + width / 2 + 15 * ring
        yield 0.0, -reach
        yield side, 0.0
        yield -side, 0.0
        yield 0.0, reach
        for turn in (-1, 1):
            yield side * 0.8, turn * reach * 0.8
            yield -side * 0.8, turn * reach * 0.8


def _overlap(one: Box, other: Box) -> float:
    """Return the area in square pixels that both boxes cover."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)
