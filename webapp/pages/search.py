"""Finding the photos of a folder, where the server was given an index of it."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, abort, current_app, render_template
from flask import request as asked

from lablr.errors import IndexFolderError, MissingExtra, RankingError, TextError
from lablr.search import FeatureExtractor, Index, Match, Query, Search
from webapp.http.errors import Refused
from webapp.http.metrics import stage
from webapp.http.sent_photos import send_photo
from webapp.http.uploads import uploaded_photo
from webapp.model import tagger

__all__ = ["init_app", "query_of"]

blueprint = Blueprint("search", __name__)

N_FOUND = 48
THUMBNAIL_PX = 480
MAX_CHARACTERS = 400
MAX_NUMBER = 2**31 - 1


class Folder:
    """An index that is read again when it, or the model, has changed."""

    def __init__(self, folder: str | None) -> None:
        self._folder = None if folder is None else Path(folder)
        self._lock = threading.Lock()
        self._seen: tuple[object, ...] = ()
        self._search: Search | None = None

    @property
    def is_on(self) -> bool:
        """Whether the server was given an index."""
        return self._folder is not None

    def search(self) -> Search:
        """The search over what the folder holds now.

        Raises `IndexFolderError` when it holds no index of the model that is served.
        """
        if self._folder is None:
            raise IndexFolderError("This server was started without an index.")
        model = tagger()
        with self._lock:
            seen = (_stamp(self._folder / "index.json"), model.bundle_digest)
            if self._search is None or seen != self._seen:
                self._search = Search(Index.read(self._folder), FeatureExtractor(model))
                self._seen = seen
            return self._search


def init_app(app: Flask) -> None:
    """Add the page; an index is read when it is first asked for."""
    settings = app.extensions["lablr.settings"]
    app.extensions["lablr.search"] = Folder(settings.index)
    app.register_blueprint(blueprint)
    app.add_template_global(_state, "searching")


@blueprint.get("/search")
def show() -> str:
    """The form, and what is found for the words in the address."""
    words = asked.args.get("q", "")
    return _page(query_of(words)) if words.strip() else render_template("search.html")


@blueprint.post("/search")
def create_search() -> str:
    """What is found for the photo of the form, with and without its words."""
    words = query_of(asked.form.get("q", ""))
    with current_app.extensions["lablr.admission"].admit():
        return _page(Query(uploaded_photo(), words.plus, words.minus))


@blueprint.get(f"/search/photos/<int(max={MAX_NUMBER}):row>")
def photo(row: int) -> Response:
    """A photo that was found, small."""
    search = _searched()
    if row >= len(search.index):
        abort(404)
    return send_photo(search.path(row), THUMBNAIL_PX)


def query_of(words: str) -> Query:
    """Terms between commas; one that begins with a minus should not fit.

    Raises `Refused` (400) for words that are too many.
    """
    if len(words) > MAX_CHARACTERS:
        raise Refused("bad_query", f"Give at most {MAX_CHARACTERS} characters.")
    terms = [term.strip() for term in words.split(",") if term.strip("- ")]
    plus = tuple(term for term in terms if not term.startswith("-"))
    minus = tuple(t.lstrip("- ") for t in terms if t.startswith("-"))
    return Query(None, plus, minus)


def _page(query: Query) -> str:
    search = _searched()
    begin = time.perf_counter()
    try:
        with stage("search"):
            found: list[Match] = search.find(query, N_FOUND)
    except (RankingError, MissingExtra, TextError, ValueError) as error:
        raise Refused("bad_query", _sentence(str(error))) from None
    seconds = time.perf_counter() - begin
    return render_template("search.html", found=found, ms=1000 * seconds)


def _searched() -> Search:
    folder: Folder = current_app.extensions["lablr.search"]
    try:
        return folder.search()
    except IndexFolderError as error:
        # without the folder: what the web shows holds no path
        current_app.logger.warning("%s", error)
        raise Refused("no_index", "There is no index of this model.", 503) from None


def _state() -> dict[str, Any]:
    """What the template says of the index: whether there is one, and its size."""
    folder: Folder = current_app.extensions["lablr.search"]
    try:
        search = folder.search()
    except IndexFolderError:
        return {"on": folder.is_on, "n_photos": 0}
    words = search.extractor.semantic is not None
    return {"on": True, "n_photos": len(search.index), "words": words}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
