"""A person's words for tags: renamed, translated, blocked, added, in a hierarchy."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lablr.errors import CorpusError
from lablr.tags.entries import VocabularyEntry, by_word, read_entries
from lablr.tags.hygiene import Hygiene
from lablr.tags.normal_form import normalize
from lablr.tags.translations import ENGLISH, LANGUAGES, translations


@dataclass(frozen=True)
class Vocabulary:
    """The labels of tags, and which of them are wanted.

    entries : of the person's own file; their words go before all others.
    language : the code of the language that tags are shown in.
    translated : tag -> label in that language, as it comes with Lablr.
    """

    entries: tuple[VocabularyEntry, ...] = ()
    language: str = ENGLISH
    translated: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str] | None = None, language: str = ENGLISH
    ) -> Vocabulary:
        """Read a vocabulary file (None: no words of one's own) for a language.

        Raises VocabularyError for a file with problems, naming file and line, or a
        language into which neither Lablr nor the file translates; OSError when the
        file cannot be read.
        """
        entries = () if path is None else read_entries(Path(path))
        own = {name for entry in entries for name in entry.translations}
        if language in own and language not in LANGUAGES:
            return cls(entries, language)
        return cls(entries, language, translations(language))

    def label(self, tag: str) -> str:
        """Return a tag's label: by the file, else by the translation, else itself."""
        entry = self._by_word.get(tag)
        if entry is None:
            return self.translated.get(tag, tag)
        own = entry.translations.get(self.language) or entry.label
        return own or self.translated.get(entry.tag, entry.tag)

    def broader(self, tag: str) -> tuple[str, ...]:
        """Return the labels of the tags above a tag, the broadest first."""
        labels: list[str] = []
        entry = self._by_word.get(tag)
        while entry is not None and entry.broader:
            above = self._by_word.get(entry.broader)
            translated = self.translated.get(entry.broader, entry.broader_label)
            labels.append(translated if above is None else self.label(above.tag))
            entry = above
        return tuple(reversed(labels))

    def hygiene(self, tags: Sequence[str]) -> Hygiene:
        """Return the rules that clean words: to the file's, then a model's tags.

        No word becomes one that is never shown.
        """
        bundled = Hygiene.of(tags)
        own = [entry.words for entry in self.entries if entry.use != "never"]
        known = (*(words[0] for words in own), *bundled.known)
        return Hygiene(known, (*own, *bundled.groups))

    def readings(self, text: str, tags: Sequence[str]) -> tuple[str, ...]:
        """List the model's `tags` that a person may mean by a word.

        It may be the tag, its label in the chosen language, a synonym or another
        number; a label of two tags has two readings. Nothing means none of them.
        """
        known = set(tags)
        found = dict.fromkeys(word for word in self._meant(text, tags) if word in known)
        return tuple(found)

    def _meant(self, text: str, tags: Sequence[str]) -> Iterator[str]:
        try:
            word = normalize(text)
        except CorpusError:
            return
        hygiene, of_label = self._rules(tuple(tags))
        yield word
        yield from of_label.get(word, ())
        entry = self._by_word.get(word)
        for meant in (word, *(entry.words if entry else ())):
            yield hygiene.clean(meant).tag

    def _rules(self, tags: tuple[str, ...]) -> tuple[Hygiene, dict[str, list[str]]]:
        """Return how words become `tags`, and the tags of each label in normal form.

        Made for many words at once: with thousands of tags it takes its time.
        """
        rules = self._kept_rules.get(tags)
        if rules is None:
            of_label: dict[str, list[str]] = {}
            for tag in tags:
                of_label.setdefault(normalize(self.label(tag)), []).append(tag)
            self._kept_rules.clear()
            rules = self._kept_rules[tags] = (Hygiene.of(tags), of_label)
        return rules

    @cached_property
    def _kept_rules(
        self,
    ) -> dict[tuple[str, ...], tuple[Hygiene, dict[str, list[str]]]]:
        return {}

    def entry(self, tag: str) -> VocabularyEntry | None:
        """Return the person's own entry for a tag, by its word or a synonym."""
        return self._by_word.get(tag)

    @cached_property
    def _by_word(self) -> dict[str, VocabularyEntry]:
        return by_word(self.entries)


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
