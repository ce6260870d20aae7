"""The API described for programs: an OpenAPI 3.1 document, made of the code's own
constants, so that it cannot say something else than the code does.
"""

from __future__ import annotations

from collections.abc import Sequence

import lablr
from lablr import Tagger
from lablr.ranking.reach import BASES
from lablr.tags import LANGUAGES
from webapp.api.latents import MAX_COORDINATE
from webapp.api.schemas import NUMBER, PROBABILITY, TEXT, Schema
from webapp.api.schemas import base64_of as _base64
from webapp.api.schemas import list_of as _list
from webapp.api.schemas import object_of as _object
from webapp.api.schemas import ref as _ref
from webapp.api.suggestions import (
    MAX_BECAUSE,
    MAX_EXISTING,
    MAX_K,
    MAX_TAGS_LENGTH,
    N_MAP_TAGS,
    WIDTHS,
)
from webapp.api.why_schemas import explanations, why_parameters
from webapp.http.access import COSTS, WANT_ROOM, WANT_TOKEN
from webapp.http.errors import CODES

__all__ = ["document"]

POINT: Schema = {"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2}
PHOTO: Schema = {"type": "string", "format": "binary"}
PHOTO_TYPES = "image/jpeg, image/png, image/webp, image/gif"


def document(tagger: Tagger, max_batch_photos: int, token_needed: bool) -> Schema:
    """The document of a server that serves `tagger`."""
    described: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "Lablr",
            "version": lablr.__version__,
            "summary": "Suggests tags for a photo, out of those used on Flickr.",
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": "/"}],
        "paths": _paths(tagger, max_batch_photos),
        "components": {"schemas": _schemas(tagger, max_batch_photos)},
    }
    if token_needed:
        bearer = {"type": "http", "scheme": "bearer"}
        described["components"]["securitySchemes"] = {"bearer": bearer}
        for operations in described["paths"].values():
            for operation in operations.values():
                if operation["operationId"] in WANT_TOKEN:
                    operation["security"] = [{"bearer": []}]
    return described


# ---------------------------------------------------------------------- operations


def _paths(tagger: Tagger, max_batch_photos: int) -> Schema:
    max_mib = tagger.limits.max_bytes >> 20
    asked = _parameters(tagger)
    many = {
        "type": "array",
        "items": PHOTO,
        "minItems": 1,
        "maxItems": max_batch_photos,
    }
    return {
        "/api/v1/suggestions": {
            "post": _operation(
                "api.create_suggestion",
                f"Suggest tags for one photo of at most {max_mib} MiB.",
                "Suggestion",
                _form(PHOTO),
                (400, 413, 415, 422),
                asked,
            )
        },
        "/api/v1/suggestions/batch": {
            "post": _operation(
                "api.create_batch",
                f"Suggest tags for up to {max_batch_photos} photos, in their order.",
                "Batch",
                _form(many),
                (400, 413),
                asked,
            )
        },
        "/api/v1/explanations": {
            "post": _operation(
                "api.create_explanation",
                "Why a photo got some tags, or did not: how typical it is, which "
                "training photos are near, where they were seen.",
                "Explanations",
                _form(PHOTO),
                (400, 413, 415, 422),
                why_parameters(tagger),
            )
        },
        "/api/v1/rankings": {
            "post": _operation(
                "api.create_ranking",
                "Rank the tags for the latent of an earlier answer.",
                "Suggestion",
                {"application/json": {"schema": _ref("Latent")}},
                (400, 413),
                [_of_a_latent(one) for one in asked],
            )
        },
        "/api/v1/tags": {
            "get": _operation(
                "api.list_tags",
                "Every tag of the model.",
                "Tags",
                refusals=(400,),
                parameters=[one for one in asked if one["name"] == "language"],
            )
        },
        "/api/v1/openapi.json": {
            "get": _operation("api.describe", "This document.", "Document")
        },
        "/livez": {"get": _operation("health.live", "The process answers.", "Live")},
        "/readyz": {"get": _operation("health.ready", "The model is served.", "Ready")},
        "/metrics": {
            "get": _operation("metrics.show", "Numbers for Prometheus.", None)
        },
    }


