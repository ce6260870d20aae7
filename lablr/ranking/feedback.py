"""A person's feedback on one photo's suggestions: decided tags, and the reach."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lablr.errors import CorpusError
from lablr.tags import normalize


@dataclass(frozen=True)
class Feedback:
    """Decided tags and the reach to rank by.

    Parameters
    ----------
    accepted : tags that the photo gets, suggested or typed by the person.
    rejected : suggested tags that it does not get.
    reach : 0 ranks by how well tags fit, 1 also by how much they are seen.

    Tags may be written in any way; a text that is no tag is left out. Raises
    `ValueError` for a tag that is both, or a reach beyond 0 to 1.
    """

    accepted: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    reach: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "accepted", _normal(self.accepted))
        object.__setattr__(self, "rejected", _normal(self.rejected))
        if both := set(self.accepted) & set(self.rejected):
            raise ValueError(
                f"{', '.join(sorted(both))}: both accepted and rejected; choose one"
            )
        if not 0 <= self.reach <= 1:
            raise ValueError(f"reach is a number from 0 to 1, not {self.reach}")

    @property
    def decided(self) -> tuple[str, ...]:
        """Return accepted and rejected tags."""
        return self.accepted + self.rejected

    def __bool__(self) -> bool:
        return bool(self.decided or self.reach)

    def to_dict(self) -> dict[str, Any]:
        """Return what was said, for JSON: nothing of what was not."""
        said = {
            "accepted": list(self.accepted),
            "rejected": list(self.rejected),
            "reach": self.reach,
        }
        return {name: value for name, value in said.items() if value}


def _normal(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags in normal form, each once, in their order."""
    found: dict[str, None] = {}
    for tag in tags:
        try:
            found[normalize(tag)] = None
        except CorpusError:
            continue
    return tuple(found)
