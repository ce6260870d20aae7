"""Parameters of requests: one class for each query, which reads it and documents it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, ClassVar, TypeVar

from lablr import Tagger
from webapp.http.errors import Refused
from webapp.state import tagger
from webapp.state.values import BadValue, Kind, Schema, value

__all__ = ["FLAG", "MAX_NUMBER", "Parameters", "filled", "parameter"]

T = TypeVar("T")
P = TypeVar("P", bound="Parameters")

MAX_NUMBER = 2**31 - 1  # of photos, in addresses and in queries


def _flag(given: str) -> bool:
    if given not in ("0", "1"):
        raise ValueError
    return given == "1"


FLAG = Kind(_flag, "0 or 1", {"type": "integer", "enum": [0, 1]})


def parameter(
    description: str,
    kind: Kind[Any] | Callable[[Tagger], Kind[Any]],
    default: T,
    *,
    required: bool = False,
    described_if: Callable[[Tagger], bool] = lambda _: True,
) -> T:
    """Return the field of a `Parameters`.

    description : for programs, in the OpenAPI document.
    kind : of its values, which may depend on the model that is served.
    default : its value where the request leaves it out.
    required : a request must bring it; `default` is of use to Python only.
    described_if : whether a model has a use for it; the document leaves it out else.
    """
    return value(
        kind,
        default,
        description=description,
        required=required,
        described_if=described_if,
    )


class Parameters:
    """The parameters of a query or a form; subclasses are frozen dataclasses.

    A name that is no parameter is ignored, and so is all but the first of several
    values.
    """

    code: ClassVar = "bad_parameter"

    @classmethod
    def read(cls: type[P], given: Mapping[str, str]) -> P:
        """Read the parameters; raises `Refused` (400), which names the bad one."""
        found = {}
        for one in fields(cls):  # type: ignore[arg-type]
            text = given.get(one.name, "" if one.metadata["required"] else None)
            if text is not None:
                kind = _kind_of(one.metadata["kind"], tagger)
                try:
                    found[one.name] = kind.read(one.name, text)
                except BadValue as error:
                    raise Refused(cls.code, f"{error}.") from None
        return cls(**found)

    @classmethod
    def described(cls, model: Tagger, **other: Kind[Any]) -> list[Schema]:
        """Return the parameters as OpenAPI has them, for a model.

        other : kinds that take the place of a parameter's own.
        """
        described = []
        for one in fields(cls):  # type: ignore[arg-type]
            if not one.metadata["described_if"](model):
                continue
            kind = other.get(one.name, _kind_of(one.metadata["kind"], lambda: model))
            schema = dict(kind.schema)
            about: Schema = {"name": one.name, "in": "query"}
            about["description"] = one.metadata["description"]
            if one.metadata["required"]:
                about["required"] = True
            elif one.default not in (None, "", ()):
                default: Any = one.default
                schema["default"] = int(default) if kind is FLAG else default
            if schema.get("type") == "array":  # with commas between the items
                about |= {"style": "form", "explode": False}
            described.append({**about, "schema": schema})
        return described


def filled(form: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of a form that hold something: browsers send empty ones too."""
    return {name: text for name, text in form.items() if text}


def _kind_of(
    kind: Kind[Any] | Callable[[Tagger], Kind[Any]], model: Callable[[], Tagger]
) -> Kind[Any]:
    return kind if isinstance(kind, Kind) else kind(model())
