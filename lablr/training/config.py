"""The base of all training configurations: bounds on their values, and JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from lablr.errors import TrainingError

__all__ = ["Config"]


@dataclass(frozen=True)
class Config:
    """Settings of which a slip of the keyboard is answered at once and in words.

    Attributes
    ----------
    ranges : least and most of the numbers, by their names.
    choices : what the words may be, by their names.

    Raises `TrainingError` naming the first value that makes no sense.
    """

    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {}
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def __post_init__(self) -> None:
        for name, (least, most) in self.ranges.items():
            value = getattr(self, name)
            if not least <= value <= most:  # NaN is in no range
                raise TrainingError(f"{name} is {value}: give {least:g} to {most:g}")
        for name, choices in self.choices.items():
            value = getattr(self, name)
            if value not in choices:
                *others, last = choices
                known = f"{', '.join(others)} or {last}" if others else last
                raise TrainingError(f"{name} is {value!r}: give {known}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for a JSON file beside the weights."""
        return dataclasses.asdict(self)
