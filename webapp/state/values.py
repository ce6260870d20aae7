"""Kinds of values that come as text: settings of the server, parameters of a request.

A kind reads a text, and says what it must be to people in words and to programs as a
JSON Schema, so that what is checked and what is documented cannot differ.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Schema = dict[str, Any]
T = TypeVar("T")

DECIMAL = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Kind(Generic[T]):
    """A kind of value.

    parse : text -> value. Raises `ValueError` for a text of another kind; its message,
        if any, is more precise than `form`.
    form : what such a text is, in words that go on from "must be".
    schema : the same as a JSON Schema.
    """

    parse: Callable[[str], T]
    form: str
    schema: Schema = field(default_factory=dict)

    def read(self, name: str, text: str, found: str = "") -> T:
        """Return the value; raises `ValueError` with its name, form and what was found.

        A message that goes into an answer repeats nothing of the text.
        """
        try:
            return self.parse(text)
        except ValueError as error:
            said = f": {error}" if error.args else f" must be {self.form}{found}"
            raise ValueError(name + said) from None


def value(
    default: T, kind: object, description: str, is_secret: bool = False, **about: Any
) -> T:
    """Return the field of a dataclass for a value of a kind; `about` goes with it."""
    about |= {"kind": kind, "description": description, "is_secret": is_secret}
    made: T = field(default=default, repr=not is_secret, metadata=about)
    return made


def whole(low: int, high: int, form: str = "a whole number") -> Kind[int]:
    """Return the kind of whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        # not int() alone: it takes "1_0", "+5" and, slowly, five thousand digits
        is_plain = text.isascii() and text.isdigit() and len(text) <= len(str(high))
        if not (is_plain and low <= int(text) <= high):
            raise ValueError
        return int(text)

    schema = {"type": "integer", "minimum": low, "maximum": high}
    return Kind(parse, f"{form} from {low} to {high}", schema)


def number(low: float, high: float, form: str = "a number") -> Kind[float]:
    """Return the kind of decimal numbers from `low` to `high`."""

    def parse(text: str) -> float:
        # not float() alone: it takes " 0_1 " and other people's digits
        found = float(text) if DECIMAL.fullmatch(text) else math.nan
        if not low <= found <= high:
            raise ValueError
        return found

    schema = {"type": "number", "minimum": low, "maximum": high}
    return Kind(parse, f"{form} from {low:g} to {high:g}", schema)


def one_of(choices: Sequence[str]) -> Kind[str]:
    """Return the kind of a choice among some words."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError
        return text

    schema = {"type": "string", "enum": list(choices)}
    return Kind(parse, f"one of {', '.join(choices)}", schema)
