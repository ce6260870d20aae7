"""The entries of a person's vocabulary file, and whether they make sense together.

A CSV has a header and one entry a line; a JSON is a list of objects, with the same
names:

============  ====================================================================
column        meaning
============  ====================================================================
``tag``       the tag, the model's or one of your own, however written
``label``     what to show and copy instead of the tag
``use``       empty, ``never`` (not shown) or ``always`` (added to every photo)
``broader``   the tag above it: ``beach`` may stand under ``coast``
``synonyms``  other words for it, separated by ``;``; in JSON a list
``de``, ...   the label in a language, by the language's code
============  ====================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lablr.errors import VocabularyError
from lablr.tags.normal_form import normalize
from lablr.tags.rows import Row, label_of, read_rows, short

USES = ("", "never", "always")
COLUMNS = ("tag", "label", "use", "broader", "synonyms")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")


@dataclass(frozen=True)
class VocabularyEntry:
    """A person's wishes for one tag; ``tag``, ``broader`` and ``synonyms`` are normal.

    ``broader_label`` is the broader tag as the file writes it; ``place`` is where the
    entry stands, ``FILE:LINE``.
    """

    tag: str
    label: str = ""
    use: str = ""
    broader: str = ""
    broader_label: str = ""
    synonyms: tuple[str, ...] = ()
    translations: Mapping[str, str] = field(default_factory=dict)
    place: str = field(default="", compare=False)

    @property
    def words(self) -> tuple[str, ...]:
        """Return the tag and its synonyms."""
        return (self.tag, *self.synonyms)


def read_entries(path: Path) -> tuple[VocabularyEntry, ...]:
    """Return the entries of a vocabulary file.

    Raises VocabularyError with every problem of the file, each naming its line;
    OSError when it cannot be read.
    """
    entries: list[VocabularyEntry] = []
    problems: list[str] = []
    for row in read_rows(path):
        fields = _Fields(row)
        entries.append(fields.entry())
        problems += fields.problems
    if problems := problems or [*_twins(entries), *_circles(entries)]:
        raise VocabularyError(*problems)
    return tuple(entries)


def by_word(entries: Sequence[VocabularyEntry]) -> dict[str, VocabularyEntry]:
    """Return the entry of every tag and synonym; of two of a word, the first."""
    found: dict[str, VocabularyEntry] = {}
    for entry in entries:
        for word in entry.words:
            found.setdefault(word, entry)
    return found


class _Fields:
    """The fields of a row; what is wrong with them is collected as they are taken."""

    def __init__(self, row: Row) -> None:
        self.problems: list[str] = []
        self._row = row
        self._languages = [name for name in row.fields if name not in COLUMNS]
        for name in self._languages:
            if not LANGUAGE.fullmatch(name):
                self._tell(name, "is neither a column nor a language such as 'de'")

    def entry(self) -> VocabularyEntry:
        labels = {name: self._label(name) for name in self._languages}
        broader = self._label("broader")
        return VocabularyEntry(
            tag=self._tag(),
            label=self._label("label"),
            use=self._use(),
            broader=self._normal("broader", broader) if broader else "",
            broader_label=broader,
            synonyms=self._synonyms(),
            translations={name: label for name, label in labels.items() if label},
            place=self._row.place,
        )

    def _tag(self) -> str:
        if text := self._text("tag"):
            return self._normal("tag", text)
        self._tell("tag", "is missing")
        return ""

    def _use(self) -> str:
        use = self._text("use").lower()
        if use not in USES:
            self._tell("use", f"is {short(use)}; it may be never, always or nothing")
        return use

    def _synonyms(self) -> tuple[str, ...]:
        value = self._row.fields.get("synonyms") or []
        words = value.split(";") if isinstance(value, str) else value
        if not isinstance(words, list) or not all(isinstance(w, str) for w in words):
            self._tell("synonyms", "is not a list of texts")
            return ()
        written = [word for word in words if word.strip()]
        return tuple(self._normal("synonyms", word) for word in written)

    def _text(self, name: str) -> str:
        value = self._row.fields.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            self._tell(name, "is not a text")
            return ""
        return value.strip()

    def _label(self, name: str) -> str:
        text = self._text(name)
        try:
            return label_of(text) if text else ""
        except ValueError as error:
            self._tell(name, str(error))
            return ""

    def _normal(self, name: str, text: str) -> str:
        try:
            return normalize(label_of(text))
        except ValueError as error:
            self._tell(name, str(error))
            return ""

    def _tell(self, name: str, what: str) -> None:
        self.problems.append(f"{self._row.place}: {short(name)} {what}")


def _twins(entries: Sequence[VocabularyEntry]) -> Iterator[str]:
    """Tell of words that belong to two entries."""
    owners = by_word(entries)
    for entry in entries:
        for word in dict.fromkeys(entry.words):
            if (owner := owners[word]) is not entry:
                line = owner.place.rpartition(":")[2]
                yield f"{entry.place}: {short(word)} is on line {line} already"


def _circles(entries: Sequence[VocabularyEntry]) -> Iterator[str]:
    """Tell of tags that stand above themselves, each circle once."""
    owners = by_word(entries)
    told: set[str] = set()
    for entry in entries:
        walk = [entry.tag]
        while (above := owners.get(owners[walk[-1]].broader)) is not None:
            if above.tag in walk:
                break
            walk.append(above.tag)
        if above is entry and told.isdisjoint(walk):
            told.update(walk)
            path = " > ".join((*reversed(walk), entry.tag)[:10])
            yield f"{entry.place}: {short(entry.tag)} stands above itself: {path}"
