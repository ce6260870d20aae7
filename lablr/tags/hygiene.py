"""Clean tags: one word where people write many.

Three rules, in this order, with what they do in a model that knows ``sunset``,
``clouds``, ``child`` and ``gray``:

=========  =========================================  ==========================
rule       what it does                               examples
=========  =========================================  ==========================
spelling   case, spaces and punctuation fall away,    ``SUN SET`` is ``sunset``
           as Flickr drops them
number     singular and plural become the one that    ``sunsets`` is ``sunset``,
           is known                                   ``cloud`` is ``clouds``
synonym    words for one thing become the one that    ``grey`` is ``gray``,
           is known                                   ``kids`` is ``child``
=========  =========================================  ==========================

A word that nobody knows keeps its number: a rule that does not know English must not
make up words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from lablr.errors import CorpusError
from lablr.tags.lists import popular_tags
from lablr.tags.normal_form import normalize
from lablr.tags.plurals import other_numbers
from lablr.tags.rows import read_rows

DATA = Path(__file__).parent / "data"
SEPARATORS = re.compile(r"[,;\n،؛]")


@dataclass(frozen=True)
class WrittenTag:
    """A person's own writing, and the rules that changed it: none, or up to three."""

    text: str
    rules: tuple[str, ...]


@dataclass(frozen=True)
class CleanTag:
    """A tag, and all that was written for it, in order."""

    tag: str
    written: tuple[WrittenTag, ...]


@dataclass(frozen=True)
class CleanTags:
    """Tags in the order of their first writing; ``dropped`` held no letter or digit."""

    tags: tuple[CleanTag, ...]
    dropped: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """Return the tags alone."""
        return tuple(clean.tag for clean in self.tags)


@dataclass(frozen=True)
class Hygiene:
    """The rules, and the words they lead to.

    known : tags in normal form; of two that mean the same, the earlier is used.
    groups : words for one thing, in normal form; the first is used when none of them
        is known.
    """

    known: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, tags: Sequence[str]) -> Hygiene:
        """Return the rules for a model's tags, with the synonyms that come with Lablr.

        Where the model knows no word, Flickr's popular tags say which one to use.
        """
        return cls((*tags, *_popular()), _bundled_groups())

    @cached_property
    def _rank(self) -> dict[str, int]:
        firsts = (group[0] for group in self.groups)
        words = dict.fromkeys((*self.known, *firsts))
        return {word: rank for rank, word in enumerate(words)}

    @cached_property
    def _synonyms(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for group in self.groups:
            for word in group:
                found[word] = (*found.get(word, ()), *group)
        return found

    def synonyms_of(self, tag: str) -> tuple[str, ...]:
        """Return the words that mean a tag, without itself, as the groups have them."""
        return tuple(dict.fromkeys(w for w in self._synonyms.get(tag, ()) if w != tag))

    def clean(self, text: str) -> CleanTag:
        """Return the tag of one word; the tag of a tag is itself.

        Raises CorpusError when the word holds no letter and no digit.
        """
        tag = normalize(text)
        rules = ["spelling"] if tag != text else []
        # Each step leads to a word that comes earlier in `known`, so they end.
        while (step := self._better(tag)) is not None:
            tag, rule = step
            rules.append(rule)
        return CleanTag(tag, (WrittenTag(text, tuple(dict.fromkeys(rules))),))

    def clean_all(self, words: Iterable[str]) -> CleanTags:
        """Return the tags of many words, each once; cleaning again changes nothing.

        Two numbers of an unknown word become the one that was written first.
        """
        found: dict[str, list[WrittenTag]] = {}
        dropped = []
        for word in words:
            try:
                clean = self.clean(word)
            except CorpusError:
                dropped.append(word)
                continue
            ((written,), tag) = clean.written, clean.tag
            if tag not in found and tag not in self._rank:
                first = next((w for w in other_numbers(tag) if w in found), tag)
                if first != tag:
                    rules = (*written.rules, "number")
                    tag, written = first, WrittenTag(written.text, rules)
            found.setdefault(tag, []).append(written)
        tags = (CleanTag(tag, tuple(written)) for tag, written in found.items())
        return CleanTags(tuple(tags), tuple(dropped))

    def _better(self, tag: str) -> tuple[str, str] | None:
        """Find the earliest known word of the same meaning, with its rule."""
        best, least = None, self._rank.get(tag, len(self._rank))
        for word, rule in self._same(tag):
            if (rank := self._rank.get(word, len(self._rank))) < least:
                best, least = (word, rule), rank
        return best

    def _same(self, tag: str) -> Iterator[tuple[str, str]]:
        """Yield words of the same meaning, with the rule; plain numbers first."""
        numbers = (tag, *other_numbers(tag))
        for number in numbers:
            yield number, "number"
        for number in numbers:
            for word in self._synonyms.get(number, ()):
                for synonym in (word, *other_numbers(word)):
                    yield synonym, "synonym"


def split_words(text: str) -> list[str]:
    """Split a line at commas, semicolons or line breaks.

    >>> split_words("New York, sunsets,,SUN SET")
    ['New York', 'sunsets', 'SUN SET']
    """
    return [word.strip() for word in SEPARATORS.split(text) if word.strip()]


@cache
def _popular() -> tuple[str, ...]:
    return tuple(popular_tags())


@cache
def _bundled_groups() -> tuple[tuple[str, ...], ...]:
    rows = read_rows(DATA / "synonyms.csv")
    return tuple(
        (row.fields["tag"], *row.fields["synonyms"].split(";")) for row in rows
    )
