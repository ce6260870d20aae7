"""The rating page: a photo, its tags, and three keys.

With JavaScript or without, the same forms are posted to the same addresses; a script
asks for JSON that holds the next question's markup, a browser is redirected to it.
An answer is acknowledged after it is committed, never before.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import (
    Blueprint,
    Flask,
    abort,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response

from lablr.annotation.database.records import PhotoToRate
from lablr.errors import AlreadyJudged, JudgementError
from webapp.http.errors import Refused, wants_json
from webapp.http.parameters import MAX_NUMBER, Parameters, filled
from webapp.http.sent_photos import send_photo
from webapp.http.uploads import bound_bodies
from webapp.rate.sign_in import MAX_FORM_BYTES, current_rater, guard, judging
from webapp.state.values import one_of, value, whole

__all__ = ["init_app"]

MAX_K = 9  # a key for each
MAX_SIDE_PX = 1600  # of a photo
SAID = {
    "top_right": "Saved: the top tag is right.",
    "one_of_k_right": "Saved: another tag is right.",
    "none_right": "Saved: no tag is right.",
}

blueprint = Blueprint("rate", __name__, url_prefix="/rate")
guard(blueprint)


def init_app(app: Flask) -> None:
    """Add the page."""
    bound_bodies(app, MAX_FORM_BYTES, "/rate/ratings", "/rate/skips", "/rate/undo")
    app.register_blueprint(blueprint)


@dataclass(frozen=True)
class RatingQuery(Parameters):
    """The rater's wishes: the order of photos, and how many tags of each."""

    order: str = value("queue", one_of(("queue", "uncertain")), "Which first.")
    k: int = value(5, whole(1, MAX_K), "How many tags.")

    @property
    def query(self) -> dict[str, Any]:
        """The parameters that an address needs: those that are not the default."""
        return {
            name: value
            for name, value in vars(self).items()
            if value != getattr(type(self), name)
        }


@dataclass(frozen=True)
class PhotoQuery(Parameters):
    """The photo that a form, or an address, is about."""

    photo: int = value(0, whole(0, MAX_NUMBER), "Its number.", required=True)


# -------------------------------------------------------------------------- questions


@blueprint.get("")
def ask() -> str:
    """Show the photo that is next, or the one that is asked for."""
    asked = RatingQuery.read(filled(request.args))
    first = None
    if "photo" in request.args:
        number = PhotoQuery.read(request.args).photo
        first = judging().database.photo_to_rate(number, asked.k)
    return render_template("rate.html", **_state(asked, first))


def _state(asked: RatingQuery, first: PhotoToRate | None = None) -> dict[str, Any]:
    """Return the templates' context: a question, the photo after it, the progress."""
    database, rater = judging().database, current_rater()
    photos = database.next_photos(rater, 2, asked.order, asked.k)
    if first is not None:
        photos = [first, *(p for p in photos if p.photo.name != first.photo.name)]
    numbers = database.photo_numbers([one.photo.name for one in photos])
    images = [
        url_for("rate.photo", number=numbers[one.photo.name]) for one in photos[:2]
    ]
    return {
        "asked": asked,
        "rater": rater,
        "question": photos[0] if photos else None,
        "number": numbers[photos[0].photo.name] if photos else None,
        "image": images[0] if images else None,
        "ahead": images[1] if len(images) > 1 else None,
        "progress": database.progress(rater),
        "token": secrets.token_hex(16),
        "marks": {},
    }


# ----------------------------------------------------------------------------- photos


@blueprint.get(f"/photos/<int(max={MAX_NUMBER}):number>")
def photo(number: int) -> Response:
    """Send the photo, at most `MAX_SIDE_PX` wide and high."""
    found = judging().database.photo(number)
    if found is None:
        abort(404)
    return send_photo(_path(found.place), MAX_SIDE_PX)


