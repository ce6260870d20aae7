"""The charts of a suggestion as Plotly figures: plain dicts.

A figure is ``{"data": [...], "layout": {...}}`` of numbers and strings, so the
page, the API and ``lablr map`` hand it to Plotly (or anything that speaks its
JSON) without Lablr importing Plotly. Every colour is one of `PALETTE`'s values,
readable on white and on black; the page swaps them for its theme's.

Every figure identifies a tag by the tag itself (the category of a bar, the name of a
circle, the ``meta`` of a trace), not by its label, which two tags may share.

Lengths on the map are in the units of the latent plane; ``*_px`` are pixels.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lablr.figures.map_layout import (
    Circle,
    Frame,
    View,
    axis_titles,
    circles_of,
    frame_of,
    padded_frame,
    percent,
)
from lablr.latent_space.plane import LatentMap
from lablr.ranking.suggestion import Suggestion

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

_INK = {"color": PALETTE["ink"]}
_NARROW_LABELS = 8  # more names than these do not fit on a phone
_SYMBOLS = (("first", "circle"), ("second", "diamond"), ("third", "square"))


def ranked_tags_figure(
    suggestion: Suggestion, labels: Mapping[str, str] | None = None
) -> Figure:
    """Return horizontal bars of the tags' probabilities, most fitting on top.

    Bars that reach the threshold are drawn strong; a dashed line marks it. labels:
    tag to shown name, where they differ.
    """
    scores, threshold = suggestion.tags, suggestion.threshold
    tags = [score.tag for score in scores]
    names = [html.escape((labels or {}).get(tag, tag)) for tag in tags]
    reached = [score.probability >= threshold for score in scores]
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [score.probability for score in scores],
        "y": tags,
        "text": [percent(score.probability) for score in scores],
        "textposition": "outside",
        "cliponaxis": False,
        "textfont": _INK,
        "marker": {"color": [PALETTE["tag" if yes else "faint"] for yes in reached]},
        "customdata": names,
        "hovertemplate": "%{customdata}: %{text}<extra></extra>",
    }
    layout = figure_layout(
        height=36 * max(len(scores), 1) + 56,
        margin={"l": 12, "r": 44, "t": 24, "b": 36},
        bargap=0.34,
        xaxis=axis(range=[0, 1], tickformat=".0%", dtick=0.25, fixedrange=True),
        yaxis=axis(
            autorange="reversed",
            automargin=True,
            fixedrange=True,
            type="category",  # a tag may look like a number: "2012"
            showgrid=False,
            tickmode="array",
            tickvals=tags,
            ticktext=names,
            ticklabelstandoff=7,
        ),
        shapes=[_threshold_line(threshold)],
        annotations=[_threshold_note(threshold)],
    )
    return {"data": [bars], "layout": layout}


def latent_map_figure(
    latent_map: LatentMap,
    tags: Sequence[str],
    suggestion: Suggestion | None,
    narrow: bool = False,
    labels: Mapping[str, str] | None = None,
) -> Figure:
    """Return circles for the most relevant tags, a red cross for the photo.

    Radius: the tag's dispersion radius, in the plane's units, both axes to one
    scale. Without a suggestion: every tag, and no cross. `narrow` is for phones.
    """
    circles = circles_of(latent_map, tags, suggestion, labels)
    frame = frame_of(circles, suggestion)
    data = [_centroids_trace(circles)]
    data += [_photo_trace(suggestion)] if suggestion else []
    layout = _map_layout(latent_map, frame, narrow)
    # faint circles first: the relevant ones lie on top
    layout["shapes"] = [_circle_shape(circle) for circle in reversed(circles)]
    named = circles[:_NARROW_LABELS] if narrow else circles
    offsets = _view(frame, narrow).label_offsets(named, suggestion, font_px=12)
    layout["annotations"] = [
        _label_annotation(circle, offset)
        for circle, offset in zip(named, offsets, strict=True)
    ]
    return {"data": data, "layout": layout}


def training_photos_figure(
    latent_map: LatentMap,
    tags: Sequence[str],
    suggestion: Suggestion,
    narrow: bool = False,
    labels: Mapping[str, str] | None = None,
) -> Figure:
    """Return the training photos of the top 3 tags as dots, the photo as a red cross.

    Each tag has its own colour and its own symbol: colour alone tells nothing
    to one reader in twelve.
    """
    index = {tag: number for number, tag in enumerate(tags)}
    data: list[Figure] = []
    extent = [np.asarray(suggestion.position, dtype=float)[None]]
    for score, (role, symbol) in zip(suggestion.tags, _SYMBOLS, strict=False):
        photos = np.asarray(latent_map.photos_of(index[score.tag]), dtype=float)
        extent.append(photos)
        x, y = photos.T.round(4).tolist()
        label = html.escape((labels or {}).get(score.tag, score.tag))
        data.append(
            markers(
                x,
                y,
                f"a training photo of {label}<extra></extra>",
                {"size": 7, "opacity": 0.7, "color": PALETTE[role], "symbol": symbol},
                name=label,
                meta=score.tag,
            )
        )
    data.append(_photo_trace(suggestion))
    frame = padded_frame(np.concatenate(extent), 0.06)
    layout = _map_layout(latent_map, frame, narrow)
    layout["showlegend"] = True
    layout["margin"]["b" if narrow else "t"] += 56 if narrow else 40
    layout["legend"] = {
        "orientation": "h",
        "x": 0,
        "y": -0.2 if narrow else 1.02,  # the buttons to zoom stand above
        "yanchor": "top" if narrow else "bottom",
        "itemsizing": "constant",
        # A click could hide a trace, and no key could.
        "itemclick": False,
        "itemdoubleclick": False,
        "font": {**_INK, "size": 14},
    }
    return {"data": data, "layout": layout}


def figure_layout(**parts: Any) -> Figure:
    """Return the layout that all figures share, with `parts` added."""
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {**_INK, "size": 13, "family": "system-ui, sans-serif"},
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


def axis(title: str | None = None, **parts: Any) -> Figure:
    """Return an axis in the palette's colours, with or without a title."""
    grid = ("gridcolor", "zerolinecolor", "linecolor")
    found: Figure = {**dict.fromkeys(grid, PALETTE["grid"]), "tickfont": _INK, **parts}
    if title is not None:
        font = {**_INK, "size": 13}
        found["title"] = {"text": title, "font": font, "standoff": 8}
    return found


