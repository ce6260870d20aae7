"""What the judgements say: figures, curves, and the threshold they recommend."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    jsonify,
    render_template,
    request,
    stream_with_context,
)

from lablr.errors import JudgementError
from webapp.http.errors import Refused
from webapp.rate.curve_figures import curve_figures, effects, shown_effect
from webapp.rate.judging import judging
from webapp.rate.sign_in import guard

if TYPE_CHECKING:
    from lablr.annotation.results import Results

__all__ = ["init_app"]

KINDS = {
    "tsv": "text/tab-separated-values",
    "csv": "text/csv",
    "json": "application/x-ndjson",
}
CHUNK_LINES = 500
DEFAULT_PRECISION = 0.9

blueprint = Blueprint("results", __name__, url_prefix="/results")
guard(blueprint)


def init_app(app: Flask) -> None:
    """Add the page, where judging is on."""
    if app.extensions["lablr.judging"] is not None:
        app.register_blueprint(blueprint)


@blueprint.get("")
def show() -> str:
    """The page with the figures of the model whose predictions were stored last.

    Without JavaScript its forms ask for another threshold or target precision.
    """
    target = _share("precision", DEFAULT_PRECISION)
    given = _share("threshold", 0.5)
    if not judging().database.models():
        return render_template("results.html", results=None)
    results = _results()
    recommended = {
        "precision": _recommended(results, target),
        "youden": _recommended(results, None),
    }
    return render_template(
        "results.html",
        results=results,
        target=target,
        recommended=recommended,
        effect=shown_effect(results.at(given)),
    )


@blueprint.get("/figures")
def list_figures() -> Response:
    """The curves, and what every thousandth accepts, for the script."""
    curves = _results().curves
    return jsonify(
        **curve_figures(curves),
        effects=effects(curves),
        n_right=int(curves.right.sum()),
        n_wrong=int((~curves.right).sum()),
    )


@blueprint.get("/judgements.<kind>")
def export(kind: str) -> Response:
    """Everything but passwords, as it comes out of the database."""
    if kind not in KINDS:
        abort(404)
    _ = judging().database  # one that is gone is said before the answer begins
    response = Response(stream_with_context(_export(kind)), mimetype=KINDS[kind])
    name = f"judgements.{'jsonl' if kind == 'json' else kind}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _results() -> Results:
    from lablr.annotation.results import results_of

    return results_of(judging().database)


def _recommended(results: Results, precision: float | None) -> dict[str, Any] | None:
    try:
        return shown_effect(results.at(results.threshold(precision)))
    except JudgementError:
        return None


def _share(name: str, usual: float) -> float:
    text = request.args.get(name, "")
    try:
        found = float(text) if text else usual
    except ValueError:
        found = math.nan
    if not 0 <= found <= 1:
        raise Refused("bad_parameter", f"{name} must be a number from 0 to 1.")
    return found


def _export(kind: str) -> Iterator[str]:
    from lablr.annotation.export import export_text

    texts = export_text(judging().database, kind)
    while chunk := "".join(islice(texts, CHUNK_LINES)):
        yield chunk