def _path(place: str) -> Path:
    """Return the file of a place; raises `Refused` for a link or an outside file."""
    if "://" in place:
        raise Refused(
            "no_photo", "This photo is a link, and links are not opened.", 404
        )
    folder = judging().folder
    if folder is None:
        return Path(place)
    folder = folder.resolve()
    path = folder / place
    # the last name is left as it is: the door does not follow a link there
    if not (path.parent.resolve() / path.name).is_relative_to(folder):
        raise Refused("no_photo", "This photo lies outside the folder of photos.", 404)
    return path


# ---------------------------------------------------------------------------- answers


@blueprint.post("/ratings")
def create_rating() -> Response:
    """Store a verdict, and go on to the next photo."""
    form, asked = request.form, RatingQuery.read(filled(request.form))
    question = _posted_question(asked)
    verdict = form.get("verdict", "")
    try:
        judging().database.rate(
            current_rater(),
            question.photo.name,
            verdict,
            _decisions(question),
            form.get("token") or None,
            asked.k,
            question.model,
        )
    except JudgementError as error:
        return _refuse(asked, question, error)
    return _go_on(asked, SAID[verdict])


@blueprint.post("/skips")
def create_skip() -> Response:
    """Never ask this rater about a photo again."""
    asked = RatingQuery.read(filled(request.form))
    question = _posted_question(asked)
    try:
        judging().database.skip(current_rater(), question.photo.name)
    except JudgementError as error:
        return _refuse(asked, question, error)
    return _go_on(asked, "Skipped.")


@blueprint.post("/undo")
def create_undo() -> Response:
    """Take the last answer back and ask again.

    ``done`` is how many answers the page knew of: the same undo sent twice must not
    take two back.
    """
    asked = RatingQuery.read(filled(request.form))
    database, rater = judging().database, current_rater()
    progress = database.progress(rater)
    done = str(progress.n_rated + progress.n_skipped)
    if request.form.get("done", done) != done:
        return _go_on(asked, "The page was not up to date; nothing was taken back.")
    found = database.undo(rater, asked.k)
    said = "Taken back." if found else "There is nothing to take back."
    return _go_on(asked, said, found)


def _posted_question(asked: RatingQuery) -> PhotoToRate:
    number = PhotoQuery.read(request.form).photo
    model = request.form.get("model") or None
    return judging().database.photo_to_rate(number, asked.k, model)


def _decisions(question: PhotoToRate) -> dict[str, str]:
    marks = _marks(question)
    stated = {row.tag: marks[row.rank] for row in question.tags if row.rank in marks}
    typed = (tag.strip() for tag in request.form.get("typed", "").split(","))
    return {**{tag: "typed" for tag in typed if tag}, **stated}


def _marks(question: PhotoToRate) -> dict[int, str]:
    """Return the marks of single tags by rank."""
    said = {row.rank: request.form.get(f"tag-{row.rank}") for row in question.tags}
    return {rank: word for rank, word in said.items() if word}


def _go_on(asked: RatingQuery, said: str, again: PhotoToRate | None = None) -> Response:
    """Show the next question, or one again."""
    if wants_json():
        state = _state(asked, again)
        return jsonify(
            said=said,
            html=render_template("_question.html", **state),
            photo=state["number"],
            token=state["token"],
            n_judged=state["progress"].n_rated,
        )
    query = asked.query
    if again is not None:
        name = again.photo.name
        query["photo"] = judging().database.photo_numbers([name])[name]
    return redirect(url_for("rate.ask", **query), 303)


def _refuse(
    asked: RatingQuery, question: PhotoToRate, error: JudgementError
) -> Response:
    """Say why an answer was not stored; one that can be mended is shown as it was."""
    if wants_json():
        raise error
    first = None if isinstance(error, AlreadyJudged) else question
    state = _state(asked, first)
    if first is not None:
        state |= {"marks": _marks(question), "typed": request.form.get("typed", "")}
    page = render_template("rate.html", **state, error=str(error))
    return make_response(page, error.http_status)
