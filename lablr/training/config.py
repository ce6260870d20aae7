"""The base of all training configurations: bounds on their values, and JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from lablr.errors import TrainingError


def number(default: float, least: float, most: float) -> Any:
    """Declare a setting that is a number of a range."""
    return dataclasses.field(default=default, metadata={"range": (least, most)})


def word(*choices: str, default: str | None = None) -> Any:
    """Declare a setting that is one of some words, by default the first."""
    usual = default or choices[0]
    return dataclasses.field(default=usual, metadata={"choices": choices})


@dataclass(frozen=True)
class Config:
    """Settings of which a slip of the keyboard is answered at once and in words.

    Raises `TrainingError` naming the first value that makes no sense.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            name, value = field.name, getattr(self, field.name)
            if "range" in field.metadata:
                least, most = field.metadata["range"]
                if not least <= value <= most:  # NaN is in no range
                    message = f"{name} is {value}: give {least:g} to {most:g}"
                    raise TrainingError(message)
            if value not in field.metadata.get("choices", (value,)):
                *others, last = field.metadata["choices"]
                known = f"{', '.join(others)} or {last}" if others else last
                raise TrainingError(f"{name} is {value!r}: give {known}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for a JSON file beside the weights."""
        return dataclasses.asdict(self)
