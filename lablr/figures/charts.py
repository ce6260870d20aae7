"""The pictures of a suggestion: Plotly figures as plain dicts, and the map as a PNG.

A figure is ``{"data": [...], "layout": {...}}`` of numbers and strings, so the
page, the API and ``lablr map`` hand it to Plotly (or anything that speaks its
JSON) without Lablr importing Plotly. Every colour is one of `PALETTE`'s values,
readable on white and on black; the page swaps them for its theme's.

A tag is known by its own word in every figure (the category of a bar, the name of a
circle, the ``meta`` of a trace), whatever it is called: two may have one label.

Lengths on the map are in the units of the latent plane; ``*_px`` are pixels.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lablr.figures.map_image import draw_map_png
from lablr.figures.map_layout import (
    Box,
    Circle,
    Frame,
    RankedTags,
    TagPlane,
    circles_of,
    frame_of,
    padded_frame,
    percent,
    place_labels,
)

__all__ = [
    "PALETTE",
    "draw_map_png",
    "latent_map_figure",
    "ranked_tags_figure",
    "training_photos_figure",
]

Figure = dict[str, Any]

PALETTE = {
    "ink": "#757b83",
    "grid": "rgba(120,127,136,0.2)",
    "tag": "#2f7fc4",
    "tag-fill": "rgba(47,127,196,0.07)",
    "faint": "#97a1ac",
    "faint-fill": "rgba(128,139,150,0.05)",
    "photo": "#e5383b",
    "first": "#3b8bd0",
    "second": "#d9822b",
    "third": "#2f9e79",
}
"""Role -> colour. No colour below is written anywhere else in this module."""

_NARROW_LABELS = 8  # more names than these do not fit on a phone


# ------------------------------------------------------------------ Plotly figures


def ranked_tags_figure(
    suggestion: RankedTags, labels: Mapping[str, str] | None = None
) -> Figure:
    """Horizontal bars of the tags' probabilities, most fitting on top.

    Bars that reach the threshold are drawn strong; a dashed line marks it. labels:
    what to call a tag, where that is not the tag itself.
    """
    scores = suggestion.tags
    names = [html.escape((labels or {}).get(s.tag, s.tag)) for s in scores]
    reached = [score.probability >= suggestion.threshold for score in scores]
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [score.probability for score in scores],
        "y": [score.tag for score in scores],
        "text": [percent(score.probability) for score in scores],
        "textposition": "outside",
        "cliponaxis": False,
        "textfont": {"color": PALETTE["ink"]},
        "marker": {"color": [PALETTE["tag" if yes else "faint"] for yes in reached]},
        "customdata": names,
        "hovertemplate": "%{customdata}: %{text}<extra></extra>",
    }
    layout = _layout(
        height=36 * max(len(scores), 1) + 56,
        margin={"l": 12, "r": 44, "t": 24, "b": 36},
        bargap=0.34,
        xaxis=_axis(range=[0, 1], tickformat=".0%", dtick=0.25, fixedrange=True),
        yaxis=_axis(
            autorange="reversed",
            automargin=True,
            fixedrange=True,
            type="category",  # a tag may look like a number: "2012"
            showgrid=False,
            tickmode="array",
            tickvals=bars["y"],
            ticktext=names,
            ticklabelstandoff=7,
        ),
        shapes=[_threshold_line(suggestion.threshold)],
        annotations=[_threshold_note(suggestion.threshold)],
    )
    return {"data": [bars], "layout": layout}


def latent_map_figure(
    latent_map: TagPlane,
    tags: Sequence[str],
    suggestion: RankedTags | None,
    n_tags: int = 20,
    narrow: bool = False,
    labels: Mapping[str, str] | None = None,
) -> Figure:
    """Circles for the `n_tags` most relevant tags, a red cross for the photo.

    Radius: the tag's dispersion radius, in the plane's units, both axes to one
    scale. Without a suggestion: every tag, and no cross. `narrow` is for phones.
    """
    circles = circles_of(latent_map, tags, suggestion, n_tags, labels)
    frame = frame_of(circles, suggestion)
    data = [_centroids_trace(circles)]
    data += [_photo_trace(suggestion)] if suggestion else []
    layout = _map_layout(latent_map, frame, narrow)
    # faint circles first: the relevant ones lie on top
    layout["shapes"] = [_circle_shape(circle) for circle in reversed(circles)]
    named = circles[:_NARROW_LABELS] if narrow else circles
    offsets = _label_offsets(named, frame, suggestion, narrow)
    layout["annotations"] = [
        _label_annotation(circle, offset)
        for circle, offset in zip(named, offsets, strict=True)
    ]
    return {"data": data, "layout": layout}


def training_photos_figure(
    latent_map: TagPlane,
    tags: Sequence[str],
    suggestion: RankedTags,
    top: int = 3,
    narrow: bool = False,
    labels: Mapping[str, str] | None = None,
) -> Figure:
    """The training photos of the `top` tags as dots, a red cross for the photo.

    Each tag has its own colour and its own symbol: colour alone tells nothing
    to one reader in twelve.
    """
    index = {tag: number for number, tag in enumerate(tags)}
    looks = (("first", "circle"), ("second", "diamond"), ("third", "square"))
    data: list[Figure] = []
    extent = [np.asarray(suggestion.position, dtype=float)[None]]
    for number, score in enumerate(suggestion.tags[:top]):
        photos = np.asarray(latent_map.photos_of(index[score.tag]), dtype=float)
        role, symbol = looks[number % len(looks)]
        label = (labels or {}).get(score.tag, score.tag)
        trace = _photos_trace(label, photos, PALETTE[role], symbol)
        data.append({**trace, "meta": score.tag})
        extent.append(photos)
    data.append(_photo_trace(suggestion))
    points = np.concatenate(extent)
    frame = padded_frame(points.min(0), points.max(0), 0.06)
    layout = _map_layout(latent_map, frame, narrow)
    layout["showlegend"] = True
    layout["margin"]["b" if narrow else "t"] += 56 if narrow else 40
    layout["legend"] = {
        "orientation": "h",
        "x": 0,
        "y": -0.2 if narrow else 1.02,  # the buttons to zoom stand above
        "yanchor": "top" if narrow else "bottom",
        "itemsizing": "constant",
        # What a click could hide, no key could.
        "itemclick": False,
        "itemdoubleclick": False,
        "font": {"color": PALETTE["ink"], "size": 14},
    }
    return {"data": data, "layout": layout}


# ---------------------------------------------------------------- parts of figures


def _layout(**parts: Any) -> Figure:
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {
            "color": PALETTE["ink"],
            "size": 13,
            "family": "system-ui, sans-serif",
        },
        "showlegend": False,
        "hovermode": "closest",
        "modebar": {
            "bgcolor": "rgba(0,0,0,0)",
            "color": PALETTE["faint"],
            "activecolor": PALETTE["tag"],
        },
        "dragmode": False,  # a swipe over the chart scrolls the page
        **parts,
    }


def _axis(**parts: Any) -> Figure:
    return {
        "gridcolor": PALETTE["grid"],
        "zerolinecolor": PALETTE["grid"],
        "linecolor": PALETTE["grid"],
        "tickfont": {"color": PALETTE["ink"]},
        **parts,
    }


def _map_layout(latent_map: TagPlane, frame: Frame, narrow: bool) -> Figure:
    """Both axes to one scale; a wider drawing shows more of the plane."""
    first, second = (float(r) for r in latent_map.explained_variance_ratio)
    return _layout(
        height=_size_px(narrow)[1],
        margin=_margin_px(narrow),
        xaxis=_axis(
            title=_title(f"Component 1 · {100 * first:.1f} % of the variance"),
            range=[frame.low[0], frame.high[0]],
        ),
        yaxis=_axis(
            title=_title(f"Component 2 · {100 * second:.1f} % of the variance"),
            range=[frame.low[1], frame.high[1]],
            scaleanchor="x",
        ),
    )


def _title(text: str) -> Figure:
    return {"text": text, "font": {"size": 13, "color": PALETTE["ink"]}, "standoff": 8}


def _threshold_line(threshold: float) -> Figure:
    return {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": threshold,
        "x1": threshold,
        "y0": 0,
        "y1": 1,
        "line": {"color": PALETTE["faint"], "width": 1, "dash": "dot"},
        "layer": "below",
    }


def _threshold_note(threshold: float) -> Figure:
    """Words over the line, leaning to the side where there is room."""
    return {
        "text": f"suggested from {percent(threshold)}",
        "xref": "x",
        "yref": "paper",
        "x": threshold,
        "y": 1,
        "xanchor": "left" if threshold < 0.5 else "right",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 12, "color": PALETTE["ink"]},
    }


def _circle_shape(circle: Circle) -> Figure:
    return {
        "type": "circle",
        "name": circle.tag,
        "xref": "x",
        "yref": "y",
        "x0": circle.x - circle.radius,
        "x1": circle.x + circle.radius,
        "y0": circle.y - circle.radius,
        "y1": circle.y + circle.radius,
        "fillcolor": PALETTE[f"{circle.role}-fill"],
        "line": {"color": PALETTE[circle.role], "width": 1.5 if circle.strong else 1},
        "layer": "below",
    }


def _centroids_trace(circles: Sequence[Circle]) -> Figure:
    # `scatter`, never `scattergl`: WebGL traces need eval, which the page forbids
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "tags",
        "x": [circle.x for circle in circles],
        "y": [circle.y for circle in circles],
        "text": [circle.note for circle in circles],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"size": 6, "color": [PALETTE[circle.role] for circle in circles]},
    }


def _photos_trace(
    label: str, photos: NDArray[Any], color: str, symbol: str
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": html.escape(label),
        "x": [round(float(x), 4) for x in photos[:, 0]],
        "y": [round(float(y), 4) for y in photos[:, 1]],
        "marker": {"size": 7, "opacity": 0.7, "color": color, "symbol": symbol},
        "hovertemplate": f"a training photo of {html.escape(label)}<extra></extra>",
    }


def _photo_trace(suggestion: RankedTags) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "your photo",
        "x": [float(suggestion.position[0])],
        "y": [float(suggestion.position[1])],
        "marker": {
            "symbol": "x-thin",
            "size": 15,
            "color": PALETTE["photo"],
            "line": {"width": 4, "color": PALETTE["photo"]},
        },
        "hovertemplate": "your photo<extra></extra>",
    }


def _label_annotation(circle: Circle, offset_px: tuple[float, float]) -> Figure:
    label = html.escape(circle.label)
    return {
        "text": f"<b>{label}</b>" if circle.strong else label,
        "x": circle.x,
        "y": circle.y,
        "ax": offset_px[0],
        "ay": offset_px[1],
        "showarrow": True,
        "arrowhead": 0,
        "arrowwidth": 1,
        "arrowcolor": PALETTE[circle.role],
        "standoff": 4,
        "borderpad": 0,
        "font": {
            "size": 14 if circle.strong else 12,
            "color": PALETTE["tag" if circle.strong else "ink"],
        },
    }


def _label_offsets(
    circles: Sequence[Circle],
    frame: Frame,
    suggestion: RankedTags | None,
    narrow: bool,
) -> list[tuple[float, float]]:
    """Where each label stands from its centroid, in pixels, for Plotly's figure."""
    (width, height), margin = _size_px(narrow), _margin_px(narrow)
    width -= margin["l"] + margin["r"]
    height -= margin["t"] + margin["b"]
    scale = frame.scale((width, height))

    def pixel(x: float, y: float) -> tuple[float, float]:
        return (x - frame.low[0]) * scale, (frame.high[1] - y) * scale

    cross: list[Box] = []
    if suggestion is not None:
        x, y = pixel(float(suggestion.position[0]), float(suggestion.position[1]))
        cross.append((x - 12, y - 12, x + 12, y + 12))
    return place_labels(
        anchors=[pixel(circle.x, circle.y) for circle in circles],
        sizes=[
            ((8.4 if circle.strong else 6.8) * len(circle.label) + 6, 17.0)
            for circle in circles
        ],
        bounds=(0.0, 0.0, float(width), float(height)),
        keep_out=cross,
    )


def _size_px(narrow: bool) -> tuple[int, int]:
    """The size that labels are placed for; a page may draw the figure wider."""
    return (330, 380) if narrow else (760, 560)


def _margin_px(narrow: bool) -> dict[str, int]:
    if narrow:
        return {"l": 50, "r": 6, "t": 8, "b": 44}
    return {"l": 56, "r": 16, "t": 16, "b": 52}
