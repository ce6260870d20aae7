"""The JSON API: a photo in, its tags out. Documented in docs/api.md."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, Response, jsonify, request

from lablr.tags.translations import LANGUAGES, translations
from webapp.api.explanations import ExplanationQuery, reasons
from webapp.api.latents import MAX_LATENT_BODY_BYTES, posted_latent
from webapp.api.openapi import document
from webapp.api.suggestions import (
    SuggestionQuery,
    TagsQuery,
    as_json,
    rank,
    refuse_lacking,
    suggest,
    suggest_each,
)
from webapp.http.access import PHOTO_COST, charge
from webapp.http.uploads import MAX_PARTS, bound_bodies, uploaded_photo, uploaded_photos
from webapp.state import state, tagger

MAX_BATCH_PHOTOS = 32
MAX_BATCH_PARTS = MAX_BATCH_PHOTOS + MAX_PARTS
MAX_BATCH_BYTES = 64 << 20

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")


def init_app(app: Flask) -> None:
    """Add the routes under ``/api/v1``."""
    bound_bodies(app, MAX_LATENT_BODY_BYTES, "/api/v1/rankings")
    bound_bodies(app, MAX_BATCH_BYTES, "/api/v1/suggestions/batch")
    app.register_blueprint(blueprint)


@blueprint.post("/suggestions")
def create_suggestion() -> Response:
    """Suggest tags for the photo in the multipart field ``photo``."""
    asked = SuggestionQuery.read(request.args)
    return jsonify(as_json(suggest(uploaded_photo(), asked), asked))


@blueprint.post("/suggestions/batch")
def create_batch() -> Response:
    """Suggest tags for each photo of the multipart field ``photo``, in order."""
    asked = SuggestionQuery.read(request.args)
    request.max_form_parts = MAX_BATCH_PARTS
    photos = uploaded_photos(at_most=MAX_BATCH_PHOTOS)
    charge(PHOTO_COST * (len(photos) - 1), read=True)
    return jsonify(results=suggest_each(photos, asked))


@blueprint.post("/explanations")
def create_explanation() -> Response:
    """Explain why the photo got some tags, or did not."""
    asked = ExplanationQuery.read(request.args)
    return jsonify(explanations=reasons(uploaded_photo(), asked))


@blueprint.post("/rankings")
def create_ranking() -> Response:
    """Rank the tags for the latent of an earlier answer; the photo is not needed."""
    asked = SuggestionQuery.read(request.args)
    described = posted_latent(tagger().encoder)
    refuse_lacking(described, asked.ranking)
    return jsonify(as_json(rank(described, asked), asked))


@blueprint.get("/openapi.json")
def describe() -> Response:
    """Show the OpenAPI document of this server."""
    token = state().settings.api_token
    return jsonify(document(tagger(), MAX_BATCH_PHOTOS, token is not None))


@blueprint.get("/tags")
def list_tags() -> Response:
    """List every tag of the model and, with a language, its name in it."""
    tags, reach = tagger().tags, tagger().reach
    language = TagsQuery.read(request.args).language
    answer: dict[str, Any] = {
        "tags": list(tags),
        "rankings": list(tagger().rankings),
        "languages": list(LANGUAGES),
        "bundle": tagger().bundle_digest,
        "listens": tagger().coupling is not None,
        "reach": None,
    }
    if reach is not None:
        by_tag = dict(zip(reach.tags, reach.values.tolist(), strict=True))
        answer["reach"] = {"basis": reach.basis, "by_tag": by_tag}
    if language:
        names = translations(language)
        answer["labels"] = [names.get(tag, tag) for tag in tags]
    return jsonify(answer)
