"""What the OpenAPI document says of ``/api/v1/explanations``."""

from __future__ import annotations

from lablr import Tagger
from lablr.ranking.saliency import GRID, regions
from webapp.api.explanations import MAX_TAGS
from webapp.api.schemas import (
    NUMBER,
    PROBABILITY,
    TEXT,
    Schema,
    list_of,
    object_of,
    ref,
)

__all__ = ["explanations", "why_parameters"]


def why_parameters(tagger: Tagger) -> list[Schema]:
    tags = list_of({"enum": list(tagger.tags)}, 1, MAX_TAGS)
    return [
        {
            "name": "tag",
            "in": "query",
            "description": "What is to be explained; several with commas between.",
            "required": True,
            "style": "form",
            "explode": False,
            "schema": tags,
        },
        {
            "name": "saliency",
            "in": "query",
            "description": "1 adds `saliency`: where the tags were seen. It takes a "
            "second or two and counts as several photos.",
            "schema": {"type": "integer", "enum": [0, 1], "default": 0},
        },
    ]


def explanations() -> Schema:
    """The whole answer."""
    return object_of({"explanations": list_of(_explanation(), 1, MAX_TAGS)})


def _explanation() -> Schema:
    typicality = object_of(
        {
            "percentile": {"type": "number", "minimum": 0, "maximum": 100},
            "n_photos": {"type": "integer", "minimum": 1},
        }
    )
    row = list_of(NUMBER, GRID, GRID)
    saliency = object_of(
        {
            "drops": list_of(row, GRID, GRID),
            "where": {"enum": [*regions(), None]},
            "share": {"anyOf": [PROBABILITY, {"type": "null"}]},
        }
    )
    return object_of(
        {
            "tag": TEXT,
            "squared_mahalanobis": {"type": "number", "minimum": 0},
            "log_likelihood_ratio": NUMBER,
            "typicality": {"anyOf": [typicality, {"type": "null"}]},
            "because": list_of(ref("Neighbour")),
        },
        {"saliency": saliency},
    )
