"""Two photos to try the page with, from the installed scikit-learn package.

Their licence and authors are in README.txt beside them (CC BY 2.0); the page
credits both. Where the package or a photo is missing, no sample is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from flask import Blueprint, Flask, Response, abort

from webapp.http.assets import installed_file

blueprint = Blueprint("samples", __name__, url_prefix="/samples")


@dataclass(frozen=True)
class Sample:
    """A photo, what is on it, and whom to thank for it."""

    name: str
    subject: str
    author: str
    page: str


SAMPLES = (
    Sample(
        "china.jpg",
        "a temple",
        "danielbuechele",
        "https://www.flickr.com/photos/danielbuechele/6061409035/",
    ),
    Sample(
        "flower.jpg",
        "a flower",
        "vultilion",
        "https://www.flickr.com/photos/vultilion/6056698931/",
    ),
)


def init_app(app: Flask) -> None:
    """Serve the samples and tell the templates which there are."""
    app.register_blueprint(blueprint)
    app.add_template_global(available_samples, "samples")


@lru_cache(maxsize=1)
def available_samples() -> tuple[Sample, ...]:
    """Return the samples whose photos are on this machine."""
    return tuple(sample for sample in SAMPLES if _path(sample.name).is_file())


def _path(name: str) -> Path:
    return installed_file("sklearn", "datasets", "images", name)


@blueprint.get("/<name>")
def show(name: str) -> Response:
    """Send the photo as it is in the package."""
    if name not in {sample.name for sample in available_samples()}:
        abort(404)
    response = Response(_path(name).read_bytes(), mimetype="image/jpeg")
    response.headers["Cache-Control"] = "public, max-age=86400"
    return response
