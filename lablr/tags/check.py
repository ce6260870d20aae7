"""The effect of a vocabulary file on a model's tags, for the person who wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lablr.tags.hygiene import Hygiene
from lablr.tags.vocabulary import Vocabulary

__all__ = ["Check", "check_vocabulary"]


@dataclass(frozen=True)
class Check:
    """Counts of a file's entries, and what its writer may not have meant.

    entries : how many there are.
    known : entries that change or block a tag that the model suggests.
    never, always : entries of that use.
    languages : the languages of its own, sorted.
    notes : sentences, each naming file and line.
    """

    entries: int
    known: int
    never: int
    always: int
    languages: tuple[str, ...]
    notes: tuple[str, ...]


def check_vocabulary(vocabulary: Vocabulary, tags: Sequence[str]) -> Check:
    """Hold a vocabulary against the tags that a model suggests."""
    entries = vocabulary.entries
    model = frozenset(tags)
    uses = [entry.use for entry in entries]
    return Check(
        entries=len(entries),
        known=sum(not model.isdisjoint(entry.words) for entry in entries),
        never=uses.count("never"),
        always=uses.count("always"),
        languages=tuple(sorted({name for e in entries for name in e.translations})),
        notes=tuple(_notes(vocabulary, tags)),
    )


def _notes(vocabulary: Vocabulary, tags: Sequence[str]) -> Iterator[str]:
    """Tell of entries that have no effect, though a near word would have one."""
    model = frozenset(tags)
    hygiene = Hygiene.of(tags)
    for entry in vocabulary.entries:
        if not model.isdisjoint(entry.words):
            continue
        near = hygiene.clean(entry.tag).tag
        if near in model:
            yield (
                f"{entry.place}: the model's word for {entry.tag!r} is {near!r}; add it"
                " as a synonym to have this entry apply to it"
            )
        elif entry.use == "never":
            yield f"{entry.place}: {entry.tag!r} is never suggested by this model"
