"""JSON Schemas of the API's answers, written in the shape of the answers."""

from __future__ import annotations

from webapp.state.values import Schema

__all__ = [
    "NUMBER",
    "POSITIVE",
    "PROBABILITY",
    "TEXT",
    "base64_of",
    "list_of",
    "or_null",
    "ref",
    "shape",
]

NUMBER: Schema = {"type": "number"}
POSITIVE: Schema = {"type": "number", "minimum": 0}
PROBABILITY: Schema = {"type": "number", "minimum": 0, "maximum": 1}
TEXT: Schema = {"type": "string"}


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
