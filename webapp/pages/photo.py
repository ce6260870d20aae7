"""The photo's page, and the page about the model."""

from __future__ import annotations

from functools import lru_cache

from flask import Blueprint, Flask, render_template, request
from markupsafe import Markup

from lablr.figures.charts import PALETTE
from lablr.figures.map_layout import percent
from lablr.figures.map_svg import NARROW, WIDE, map_svg
from lablr.tags.translations import LANGUAGES
from webapp.api.suggestions import SuggestionQuery, shown, suggest, unlikely
from webapp.http.metrics import stage
from webapp.http.uploads import uploaded_photo
from webapp.pages import samples
from webapp.state import tagger

blueprint = Blueprint("pages", __name__)

FIELDS = {"language", "existing"}


def init_app(app: Flask) -> None:
    """Add the pages and what their templates need."""
    app.register_blueprint(blueprint)
    samples.init_app(app)
    app.add_template_filter(percent, "percent")
    app.add_template_global(lambda: tagger().limits.max_bytes, "max_photo_bytes")
    app.add_template_global(
        lambda: round(100 * tagger().threshold), "threshold_percent"
    )
    app.jinja_env.globals["palette"] = PALETTE
    app.jinja_env.globals["languages"] = LANGUAGES


@blueprint.get("/")
def index() -> str:
    """Show the empty page."""
    return render_template("photo.html")


@blueprint.post("/")
def create_suggestion() -> str:
    """Show the page with its result, for a browser without JavaScript.

    With JavaScript the page asks the API and never comes here.
    """
    photo = uploaded_photo()
    form = request.form
    asked = SuggestionQuery.read({name: form[name] for name in FIELDS & form.keys()})
    suggestion = suggest(photo, asked)
    with stage("draw"):
        plane, tags, maps = tagger().latent_map, tagger().tags, {}
        for sheet in (WIDE, NARROW):
            svg = map_svg(plane, tags, suggestion, sheet, labels=asked.labels)
            maps[f"map_{sheet.name}"] = Markup(svg)  # noqa: S704  # names are escaped
    return render_template(
        "photo.html",
        suggestion=shown(suggestion, asked.k),
        language=asked.language,
        labels=asked.labels,
        existing=asked.existing or (),
        unlikely=unlikely(suggestion, asked),
        **maps,
    )


@blueprint.get("/about")
def about() -> str:
    """Show the model card of the bundle."""
    return render_template("about.html", card=card_html(tagger().model_card))


@lru_cache(maxsize=4)
def card_html(card: str) -> Markup:
    """Return the card as HTML; raw HTML shows as text, unsafe links are dropped."""
    from markdown_it import MarkdownIt  # a tenth of a start, and for this page only

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    # wide tables and long commands scroll in boxes of their own, reachable by keyboard
    opening = '<div class="scroll" tabindex="0" role="region" aria-label="Table">'
    rendered = markdown.render(card)
    rendered = rendered.replace("<table>", opening + "<table>")
    rendered = rendered.replace("</table>", "</table></div>")
    region = '<pre tabindex="0" role="region" aria-label="Commands">'
    rendered = rendered.replace("<pre>", region)
    return Markup(rendered)  # noqa: S704  # markdown-it escapes; html is off