def markers(
    x: Sequence[float], y: Sequence[float], hover: str, marker: Figure, **parts: Any
) -> Figure:
    """Return a trace of points; `hover` is the text shown over one of them."""
    # `scatter`, never `scattergl`: WebGL traces need eval, which the page forbids
    return {
        "type": "scatter",
        "mode": "markers",
        "x": x,
        "y": y,
        "hovertemplate": hover,
        "marker": marker,
        **parts,
    }


def _map_layout(latent_map: LatentMap, frame: Frame, narrow: bool) -> Figure:
    """Return a layout with both axes to one scale."""
    (left, bottom), (right, top) = frame.low, frame.high
    first, second = axis_titles(latent_map)
    return figure_layout(
        height=_size_px(narrow)[1],
        margin=_margin_px(narrow),
        xaxis=axis(first, range=[left, right]),
        yaxis=axis(second, range=[bottom, top], scaleanchor="x"),
    )


def _view(frame: Frame, narrow: bool) -> View:
    """Return the view for which labels are placed, in pixels of the plot."""
    (width, height), margin = _size_px(narrow), _margin_px(narrow)
    width -= margin["l"] + margin["r"]
    height -= margin["t"] + margin["b"]
    return View(frame, (0.0, 0.0, float(width), float(height)))


def _size_px(narrow: bool) -> tuple[int, int]:
    """Return the size that labels are placed for; a page may draw it wider."""
    return (330, 380) if narrow else (760, 560)


def _margin_px(narrow: bool) -> dict[str, int]:
    if narrow:
        return {"l": 50, "r": 6, "t": 8, "b": 44}
    return {"l": 56, "r": 16, "t": 16, "b": 52}


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
    """Return the text over the line, on the side where there is room."""
    return {
        "text": f"suggested from {percent(threshold)}",
        "xref": "x",
        "yref": "paper",
        "x": threshold,
        "y": 1,
        "xanchor": "left" if threshold < 0.5 else "right",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {**_INK, "size": 12},
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
    return markers(
        [circle.x for circle in circles],
        [circle.y for circle in circles],
        "%{text}<extra></extra>",
        {"size": 6, "color": [PALETTE[circle.role] for circle in circles]},
        name="tags",
        text=[circle.note for circle in circles],
    )


def _photo_trace(suggestion: Suggestion) -> Figure:
    color = {"color": PALETTE["photo"]}
    return markers(
        [float(suggestion.position[0])],
        [float(suggestion.position[1])],
        "your photo<extra></extra>",
        {"symbol": "x-thin", "size": 15, **color, "line": {"width": 4, **color}},
        name="your photo",
    )


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
