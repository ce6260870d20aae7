"""Parameters of requests: one class for each query, which reads it and documents it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, ClassVar, TypeVar

from lablr import Tagger
from webapp.http.errors import Refused
from webapp.state import tagger
from webapp.state.values import Kind, Schema

P = TypeVar("P", bound="Parameters")

MAX_NUMBER = 2**31 - 1  # of photos, in addresses and in queries


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError
    return text == "1"


FLAG = Kind(_flag, "0 or 1", {"type": "integer", "enum": [0, 1]})


class Parameters:
    """The parameters of a query or a form; subclasses are frozen dataclasses.

    Their fields are made by `value`; the kind of one may be a function of the model. A
    request must bring what is ``required=True``; the document leaves out what is not
    ``used_by`` the model. Other names in a query are ignored, and so is all but the
    first of several values.
    """

    code: ClassVar = "bad_parameter"

    @classmethod
    def read(cls: type[P], given: Mapping[str, str]) -> P:
        """Read the parameters; raises `Refused` (400), which names the bad one."""
        found = {}
        for one in fields(cls):  # type: ignore[arg-type]
            text = given.get(one.name, "" if one.metadata.get("required") else None)
            if text is not None:
                kind = _kind_of(one.metadata["kind"], tagger)
                try:
                    found[one.name] = kind.read(one.name, text)
                except ValueError as error:
                    raise Refused(cls.code, f"{error}.") from None
        return cls(**found)

    @classmethod
    def described(cls, model: Tagger, **other: Kind[Any]) -> list[Schema]:
        """Return the parameters as OpenAPI has them, some with other kinds."""
        described = []
        for one in fields(cls):  # type: ignore[arg-type]
            if not one.metadata.get("used_by", lambda _: True)(model):
                continue
            kind = other.get(one.name) or _kind_of(one.metadata["kind"], lambda: model)
            schema, default = dict(kind.schema), one.default
            said: Schema = {"name": one.name, "in": "query", "schema": schema}
            said["description"] = one.metadata["description"]
            if one.metadata.get("required"):
                said["required"] = True
            elif default not in (None, "", ()):
                schema["default"] = int(default) if kind is FLAG else default  # type: ignore[arg-type]
            if schema["type"] == "array":  # with commas between the items
                said |= {"style": "form", "explode": False}
            described.append(said)
        return described


def filled(form: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of a form that hold something: browsers send empty ones too."""
    return {name: text for name, text in form.items() if text}


def _kind_of(
    kind: Kind[Any] | Callable[[Tagger], Kind[Any]], model: Callable[[], Tagger]
) -> Kind[Any]:
    return kind if isinstance(kind, Kind) else kind(model())
