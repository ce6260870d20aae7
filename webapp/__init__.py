"""Lablr on the web: pages, a JSON API, two health checks and the metrics.

With a database, pages for judging tags as well; with a folder, a desk for its photos.

The application keeps nothing: no cookie, no session, no file, no photo once its
answer is sent. Two things are kept where they are on: the judgements of those who sign
in, and what is done at the desk.

`create_app` is the only thing to import; `webapp.http.server.serve` runs what it
returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask

from webapp import desk, rate
from webapp.api import routes
from webapp.http import access, assets, errors, health, metrics, security, uploads
from webapp.pages import compare, photo, search
from webapp.state import State
from webapp.state.settings import Settings

# In the order in which they see a request.
PARTS = (
    metrics,
    security,
    uploads,
    access,
    errors,
    assets,
    health,
    routes,
    photo,
    compare,
    search,
    rate,
    desk,
)


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Make the application and load its model, once.

    config: settings by name (``BUNDLE``, ``MAX_RUNNING``, ...) that go before the
    ``LABLR_*`` environment variables; other names are Flask's own. Raises as
    `State.of` does.
    """
    app = Flask(
        __name__, template_folder=_folder("templates"), static_folder=_folder("static")
    )
    app.config.from_mapping(config or {})
    app.json.sort_keys = False  # type: ignore[attr-defined]  # best tag first
    State.of(Settings.read(config or {})).store(app)
    for part in PARTS:
        part.init_app(app)
    return app


def _folder(name: str) -> str:
    """Return a folder: inside the package in a wheel, beside it in a checkout."""
    here = Path(__file__).resolve().parent
    inside = here / name
    return str(inside if inside.is_dir() else here.parent / name)
