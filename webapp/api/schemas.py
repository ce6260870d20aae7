"""The API's answers as JSON Schemas: the components of the OpenAPI document."""

from __future__ import annotations

from lablr import Tagger
from lablr.figures.map_layout import N_MAP_TAGS
from lablr.ranking.reach import BASES
from lablr.ranking.saliency import GRID, regions
from lablr.tags.translations import LANGUAGES
from webapp.api.explanations import MAX_TAGS
from webapp.api.latents import MAX_COORDINATE
from webapp.api.suggestions import MAX_BECAUSE, MAX_EXISTING
from webapp.state.values import Schema

NUMBER: Schema = {"type": "number"}
POSITIVE: Schema = {"type": "number", "minimum": 0}
PROBABILITY: Schema = {"type": "number", "minimum": 0, "maximum": 1}
TEXT: Schema = {"type": "string"}
PERCENTILE: Schema = {"type": "number", "minimum": 0, "maximum": 100}
LANGUAGE: Schema = {"enum": list(LANGUAGES)}
FIGURE: Schema = {"type": "object", "required": ["data", "layout"]}


def shape(_open: bool = False, /, **members: Schema | str) -> Schema:
    """Return the schema of an object with just these members.

    A member is a schema or the name of one among the document's components; one whose
    name ends in an underscore is optional. _open: other members are allowed, too.
    """
    return {
        "type": "object",
        "properties": {n.removesuffix("_"): _schema(m) for n, m in members.items()},
        "required": [name for name in members if not name.endswith("_")],
        "additionalProperties": _open,
    }


def list_of(
    items: Schema | str, at_least: int = 0, at_most: int | None = None
) -> Schema:
    """Return the schema of a list; see `shape` for its items."""
    bounds = {} if at_most is None else {"maxItems": at_most}
    return {"type": "array", "items": _schema(items), "minItems": at_least, **bounds}


def or_null(schema: Schema) -> Schema:
    """Return the schema of a value that may be null."""
    return {"anyOf": [schema, {"type": "null"}]}


def base64_of(n_bytes: int) -> Schema:
    """Return the schema of the base64 of so many bytes, RFC 4648."""
    padding = -n_bytes % 3
    n_letters = (n_bytes + padding) // 3 * 4 - padding
    pattern = f"^[A-Za-z0-9+/]{{{n_letters}}}{'=' * padding}$"
    return {"type": "string", "contentEncoding": "base64", "pattern": pattern}


def ref(name: str) -> Schema:
    """Return a reference to a component of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def _schema(given: Schema | str) -> Schema:
    return ref(given) if isinstance(given, str) else given


POINT = list_of(NUMBER, 2, 2)


def components(tagger: Tagger, max_batch_photos: int) -> dict[str, Schema]:
    """Return the schemas of the answers of a server that serves `tagger`."""
    n_latent, n_tags = tagger.encoder.n_latent, len(tagger.tags)
    bound = {"minimum": -MAX_COORDINATE, "maximum": MAX_COORDINATE}
    latent = list_of({"type": "number", **bound}, n_latent, n_latent)
    features = base64_of(2 * tagger.encoder.n_features)
    sent_back = {"features": features} if tagger.encoder.n_features else {}
    failed = shape(error=shape(code=TEXT, message=TEXT))
    results: Schema = {"anyOf": [ref("Suggestion"), failed]}
    by_tag = {"type": "object", "additionalProperties": PROBABILITY}
    by_tag["required"] = list(tagger.tags)
    return {
        "Ranking": {"type": "string", "enum": list(tagger.rankings)},
        "Suggestion": _suggestion(latent, features),
        "TagScore": shape(
            tag=TEXT,
            probability=PROBABILITY,
            squared_mahalanobis=POSITIVE,
            log_likelihood_ratio=NUMBER,
            label_=TEXT,
            reach_=PROBABILITY,
        ),
        "UnlikelyTag": shape(
            written=TEXT,
            tag=TEXT,
            probability=PROBABILITY,
            percentile=PERCENTILE,
            reason=TEXT,
        ),
        "Neighbour": shape(
            similarity=NUMBER,
            tags=list_of(TEXT),
            page={"type": ["string", "null"], "format": "uri"},
        ),
        "Explanations": _explanations(),
        "Batch": shape(results=list_of(results, 1, max_batch_photos)),
        "Latent": shape(True, latent=latent, **sent_back),
        "Tags": shape(
            tags=list_of(TEXT, n_tags, n_tags),
            rankings=list_of("Ranking"),
            languages=list_of(LANGUAGE),
            bundle=TEXT,
            listens={"type": "boolean"},
            reach=or_null(shape(basis={"enum": list(BASES)}, by_tag=by_tag)),
            labels_=list_of(TEXT, n_tags, n_tags),
        ),
        "Live": shape(status={"const": "alive"}),
        "Ready": shape(status={"const": "ready"}, bundle=TEXT, last_error_=TEXT),
        "Document": {"type": "object", "required": ["openapi", "paths"]},
    }


def error_of_codes(codes: tuple[str, ...]) -> Schema:
    """Return the schema of an error with one of these codes."""
    return shape(error=shape(code={"enum": [*codes]}, message=TEXT, request_id=TEXT))


def _suggestion(latent: Schema, features: Schema) -> Schema:
    radius = {"type": "number", "exclusiveMinimum": 0}
    circle = shape(tag=TEXT, centre=POINT, radius=radius)
    return shape(
        tags=list_of("TagScore"),
        sure={"type": "boolean"},
        threshold=PROBABILITY,
        ranking="Ranking",
        map_=shape(
            position=POINT,
            explained_variance_ratio=POINT,
            circles=list_of(circle, 0, N_MAP_TAGS),
        ),
        figures_=shape(ranked_tags=FIGURE, latent_map=FIGURE, training_photos=FIGURE),
        latent_=latent,
        features_=features,
        because_=list_of("Neighbour", 0, MAX_BECAUSE),
        language_=LANGUAGE,
        accepted_=list_of(TEXT, 1),
        rejected_=list_of(TEXT, 1),
        reach_=PROBABILITY,
        unlikely_=list_of("UnlikelyTag", 0, MAX_EXISTING),
    )


def _explanations() -> Schema:
    n_photos = {"type": "integer", "minimum": 1}
    explanation = shape(
        tag=TEXT,
        squared_mahalanobis=POSITIVE,
        log_likelihood_ratio=NUMBER,
        typicality=or_null(shape(percentile=PERCENTILE, n_photos=n_photos)),
        because=list_of("Neighbour"),
        saliency_=shape(
            drops=list_of(list_of(NUMBER, GRID, GRID), GRID, GRID),
            where={"enum": [*regions(), None]},
            share=or_null(PROBABILITY),
        ),
    )
    return shape(explanations=list_of(explanation, 1, MAX_TAGS))
