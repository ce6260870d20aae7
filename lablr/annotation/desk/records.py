"""The plain values that the desk stores and returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lablr.annotation.desk.files import Stamp
from lablr.errors import DeskError
from lablr.metadata.keywords import same

Latent = npt.NDArray[np.float32]


@dataclass(frozen=True)
class EncodedFile:
    """The latent (d,) of a file by a model, or why it has none: code and message."""

    model: str
    stamp: Stamp
    latent: Latent | None = None
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class TagInFile:
    """A tag in a photo, or in the sidecar beside it, while that file has the stamp."""

    tag: str
    beside: bool
    stamp: Stamp


@dataclass(frozen=True)
class TagDecisions:
    """The decisions of one step: tags by their marks (`MARKS`).

    Raises `DeskError` when a tag is in two of them, or in none.
    """

    tags: Mapping[str, Sequence[str]]

    def __post_init__(self) -> None:
        every = [same(tag) for tags in self.tags.values() for tag in {*map(same, tags)}]
        if not every:
            raise DeskError("no_tag", "A step needs a tag.")
        if len(every) != len({*every}):
            raise DeskError("contradiction", "A step decides one tag in two ways.")


@dataclass
class PhotoState:
    """Everything stored about a photo; ``marks`` by `same`, each a tag and its mark."""

    marks: dict[str, tuple[str, str]] = field(default_factory=dict)
    encoded: EncodedFile | None = None
    written: list[TagInFile] = field(default_factory=list)

    def tags(self, mark: str) -> list[str]:
        """Return the tags of a mark, in the order of the decisions."""
        return [tag for tag, own in self.marks.values() if own == mark]

    def mark(self, tag: str, mark: str) -> None:
        """Give a tag a mark in place of the one it had."""
        self.marks.pop(same(tag), None)
        if mark != "cleared":
            self.marks[same(tag)] = tag, mark

    def changes(self, decisions: TagDecisions) -> list[tuple[str, str]]:
        """Return the pairs of tag and mark that a step would change.

        A tag that the photo has keeps its origin, accepted or typed.
        """
        return [
            (self.marks.get(same(tag), (tag,))[0] if mark == "cleared" else tag, mark)
            for mark, tags in decisions.tags.items()
            for tag in {same(tag): tag for tag in tags}.values()
            if self._differs(tag, mark)
        ]

    def _differs(self, tag: str, mark: str) -> bool:
        _, now = self.marks.get(same(tag), (tag, "cleared"))
        has_tag = ("accepted", "typed")
        return now != mark and not (now in has_tag and mark in has_tag)
