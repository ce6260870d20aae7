"""The latent map as an SVG, and the PNG that resvg makes of it.

The SVG has classes and no colours. A page styles it, light or dark; `draw_map_png`
styles it by `_STYLE` and with the font beside this module, which covers the scripts of
Europe, the Caucasus and the Near East (fonts/LICENSE.txt). For other scripts the
fonts of the machine are searched, which takes longer.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lablr.figures.map_layout import (
    Circle,
    View,
    axis_titles,
    circles_of,
    frame_of,
)
from lablr.latent_space.plane import LatentMap
from lablr.ranking.suggestion import Suggestion

FONT = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"
_NOT_IN_FONT = re.compile(
    "[\u0700-\u109f\u1100-\u1dff\u2e80-\uffef\U00010000-\U0010ffff]"
)
_NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STYLE = """
text { font-family: 'DejaVu Sans'; text-anchor: middle; fill: #4d545c;
  paint-order: stroke; stroke: #ffffff; stroke-width: 4; stroke-linejoin: round }
text.tag { font-size: 1.167em; fill: #1f6aa8 }
.grid { fill: none; stroke: #e4e6e9; stroke-width: 1.5 }
.dot { stroke-width: 8; stroke-linecap: round }
circle.tag { fill: #1f6aa8; fill-opacity: 0.07; stroke-width: 2 }
circle.faint { fill: #98a2ac; fill-opacity: 0.07 }
circle.tag, line.tag, .dot.tag { stroke: #1f6aa8 }
circle.faint, line.faint, .dot.faint { stroke: #98a2ac }
.cross { stroke: #d9262e; stroke-width: 6 }
"""


@dataclass(frozen=True)
class Sheet:
    """The size of a drawn map.

    name : a class of the SVG.
    height : the most; the map may be lower unless ``is_fixed``.
    n_labels : as many names as fit; None names every circle.
    """

    name: str
    width: int
    height: int
    font_px: int
    n_labels: int | None = None
    is_fixed: bool = False


WIDE = Sheet("wide", 960, 640, 13)
NARROW = Sheet("narrow", 330, 380, 13, n_labels=10)
PICTURE = Sheet("picture", 1200, 900, 20, is_fixed=True)


def map_svg(
    latent_map: LatentMap,
    tags: Sequence[str],
    suggestion: Suggestion | None = None,
    sheet: Sheet = PICTURE,
    labels: Mapping[str, str] | None = None,
) -> str:
    """Return the map of `lablr.figures.charts.latent_map_figure` as an SVG element.

    Its shapes have the classes ``grid``, ``tag``, ``faint``, ``dot``, ``axis`` and
    ``cross``. labels: tag to shown name, where they differ.
    """
    circles = circles_of(latent_map, tags, suggestion, labels)
    view, height = _view(circles, suggestion, sheet)
    shown = f"{len(circles)} most relevant tags as circles, your photo as a red cross"
    said = f"Map of the {shown}" if suggestion else "Map of the tags as circles"
    return "\n".join(
        [
            f'<svg class="map-picture {sheet.name}" xmlns="http://www.w3.org/2000/svg"'
            f' viewBox="0 0 {sheet.width} {height}" font-size="{sheet.font_px}"'
            f' role="img" aria-label="{said}">',
            _grid(view),
            *_axes(latent_map, view, sheet.font_px),
            *_circles(circles[::-1], view),  # the relevant ones lie on top
            *_names(circles[: sheet.n_labels], suggestion, view, sheet.font_px),
            *([_cross(view, suggestion, sheet.font_px)] if suggestion else []),
            "</svg>",
        ]
    )


def draw_map_png(
    latent_map: LatentMap,
    tags: Sequence[str],
    suggestion: Suggestion | None = None,
) -> bytes:
    """Return the map as the bytes of a PNG of 1200 x 900 pixels."""
    import resvg_py  # here, because pages do without it

    svg = map_svg(latent_map, tags, suggestion)
    return resvg_py.svg_to_bytes(
        svg_string=svg,
        style_sheet=_STYLE,
        background="#ffffff",
        width=PICTURE.width,
        font_files=[str(FONT)],
        skip_system_fonts=not _NOT_IN_FONT.search(svg),
    )


def _view(
    circles: Sequence[Circle], suggestion: Suggestion | None, sheet: Sheet
) -> tuple[View, int]:
    """Return the place of the plane on a sheet, and the sheet's height."""
    frame, margin = frame_of(circles, suggestion), 2 * sheet.font_px
    right, height = sheet.width - sheet.font_px / 2, sheet.height
    width, tall = frame.size
    # as low as the circles allow, but with room for names and the axis' title
    if not sheet.is_fixed:
        needed = round(tall / width * (right - margin)) + margin + sheet.font_px // 2
        height = min(height, max(needed, sheet.width // 2, 24 * sheet.font_px))
    return View(frame, (margin, sheet.font_px / 2, right, height - margin)), height


def _grid(view: View) -> str:
    """Return a frame, and the axes through the origin where they are in sight."""
    left, top, right, bottom = view.box
    x, y = view.pixel((0, 0))
    lines = f"M{left} {top}H{right}V{bottom}H{left}Z"
    lines += f"M{x:.1f} {top}V{bottom}" if left < x < right else ""
    lines += f"M{left} {y:.1f}H{right}" if top < y < bottom else ""
    return f'<path class="grid" d="{lines}"/>'


def _axes(latent_map: LatentMap, view: View, font_px: int) -> Iterator[str]:
    left, top, right, bottom = view.box
    places = (
        ((left + right) / 2, bottom + 1.1 * font_px, ""),
        (left - 1.1 * font_px, (top + bottom) / 2, "rotate(-90)"),
    )
    for title, (x, y, turn) in zip(axis_titles(latent_map), places, strict=True):
        place = f"translate({x:.1f} {y:.1f}){turn}"
        yield f'<text class="axis" transform="{place}" dy=".35em">{title}</text>'


def _circles(circles: Sequence[Circle], view: View) -> Iterator[str]:
    for circle in circles:
        x, y = view.pixel((circle.x, circle.y))
        place = f'cx="{x:.1f}" cy="{y:.1f}" r="{circle.radius * view.scale:.1f}"'
        yield f'<circle class="{circle.role}" {place}/>'
        yield f'<path class="dot {circle.role}" d="M{x:.1f} {y:.1f}h.01"/>'


def _names(
    circles: Sequence[Circle],
    suggestion: Suggestion | None,
    view: View,
    font_px: int,
) -> Iterator[str]:
    """Yield lines from the centres to the names, then the names over them."""
    offsets = view.label_offsets(circles, suggestion, font_px)
    names = []
    for circle, (dx, dy) in zip(circles, offsets, strict=True):
        x, y = view.pixel((circle.x, circle.y))
        end = x + dx, y + dy
        line = f'x1="{x:.1f}" y1="{y:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"'
        yield f'<line class="{circle.role}" {line}/>'
        place = f'x="{end[0]:.1f}" y="{end[1]:.1f}" dy=".35em"'
        name = html.escape(_NOT_IN_XML.sub("\ufffd", circle.label))
        names.append(f'<text class="{circle.role}" {place}>{name}</text>')
    yield from names


def _cross(view: View, suggestion: Suggestion, font_px: int) -> str:
    (x, y), arm = view.pixel(suggestion.position), 0.6 * font_px
    stroke = f"l{2 * arm} {2 * arm}m0 {-2 * arm}l{-2 * arm} {2 * arm}"
    return f'<path class="cross" d="M{x - arm:.1f} {y - arm:.1f}{stroke}"/>'
