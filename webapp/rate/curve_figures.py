"""The ROC and precision-recall curves as Plotly figures, in the page's palette."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lablr.figures.charts import PALETTE, Figure, axis, figure_layout, markers

if TYPE_CHECKING:
    from lablr.annotation.curves import AtThreshold, Curves

STEPS = 1000
MAX_POINTS = 800


def curve_figures(curves: Curves) -> dict[str, Figure]:
    """Return the figures ``roc`` and ``precision_recall``.

    The last trace of each marks the threshold.
    """
    recall = _thinned(curves.true_positive_rate)
    roc = _figure(
        ([0.0, *_thinned(curves.false_positive_rate)], [0.0, *recall]),
        ([0, 1], [0, 1]),
        ("False positive rate", "True positive rate"),
    )
    share = len(curves.right) and float(curves.right.mean())
    precision_recall = _figure(
        (recall, _thinned(curves.precision)),
        ([0, 1], [share, share]),
        ("Recall", "Precision"),
    )
    return {"roc": roc, "precision_recall": precision_recall}


def effects(curves: Curves) -> list[list[int]]:
    """Return right and wrong tags accepted at 0, 1/1000, ..., 1, for the slider."""
    found = (curves.at(step / STEPS) for step in range(STEPS + 1))
    return [[one.accepted_right, one.accepted_wrong] for one in found]


def percent_or_dash(value: float) -> str:
    """Return a share in percent, or a dash where there is none."""
    return "–" if math.isnan(value) else f"{100 * value:.1f} %"


def shown_effect(effect: AtThreshold) -> dict[str, Any]:
    """Return the effect of a threshold, in the words of the page."""
    return {
        "threshold": effect.threshold,
        "right": effect.accepted_right,
        "wrong": effect.accepted_wrong,
        "accepted": effect.accepted_right + effect.accepted_wrong,
        "rejected": effect.rejected_right + effect.rejected_wrong,
        "precision": percent_or_dash(effect.precision),
        "recall": percent_or_dash(effect.recall),
    }


def _thinned(values: Sequence[float] | Any) -> list[float | None]:
    """Return at most `MAX_POINTS` points and the last: a screen shows no more."""
    step = max(1, math.ceil(len(values) / MAX_POINTS))
    kept = [*values[::step], *values[-1:]]
    return [None if math.isnan(x) else round(float(x), 5) for x in kept]


def _figure(
    curve: tuple[list[Any], list[Any]],
    chance: tuple[list[Any], list[Any]],
    titles: tuple[str, str],
) -> Figure:
    def line(points: tuple[list[Any], list[Any]], **look: Any) -> Figure:
        x, y = points
        return {"type": "scatter", "mode": "lines", "x": x, "y": y, "line": look}

    hover = f"{titles[0]} %{{x:.0%}}<br>{titles[1]} %{{y:.0%}}<extra></extra>"
    mark = {"color": PALETTE["photo"], "size": 12, "symbol": "x"}
    data = [
        line(chance, color=PALETTE["faint"], width=1.5, dash="dot")
        | {"hoverinfo": "skip"},
        line(curve, color=PALETTE["tag"], width=2.5) | {"hovertemplate": hover},
        markers([], [], hover, mark),
    ]
    share = {"range": [0, 1.02], "tickformat": ".0%", "fixedrange": True}
    layout = figure_layout(
        height=340,
        margin={"l": 56, "r": 12, "t": 12, "b": 52},
        xaxis=axis(titles[0], **share),
        yaxis=axis(titles[1], **share),
    )
    return {"data": data, "layout": layout}
