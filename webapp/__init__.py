"""Lablr on the web: one page, a JSON API, two health checks and the metrics.

With a database, pages for judging tags as well; with a folder, a desk for its photos.

The application keeps nothing: no cookie, no session, no file, no photo once its
answer is sent; but for the judgements of those who sign in, where judging is on, and
for what is done at the desk.
`create_app` is the only thing to import; `webapp.http.server.serve` runs what it
returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask

from webapp import model
from webapp.api import explanations, routes
from webapp.desk import desk
from webapp.http import access, assets, errors, health, metrics, security
from webapp.http.admission import Admission
from webapp.http.settings import Settings
from webapp.http.uploads import (
    FORM_SLACK_BYTES,
    MAX_FIELD_BYTES,
    MAX_PARTS,
    UploadRequest,
)
from webapp.pages import compare, photo, search
from webapp.rate import judging, rate, results, sign_in

__all__ = ["create_app"]


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Make the application and load its model, once.

    config: settings by name (``BUNDLE``, ``MAX_RUNNING``, ...) that go before the
    ``LABLR_*`` environment variables; other names are Flask's own.

    Raises
    ------
    BundleError : the model bundle is missing, altered or from the future.
    SettingError : a setting has a value that cannot be used.
    MissingExtra : judging is on, and the packages it needs are not installed.
    """
    app = Flask(
        __name__, template_folder=_folder("templates"), static_folder=_folder("static")
    )
    app.request_class = UploadRequest
    app.config.from_mapping(config or {})
    settings = Settings.read(config or {})
    app.extensions["lablr.settings"] = settings
    model.init_app(app)
    limits = app.extensions["lablr.model"].tagger.limits
    app.config.update(
        MAX_CONTENT_LENGTH=limits.max_bytes + FORM_SLACK_BYTES,
        MAX_BODY_BYTES=dict(routes.MAX_BODY_BYTES),  # by address, where it is another
        MAX_FORM_MEMORY_SIZE=MAX_FIELD_BYTES,
        MAX_FORM_PARTS=MAX_PARTS,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]  # best tag first
    app.extensions["lablr.admission"] = Admission(
        settings.max_running, settings.max_waiting, settings.max_wait_s
    )
    # in the order in which they see a request
    parts = (metrics, security, access, errors, assets, health, routes, photo, compare)
    own = (judging, sign_in, rate, results, search, desk)
    for part in (*parts, explanations, *own):
        part.init_app(app)
    return app


def _folder(name: str) -> str:
    """Inside the package in a wheel, beside it in a checkout."""
    here = Path(__file__).resolve().parent
    inside = here / name
    return str(inside if inside.is_dir() else here.parent / name)