def _operation(
    endpoint: str,
    summary: str,
    answer: str | None,
    body: Schema | None = None,
    refusals: tuple[int, ...] = (),
    parameters: Sequence[Schema] = (),
) -> Schema:
    """One operation; what access.py may refuse it for is added by its endpoint."""
    content = (
        {"text/plain": {"schema": TEXT}}
        if answer is None
        else {"application/json": {"schema": _ref(answer)}}
    )
    refusals += (401,) * (endpoint in WANT_TOKEN)
    refusals += (429,) * (endpoint in COSTS) + (503,) * (endpoint in WANT_ROOM)
    described: Schema = {
        "operationId": endpoint,
        "summary": summary,
        "responses": {
            "200": {"description": "What was asked for.", "content": content},
            **{str(status): _refusal(status) for status in sorted(refusals)},
        },
    }
    if body is not None:
        described["requestBody"] = {"required": True, "content": body}
    if parameters:
        described["parameters"] = list(parameters)
    return described


def _form(photo: Schema) -> Schema:
    return {
        "multipart/form-data": {
            "schema": _object({"photo": photo}),
            "encoding": {"photo": {"contentType": PHOTO_TYPES}},
        }
    }


def _refusal(status: int) -> Schema:
    described: Schema = {
        "description": " or ".join(CODES[status]),
        "content": {"application/json": {"schema": _error(CODES[status])}},
    }
    if status in (429, 503):
        seconds = {"type": "integer", "minimum": 1}
        described["headers"] = {
            "Retry-After": {"description": "Seconds.", "schema": seconds}
        }
    return described


def _parameters(tagger: Tagger) -> list[Schema]:
    yes = {"type": "integer", "enum": [0, 1], "default": 0}
    about: dict[str, tuple[str, Schema]] = {
        "k": (
            "How many tags; 0 is all of them.",
            {"type": "integer", "minimum": 0, "maximum": MAX_K, "default": 10},
        ),
        "ranking": (
            "What the tags are ordered by.",
            _ref("Ranking"),
        ),
        "threshold": (
            "The probability from which `sure` is true; the model's own if left out.",
            PROBABILITY,
        ),
        "map": ("1 adds `map`: where photo and tags lie.", yes),
        "figures": (
            "Adds `figures`: the page's pictures for Plotly.",
            {"type": "string", "enum": list(WIDTHS)},
        ),
        "because": (
            "Adds `because`: so many of the training photos nearest to the photo.",
            {"type": "integer", "minimum": 0, "maximum": MAX_BECAUSE, "default": 0},
        ),
        "latent": (
            "1 adds `latent`, and `features` where methods beside the Gaussians use "
            "them, which /api/v1/rankings takes.",
            yes,
        ),
        "language": (
            "Adds `label` to each tag: what it is called in that language.",
            {"type": "string", "enum": list(LANGUAGES)},
        ),
        **_wishes(tagger),
        "existing": (
            "The photo's own tags, at most 75, with commas between them: adds "
            "`unlikely`, those that the model finds very unlikely.",
            {"type": "string", "maxLength": MAX_TAGS_LENGTH},
        ),
    }
    return [
        {"name": name, "in": "query", "description": description, "schema": schema}
        for name, (description, schema) in about.items()
    ]


def _of_a_latent(parameter: Schema) -> Schema:
    """A parameter as it is where there is no photo, only what the encoder said."""
    if parameter["name"] != "ranking":
        return parameter
    return parameter | {"schema": _ref("RankingOfLatent")}


def _wishes(tagger: Tagger) -> dict[str, tuple[str, Schema]]:
    """The parameters of what a person says: those that the model has a use for."""
    about: dict[str, tuple[str, Schema]] = {}
    tags = {"type": "string", "maxLength": MAX_TAGS_LENGTH}
    if tagger.coupling is not None:
        decided = "with commas between them; unknown ones change nothing."
        about["accepted"] = (f"Tags that the photo gets, {decided}", tags)
        about["rejected"] = (f"Tags that it does not get, {decided}", tags)
    if tagger.reach is not None:
        about["reach"] = (
            "0 ranks by how well tags fit, 1 also by how much they are seen.",
            {**PROBABILITY, "default": 0},
        )
    return about


# ------------------------------------------------------------------------- schemas


