"""The results of judging: figures, curves, and the threshold they recommend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

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

from lablr.annotation.results import Results, results_of
from lablr.errors import JudgementError
from webapp.http.parameters import Parameters, filled
from webapp.rate.curve_figures import curve_figures, effects, shown_effect
from webapp.rate.sign_in import guard, judging
from webapp.state.values import number, value

KINDS = {
    "tsv": "text/tab-separated-values",
    "csv": "text/csv",
    "json": "application/x-ndjson",
}
CHUNK_LINES = 500
SHARE = number(0, 1)

blueprint = Blueprint("results", __name__, url_prefix="/results")
guard(blueprint)


def init_app(app: Flask) -> None:
    """Add the page."""
    app.register_blueprint(blueprint)


@dataclass(frozen=True)
class ResultsQuery(Parameters):
    """The parameters of the page."""

    precision: float = value(0.9, SHARE, "The precision to recommend for.")
    threshold: float = value(0.5, SHARE, "The threshold to show.")


@blueprint.get("")
def show() -> str:
    """Show the figures of the model whose predictions were stored last.

    Without JavaScript its forms ask for another threshold or target precision.
    """
    asked = ResultsQuery.read(filled(request.args))
    if not judging().database.models():
        return render_template("results.html", results=None)
    results = results_of(judging().database)
    recommended = {
        "precision": _recommended(results, asked.precision),
        "youden": _recommended(results, None),
    }
    return render_template(
        "results.html",
        results=results,
        target=asked.precision,
        recommended=recommended,
        effect=shown_effect(results.curves.at(asked.threshold)),
    )


@blueprint.get("/figures")
def list_figures() -> Response:
    """List the curves, and what every thousandth accepts, for the script."""
    curves = results_of(judging().database).curves
    return jsonify(
        **curve_figures(curves),
        effects=effects(curves),
        n_right=int(curves.right.sum()),
        n_wrong=int((~curves.right).sum()),
    )


@blueprint.get("/judgements.<kind>")
def export(kind: str) -> Response:
    """Send everything but passwords, as it comes out of the database."""
    if kind not in KINDS:
        abort(404)
    _ = judging().database  # refused before the answer begins
    response = Response(stream_with_context(_export(kind)), mimetype=KINDS[kind])
    name = f"judgements.{'jsonl' if kind == 'json' else kind}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _recommended(results: Results, precision: float | None) -> dict[str, Any] | None:
    try:
        return shown_effect(results.curves.at(results.threshold(precision)))
    except JudgementError:
        return None


def _export(kind: str) -> Iterator[str]:
    from lablr.annotation.export import export_text

    texts = export_text(judging().database, kind)
    while chunk := "".join(islice(texts, CHUNK_LINES)):
        yield chunk
