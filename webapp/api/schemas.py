"""The pieces that JSON Schemas of the API are made of."""

from __future__ import annotations

from typing import Any

__all__ = [
    "NUMBER",
    "PROBABILITY",
    "TEXT",
    "Schema",
    "base64_of",
    "list_of",
    "object_of",
    "ref",
]

Schema = dict[str, Any]

NUMBER: Schema = {"type": "number"}
TEXT: Schema = {"type": "string"}
PROBABILITY: Schema = {"type": "number", "minimum": 0, "maximum": 1}


def object_of(required: Schema, optional: Schema | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def base64_of(n_bytes: int) -> Schema:
    """The base64 of so many bytes, RFC 4648."""
    padding = -n_bytes % 3
    n_letters = (n_bytes + padding) // 3 * 4 - padding
    pattern = f"^[A-Za-z0-9+/]{{{n_letters}}}{'=' * padding}$"
    return {"type": "string", "contentEncoding": "base64", "pattern": pattern}


def list_of(items: Schema, at_least: int = 0, at_most: int | None = None) -> Schema:
    bounds = {} if at_most is None else {"maxItems": at_most}
    return {"type": "array", "items": items, "minItems": at_least, **bounds}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
