"""The page that finds photos of a folder, where the server has an index of it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Flask, Response, abort, render_template
from flask import request as asked

from lablr.errors import IndexFolderError, MissingExtra, RankingError, TextError
from lablr.search.query import Match, Query, Search
from webapp.http.errors import Refused
from webapp.http.metrics import stage
from webapp.http.parameters import MAX_NUMBER, Parameters
from webapp.http.sent_photos import send_photo
from webapp.http.uploads import uploaded_photo
from webapp.state import state, tagger
from webapp.state.values import Kind, value

log = logging.getLogger("lablr.web")
blueprint = Blueprint("search", __name__)

N_FOUND = 48
THUMBNAIL_PX = 480
MAX_CHARACTERS = 400


def _short(words: str) -> str:
    if len(words) > MAX_CHARACTERS:
        raise ValueError
    return words


@dataclass(frozen=True)
class WordsQuery(Parameters):
    """The words of the form."""

    code = "bad_query"

    q: str = value(
        "",
        Kind(_short, f"at most {MAX_CHARACTERS} characters"),
        "Terms between commas; a minus before one excludes it.",
    )


def query_of(words: str) -> Query:
    """Return the query of terms between commas; a minus before one excludes it."""
    terms = [term.strip() for term in words.split(",") if term.strip("- ")]
    plus = tuple(term for term in terms if not term.startswith("-"))
    minus = tuple(t.lstrip("- ") for t in terms if t.startswith("-"))
    return Query(None, plus, minus)


def init_app(app: Flask) -> None:
    """Add the page."""
    app.register_blueprint(blueprint)
    app.add_template_global(_searching, "searching")


@blueprint.get("/search")
def show() -> str:
    """Show the form, and the photos found for the words in the address."""
    words = WordsQuery.read(asked.args).q
    return _page(query_of(words)) if words.strip() else render_template("search.html")


@blueprint.post("/search")
def create_search() -> str:
    """Show the photos found for the photo of the form and its words."""
    words = query_of(WordsQuery.read(asked.form).q)
    with state().admission.admit():
        return _page(Query(uploaded_photo(), words.plus, words.minus))


@blueprint.get(f"/search/photos/<int(max={MAX_NUMBER}):row>")
def photo(row: int) -> Response:
    """Send a photo that was found, small."""
    search = _searched()
    if row >= len(search.index):
        abort(404)
    return send_photo(search.index.path(row), THUMBNAIL_PX)


def _page(query: Query) -> str:
    search = _searched()
    begin = time.perf_counter()
    try:
        with stage("search"):
            found: list[Match] = search.find(query, N_FOUND)
    except (RankingError, MissingExtra, TextError, ValueError) as error:
        said = str(error).rstrip(".")
        raise Refused("bad_query", said[:1].upper() + said[1:] + ".") from None
    seconds = time.perf_counter() - begin
    return render_template("search.html", found=found, ms=1000 * seconds)


def _searched() -> Search:
    try:
        return state().index.search(tagger())
    except IndexFolderError as error:
        # without the folder: the web shows no path
        log.warning("%s", error)
        raise Refused("no_index", "There is no index of this model.", 503) from None


def _searching() -> dict[str, Any]:
    """Return whether there is an index, how large, and whether any word will do."""
    index = state().index
    try:
        search = index.search(tagger())
    except IndexFolderError:
        return {"on": index.is_on, "n_photos": 0}
    words = search.extractor.semantic is not None
    return {"on": True, "n_photos": len(search.index), "words": words}
