"""The latent map as a PNG, drawn with Pillow: for pages without JavaScript and files.

Drawn at twice its size and halved, because Pillow's ellipses have no smooth edge.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from lablr.figures.map_layout import (
    Box,
    Circle,
    Frame,
    RankedTags,
    TagPlane,
    circles_of,
    frame_of,
    place_labels,
)

__all__ = ["draw_map_png"]

_SUPERSAMPLING = 2
_LIGHT = {
    "paper": "#ffffff",
    "ink": "#4d545c",
    "grid": "#e4e6e9",
    "tag": "#1f6aa8",
    "faint": "#98a2ac",
    "photo": "#d9262e",
}
_DARK = {
    "paper": "#1b1e22",
    "ink": "#b4bbc3",
    "grid": "#33383f",
    "tag": "#7cb8ee",
    "faint": "#737d88",
    "photo": "#ff6369",
}


def draw_map_png(
    latent_map: TagPlane,
    tags: Sequence[str],
    suggestion: RankedTags | None = None,
    n_tags: int = 20,
    size_px: tuple[int, int] = (1200, 900),
    dark: bool = False,
) -> bytes:
    """The map of `lablr.figures.charts.latent_map_figure` as the bytes of a PNG."""
    circles = circles_of(latent_map, tags, suggestion, n_tags)
    canvas = _Canvas(frame_of(circles, suggestion), size_px, _DARK if dark else _LIGHT)
    canvas.draw_grid()
    for circle in reversed(circles):  # the relevant ones lie on top
        canvas.draw_circle(circle)
    canvas.draw_labels(circles, suggestion)
    if suggestion is not None:
        canvas.draw_photo(suggestion)
    first, second = (float(ratio) for ratio in latent_map.explained_variance_ratio)
    canvas.draw_axis_titles(
        f"Component 1 · {100 * first:.1f} % of the variance",
        f"Component 2 · {100 * second:.1f} % of the variance",
    )
    return canvas.png()


@dataclass(frozen=True)
class _Plot:
    """Where the plane lies on the canvas: pixels of its top left corner, scale."""

    left: float
    top: float
    width: float
    height: float
    scale: float


class _Canvas:
    """A supersampled picture of one part of the plane, equal scale on both axes."""

    def __init__(
        self, frame: Frame, size_px: tuple[int, int], colors: dict[str, str]
    ) -> None:
        self._unit = _SUPERSAMPLING * size_px[0] / 1200  # one design pixel
        width, height = (_SUPERSAMPLING * side for side in size_px)
        self._image = Image.new("RGB", (width, height), colors["paper"])
        self._draw = ImageDraw.Draw(self._image)
        self._colors = colors
        self._frame = frame
        margin = round(64 * self._unit)
        inner = (width - 2 * margin, height - 2 * margin)
        scale = frame.scale(inner)
        shown_width = (frame.high[0] - frame.low[0]) * scale
        shown_height = (frame.high[1] - frame.low[1]) * scale
        self._plot = _Plot(
            left=(width - shown_width) / 2,
            top=(height - shown_height) / 2,
            width=shown_width,
            height=shown_height,
            scale=scale,
        )

    def _pixel(self, x: float, y: float) -> tuple[float, float]:
        """The pixel of a point of the plane; y grows upward there, downward here."""
        return (
            self._plot.left + (x - self._frame.low[0]) * self._plot.scale,
            self._plot.top + (self._frame.high[1] - y) * self._plot.scale,
        )

    def _font(self, size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return ImageFont.load_default(size * self._unit)

    def draw_grid(self) -> None:
        """A frame and the two axes through the origin, where they are in sight."""
        plot, grid = self._plot, self._colors["grid"]
        right, bottom = plot.left + plot.width, plot.top + plot.height
        line = round(1.5 * self._unit)
        self._draw.rectangle((plot.left, plot.top, right, bottom), None, grid, line)
        x, y = self._pixel(0, 0)
        if plot.left < x < right:
            self._draw.line((x, plot.top, x, bottom), grid, line)
        if plot.top < y < bottom:
            self._draw.line((plot.left, y, right, y), grid, line)

    def draw_circle(self, circle: Circle) -> None:
        """A translucent disc with a rim, and a dot in its centre."""
        x, y = self._pixel(circle.x, circle.y)
        radius = circle.radius * self._plot.scale
        color = self._colors[circle.role]
        side = max(round(2 * radius), 1)
        disc = Image.new("L", (side, side))
        ImageDraw.Draw(disc).ellipse((0, 0, side - 1, side - 1), fill=16)
        corner = (round(x - radius), round(y - radius))
        self._image.paste(color, (*corner, corner[0] + side, corner[1] + side), disc)
        box = (x - radius, y - radius, x + radius, y + radius)
        self._draw.ellipse(
            box, None, color, round((2 if circle.strong else 1) * self._unit)
        )
        dot = 4 * self._unit
        self._draw.ellipse((x - dot, y - dot, x + dot, y + dot), color)

    def draw_labels(
        self, circles: Sequence[Circle], suggestion: RankedTags | None
    ) -> None:
        """The tags' names, led to their centres by a line where they had to move."""
        fonts = [self._font(23 if circle.strong else 19) for circle in circles]
        anchors = [self._pixel(circle.x, circle.y) for circle in circles]
        sizes = [
            (font.getlength(circle.tag) + 8 * self._unit, 27 * self._unit)
            for circle, font in zip(circles, fonts, strict=True)
        ]
        plot = self._plot
        bounds = (plot.left, plot.top, plot.left + plot.width, plot.top + plot.height)
        cross = [self._cross(suggestion)] if suggestion else []
        offsets = place_labels(anchors, sizes, bounds, cross)
        for circle, font, (x, y), (dx, dy) in zip(
            circles, fonts, anchors, offsets, strict=True
        ):
            color = self._colors["tag" if circle.strong else "ink"]
            if abs(dy) > 30 * self._unit:
                end = (x + dx, y + dy - (12 if dy > 0 else -12) * self._unit)
                line = self._colors[circle.role]
                self._draw.line((x, y, *end), line, round(self._unit))
            self._draw.text(
                (x + dx, y + dy),
                circle.tag,
                color,
                font,
                anchor="mm",
                stroke_width=round(2 * self._unit),
                stroke_fill=self._colors["paper"],
            )

    def _cross(self, suggestion: RankedTags) -> Box:
        """The box of the photo's cross, in pixels."""
        position = suggestion.position
        x, y = self._pixel(float(position[0]), float(position[1]))
        arm = 13 * self._unit
        return x - arm, y - arm, x + arm, y + arm

    def draw_photo(self, suggestion: RankedTags) -> None:
        """A red cross where the photo falls."""
        left, top, right, bottom = self._cross(suggestion)
        red, width = self._colors["photo"], round(6 * self._unit)
        self._draw.line((left, top, right, bottom), red, width)
        self._draw.line((left, bottom, right, top), red, width)

    def draw_axis_titles(self, horizontal: str, vertical: str) -> None:
        """One title below the plot, one turned by a quarter to its left."""
        font, ink = self._font(20), self._colors["ink"]
        plot = self._plot
        middle = (plot.left + plot.width / 2, plot.top + plot.height + 28 * self._unit)
        self._draw.text(middle, horizontal, ink, font, anchor="mm")
        length, height = round(font.getlength(vertical)), round(30 * self._unit)
        strip = Image.new("RGB", (length, height), self._colors["paper"])
        place = (length / 2, height / 2)
        ImageDraw.Draw(strip).text(place, vertical, ink, font, anchor="mm")
        turned = strip.rotate(90, expand=True)
        left = round(plot.left - 28 * self._unit - height / 2)
        top = round(plot.top + (plot.height - length) / 2)
        self._image.paste(turned, (max(left, 0), max(top, 0)))

    def png(self) -> bytes:
        """The picture at its final size."""
        stream = io.BytesIO()
        self._image.reduce(_SUPERSAMPLING).save(stream, "PNG")
        return stream.getvalue()