def _schemas(tagger: Tagger, max_batch_photos: int) -> Schema:
    coordinate = {
        "type": "number",
        "minimum": -MAX_COORDINATE,
        "maximum": MAX_COORDINATE,
    }
    n_latent = tagger.encoder.n_latent
    latent = _list(coordinate, n_latent, n_latent)
    features = _base64(2 * tagger.encoder.n_features)
    rankings = list(tagger.rankings)
    failed = _object({"error": _object({"code": TEXT, "message": TEXT})})
    results = {"anyOf": [_ref("Suggestion"), failed]}
    return {
        "Ranking": {"type": "string", "enum": rankings, "default": rankings[0]},
        "RankingOfLatent": {
            "type": "string",
            "enum": list(tagger.ranker.by_description),
            "default": rankings[0],
        },
        "Suggestion": _suggestion(latent, features),
        "TagScore": _object(
            {
                "tag": TEXT,
                "probability": PROBABILITY,
                "squared_mahalanobis": {"type": "number", "minimum": 0},
                "log_likelihood_ratio": NUMBER,
            },
            {"label": TEXT, "reach": PROBABILITY},
        ),
        "UnlikelyTag": _object(
            {
                "written": TEXT,
                "tag": TEXT,
                "probability": PROBABILITY,
                "percentile": {"type": "number", "minimum": 0, "maximum": 100},
                "reason": TEXT,
            }
        ),
        "Neighbour": _object(
            {
                "similarity": {"type": "number"},
                "tags": _list(TEXT),
                "page": {"type": ["string", "null"], "format": "uri"},
            }
        ),
        "Explanations": explanations(),
        "Map": _map(),
        "Batch": _object({"results": _list(results, 1, max_batch_photos)}),
        "Latent": {
            **_object(
                {"latent": latent}
                | ({"features": features} if tagger.encoder.n_features else {})
            ),
            "additionalProperties": True,
        },
        "Tags": _object(
            {
                "tags": _list(TEXT, len(tagger.tags), len(tagger.tags)),
                "rankings": _list(_ref("Ranking")),
                "languages": _list({"enum": list(LANGUAGES)}),
                "bundle": TEXT,
                "listens": {"type": "boolean"},
                "reach": {"anyOf": [{"type": "null"}, _reach(tagger)]},
            },
            {"labels": _list(TEXT, len(tagger.tags), len(tagger.tags))},
        ),
        "Live": _object({"status": {"const": "alive"}}),
        "Ready": _object(
            {"status": {"const": "ready"}, "bundle": TEXT}, {"last_error": TEXT}
        ),
        "Document": {"type": "object", "required": ["openapi", "paths"]},
    }


def _suggestion(latent: Schema, features: Schema) -> Schema:
    figure = {"type": "object", "required": ["data", "layout"]}
    return _object(
        {
            "tags": _list(_ref("TagScore")),
            "sure": {"type": "boolean"},
            "threshold": PROBABILITY,
            "ranking": _ref("Ranking"),
        },
        {
            "map": _ref("Map"),
            "figures": _object(
                dict.fromkeys(("ranked_tags", "latent_map", "training_photos"), figure)
            ),
            "latent": latent,
            "features": features,
            "because": _list(_ref("Neighbour"), 0, MAX_BECAUSE),
            "language": {"enum": list(LANGUAGES)},
            "accepted": _list(TEXT, 1),
            "rejected": _list(TEXT, 1),
            "reach": PROBABILITY,
            "unlikely": _list(_ref("UnlikelyTag"), 0, MAX_EXISTING),
        },
    )


def _reach(tagger: Tagger) -> Schema:
    by_tag = {"type": "object", "additionalProperties": PROBABILITY}
    by_tag["required"] = list(tagger.tags)
    return _object({"basis": {"enum": list(BASES)}, "by_tag": by_tag})


def _map() -> Schema:
    radius = {"type": "number", "exclusiveMinimum": 0}
    circle = _object({"tag": TEXT, "centre": POINT, "radius": radius})
    return _object(
        {
            "position": POINT,
            "explained_variance_ratio": POINT,
            "circles": _list(circle, 0, N_MAP_TAGS),
        }
    )


def _error(codes: tuple[str, ...]) -> Schema:
    details = {"code": {"enum": list(codes)}, "message": TEXT, "request_id": TEXT}
    return _object({"error": _object(details)})
