"""The page that shows every way to rank tags side by side, for one photo."""

from __future__ import annotations

from typing import Any

import numpy as np
from flask import Blueprint, Flask, render_template

from lablr.fitting.compare import compared_before
from webapp.http.metrics import stage
from webapp.http.uploads import uploaded_photo
from webapp.state import state, tagger

blueprint = Blueprint("compare", __name__)

N_TAGS = 10
# Ranking -> its name on the page, and how it works.
RANKING_NAMES = {
    "calibrated": ("probability", "a Gaussian for every tag, calibrated"),
    "likelihood": ("likelihood ratio", "the Gaussians before calibration"),
    "mahalanobis": ("Mahalanobis distance", "nearest Gaussian first"),
    "blend": ("blend", "Gaussians, classifier and neighbours, weighed"),
    "classifier": ("classifier", "a question of its own for every tag"),
    "triplet": ("photo–tag distance", "photos and tags in one space"),
    "semantic": ("meaning", "photos in the space of a text model"),
    "neighbours": ("nearest photos", "the tags of similar training photos"),
    "conse": ("ImageNet’s classes", "no training photo of ours at all"),
}


def init_app(app: Flask) -> None:
    """Add the page and what its template needs."""
    app.register_blueprint(blueprint)
    app.add_template_global(_figures, "comparison")
    app.jinja_env.globals["ranking_names"] = RANKING_NAMES
    app.add_template_global(_rankings, "rankings")


@blueprint.get("/compare")
def show() -> str:
    """Show the figures of every ranking, and the form."""
    return render_template("compare.html")


@blueprint.post("/compare")
def create_comparison() -> str:
    """Show the same with the tags that every ranking gives the photo."""
    model = tagger()
    with state().admission.admit():
        photo = uploaded_photo()
        with stage("read"):
            images = model.read(photo)[np.newaxis]
        with stage("encode"):
            described = model.encode(images)
        with stage("rank"):
            suggestions = [
                model.rank(described, N_TAGS, ranking, images=images)[0]
                for ranking in model.rankings
            ]
        return render_template("compare.html", suggestions=suggestions)


def _rankings(by_description: bool = False) -> tuple[str, ...]:
    """Return the model's rankings, or those that need no photo but its latent."""
    return tagger().ranker.by_description if by_description else tagger().rankings


def _figures() -> dict[str, list[dict[str, Any]]]:
    """Return the figures that the bundle carries, by source, a row for each ranking."""
    by_source: dict[str, list[dict[str, Any]]] = {}
    for one in compared_before(tagger().provenance):
        for report in one.get("reports", ()):
            row = {**report, **{k: v for k, v in one.items() if k != "reports"}}
            by_source.setdefault(str(report.get("source")), []).append(row)
    return by_source
