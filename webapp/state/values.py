"""Kinds of values that come as text: settings of the server, parameters of a request.

A kind reads a text, says to people what it must be, and says the same to programs as a
JSON Schema, so that what is checked and what is documented cannot differ. A class of
such values is a frozen dataclass whose fields `value` makes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

__all__ = ["BadValue", "Kind", "Schema", "number", "one_of", "text", "value", "whole"]

Schema = dict[str, Any]
T = TypeVar("T")

DECIMAL = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
MAX_SHOWN = 40  # characters of a bad value that a message repeats


class BadValue(ValueError):
    """A text that is not of its kind; the message, if any, says more than its form."""


@dataclass(frozen=True)
class Kind(Generic[T]):
    """A kind of value.

    parse : text -> value; raises `ValueError` for a text of another kind.
    form : what such a text is, in words that go on from "must be".
    schema : the same as a JSON Schema.
    """

    parse: Callable[[str], T]
    form: str
    schema: Schema

    def read(self, name: str, given: str, is_secret: bool = False) -> T:
        """Return the value; raises `BadValue`, which names what is wrong with it."""
        try:
            return self.parse(given)
        except BadValue as error:
            raise BadValue(f"{name}: {error}") from None
        except ValueError:
            shown = given if len(given) <= MAX_SHOWN else given[:MAX_SHOWN] + "…"
            found = "what it is" if is_secret else repr(shown)
            raise BadValue(f"{name} must be {self.form}, not {found}") from None


def value(kind: object, default: T, is_secret: bool = False, **about: object) -> T:
    """Return the field of a dataclass whose value is of a kind.

    about : whatever else the class wants to know of it.
    """
    metadata = {"kind": kind, "is_secret": is_secret, **about}
    made: T = field(default=default, repr=not is_secret, metadata=metadata)
    return made


# --------------------------------------------------------------------------- kinds


def text(form: str) -> Kind[str]:
    """Return the kind of any text."""
    return Kind(str, form, {"type": "string"})


def whole(low: int, high: int, form: str = "a whole number") -> Kind[int]:
    """Return the kind of whole numbers from `low` to `high`."""

    def parse(given: str) -> int:
        # not int() alone: it takes "1_0", "+5" and, slowly, five thousand digits
        is_short = len(given) <= len(str(high))
        if not (is_short and given.isascii() and given.isdigit()):
            raise ValueError
        return _within(int(given), low, high)

    schema = {"type": "integer", "minimum": low, "maximum": high}
    return Kind(parse, f"{form} from {low} to {high}", schema)


def number(low: float, high: float, form: str = "a number") -> Kind[float]:
    """Return the kind of decimal numbers from `low` to `high`."""

    def parse(given: str) -> float:
        # not float() alone: it takes " 0_1 " and other people's digits
        found = float(given) if DECIMAL.fullmatch(given) else math.nan
        return _within(found, low, high)

    schema = {"type": "number", "minimum": low, "maximum": high}
    return Kind(parse, f"{form} from {low:g} to {high:g}", schema)


def one_of(choices: Sequence[str]) -> Kind[str]:
    """Return the kind of a choice among some words."""

    def parse(given: str) -> str:
        if given not in choices:
            raise ValueError
        return given

    schema = {"type": "string", "enum": list(choices)}
    return Kind(parse, f"one of {', '.join(choices)}", schema)


N = TypeVar("N", int, float)


def _within(found: N, low: float, high: float) -> N:
    if not low <= found <= high:  # NaN is within nothing
        raise ValueError
    return found
