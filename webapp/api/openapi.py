"""The API described for programs: an OpenAPI 3.1 document.

Its parameters are those that the views read, its refusals those of the gate before
them, so that it cannot differ from what the server does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import current_app

import lablr
from lablr import Tagger
from webapp.api.explanations import ExplanationQuery
from webapp.api.schemas import TEXT, components, error_of_codes, list_of, ref, shape
from webapp.api.suggestions import SuggestionQuery, TagsQuery
from webapp.http.access import COSTS, WANT_ROOM, WANT_TOKEN
from webapp.http.errors import CODES
from webapp.state.values import Schema, one_of

PHOTO: Schema = {"type": "string", "format": "binary"}
PHOTO_TYPES = "image/jpeg, image/png, image/webp, image/gif"
OF_A_PHOTO = (400, 413, 415, 422)


@dataclass(frozen=True)
class Operation:
    """One operation; `refusals` are its view's own, the gate's come on top."""

    endpoint: str
    summary: str
    answer: str | None  # None: text
    refusals: tuple[int, ...] = ()
    parameters: Sequence[Schema] = ()
    body: Schema | None = None

    def described(self, token_needed: bool) -> Schema:
        """Return the operation as OpenAPI has it."""
        kind = "text/plain" if self.answer is None else "application/json"
        answer = TEXT if self.answer is None else ref(self.answer)
        refusals = {*self.refusals}
        refusals |= {401} if self.endpoint in WANT_TOKEN else set()
        refusals |= {429} if self.endpoint in COSTS else set()
        refusals |= {503} if self.endpoint in WANT_ROOM else set()
        described: Schema = {
            "operationId": self.endpoint,
            "summary": self.summary,
            "responses": {
                "200": {
                    "description": "What was asked for.",
                    "content": {kind: {"schema": answer}},
                },
                **{str(status): _refusal(status) for status in sorted(refusals)},
            },
        }
        if self.body is not None:
            described["requestBody"] = {"required": True, "content": self.body}
        if token_needed and self.endpoint in WANT_TOKEN:
            described["security"] = [{"bearer": []}]
        if self.parameters:
            described["parameters"] = list(self.parameters)
        return described


def document(tagger: Tagger, max_batch_photos: int, token_needed: bool) -> Schema:
    """Return the document of a server that serves `tagger`."""
    paths: Schema = {}
    for one in _operations(tagger, max_batch_photos):
        (rule,) = current_app.url_map.iter_rules(one.endpoint)
        (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        paths[rule.rule] = {method.lower(): one.described(token_needed)}
    described: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "Lablr",
            "version": lablr.__version__,
            "summary": "Suggests tags for a photo, out of those used on Flickr.",
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components(tagger, max_batch_photos)},
    }
    if token_needed:
        bearer = {"type": "http", "scheme": "bearer"}
        described["components"]["securitySchemes"] = {"bearer": bearer}
    return described


def _operations(tagger: Tagger, max_batch_photos: int) -> list[Operation]:
    max_mib = tagger.limits.max_bytes >> 20
    asked = SuggestionQuery.described(tagger)
    of_a_latent = one_of(tagger.ranker.by_description)
    return [
        Operation(
            "api.create_suggestion",
            f"Suggest tags for one photo of at most {max_mib} MiB.",
            "Suggestion",
            OF_A_PHOTO,
            asked,
            _form(PHOTO),
        ),
        Operation(
            "api.create_batch",
            f"Suggest tags for up to {max_batch_photos} photos, in their order.",
            "Batch",
            (400, 413),
            asked,
            _form(list_of(PHOTO, 1, max_batch_photos)),
        ),
        Operation(
            "api.create_explanation",
            "Explain why a photo got some tags, or did not: how typical it is, which "
            "training photos are near, where they were seen.",
            "Explanations",
            OF_A_PHOTO,
            ExplanationQuery.described(tagger),
            _form(PHOTO),
        ),
        Operation(
            "api.create_ranking",
            "Rank the tags for the latent of an earlier answer.",
            "Suggestion",
            (400, 413),
            SuggestionQuery.described(tagger, ranking=of_a_latent),
            {"application/json": {"schema": ref("Latent")}},
        ),
        Operation(
            "api.list_tags",
            "List every tag of the model.",
            "Tags",
            (400,),
            TagsQuery.described(tagger),
        ),
        Operation("api.describe", "Show this document.", "Document"),
        Operation("health.live", "Answer while the process lives.", "Live"),
        Operation("health.ready", "Answer once the model is served.", "Ready"),
        Operation("metrics.show", "Show the metrics for Prometheus.", None),
    ]


def _form(photo: Schema) -> Schema:
    return {
        "multipart/form-data": {
            "schema": shape(photo=photo),
            "encoding": {"photo": {"contentType": PHOTO_TYPES}},
        }
    }


def _refusal(status: int) -> Schema:
    described: Schema = {
        "description": " or ".join(CODES[status]),
        "content": {"application/json": {"schema": error_of_codes(CODES[status])}},
    }
    if status in (429, 503):
        seconds = {"type": "integer", "minimum": 1}
        described["headers"] = {
            "Retry-After": {"description": "Seconds.", "schema": seconds}
        }
    return described
