"""Plotly's script, from the installed plotly package: no copy of ours, no CDN."""

from __future__ import annotations

import gzip
import importlib.metadata
import importlib.util
from functools import lru_cache
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, request

blueprint = Blueprint("assets", __name__, url_prefix="/assets")


def init_app(app: Flask) -> None:
    """Serve the script and tell the templates its address."""
    app.register_blueprint(blueprint)
    app.add_template_global(plotly_file_name, "plotly_file_name")


@lru_cache(maxsize=1)
def plotly_file_name() -> str:
    """Return a name that changes with the version: a browser may keep it for good."""
    return f"plotly-{importlib.metadata.version('plotly')}.min.js"


def installed_file(package: str, *parts: str) -> Path:
    """Return a file of a package, found without importing that."""
    spec = importlib.util.find_spec(package)
    folder = Path(spec.origin).parent if spec and spec.origin else Path("missing")
    return folder.joinpath(*parts)


@lru_cache(maxsize=1)
def _plotly_scripts() -> tuple[bytes, bytes]:
    """Return the script as it is (4.8 MB) and compressed (1.5 MB)."""
    plain = installed_file("plotly", "package_data", "plotly.min.js").read_bytes()
    return plain, gzip.compress(plain, compresslevel=6, mtime=0)


@blueprint.get("/<name>")
def show(name: str) -> Response:
    """Send the one asset that is not in static/."""
    if name != plotly_file_name():
        abort(404)
    plain, compressed = _plotly_scripts()
    packed = request.accept_encodings.quality("gzip") > 0
    response = Response(compressed if packed else plain, mimetype="text/javascript")
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
