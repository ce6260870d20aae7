"""Tags to write, and the lists of a file that they go to.

Programs keep a photo's tags in several lists, and each reads its own first. So two
rules decide what is written. A list that is there gets the new tags only. A list that
is made starts with every tag that the file's other lists hold, because the program
that reads it will not look at them any more. Nothing is ever taken out of a list.

Sources: IPTC-IIM 4.2, dataset 2:25; XMP part 1, Dublin Core; Metadata Working Group,
Guidelines for Handling Image Metadata 2.0, section 5.5; digiKam's handbook, metadata.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from lablr.errors import WritingError

Origin = Literal["suggested", "accepted", "typed"]
ORIGINS: tuple[Origin, ...] = get_args(Origin)

# A file's lists of tags by their names, each in the order of the file.
Lists = Mapping[str, Sequence[str]]

IPTC = "IPTC Keywords"
SUBJECT = "dc:subject"
HIERARCHY = "lr:hierarchicalSubject"
DIGIKAM = "digiKam:TagsList"
MADE = (SUBJECT, HIERARCHY, DIGIKAM)  # of XMP, where a file has none

IPTC_MAX_BYTES = 64
MAX_BYTES = 1000

_Path = tuple[str, ...]
# How a list writes a tag down.
_FORMS: Mapping[str, Callable[[_Path], str]] = {
    IPTC: lambda path: path[-1],
    SUBJECT: lambda path: path[-1],
    HIERARCHY: "|".join,
    DIGIKAM: "/".join,
}


def provenance_list(origin: Origin) -> str:
    """Return the list that holds what Lablr wrote and how it came to it."""
    return f"lablr:{origin}"


XMP_LISTS = (*MADE, *map(provenance_list, ORIGINS))


@dataclass(frozen=True)
class Keyword:
    """A tag to write, ``"beach"`` or ``"places|europe|paris"``, and where it is from.

    ``origin`` is "suggested" (by Lablr, seen by nobody), "accepted" (suggested by
    Lablr, accepted by a person) or "typed" (by a person). White space is made
    single; raises WritingError for an empty or unprintable tag.
    """

    tag: str
    origin: Origin = "typed"

    def __post_init__(self) -> None:
        if self.origin not in ORIGINS:
            raise WritingError(
                f"{self.origin!r} is none of the origins {', '.join(ORIGINS)}"
            )
        object.__setattr__(self, "tag", "|".join(_clean(self.tag)))

    @property
    def path(self) -> _Path:
        """Return the words from the widest to the narrowest; one for a plain tag."""
        return tuple(self.tag.split("|"))


def _clean(tag: str) -> Iterator[str]:
    if len(tag.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise WritingError(f"the tag {tag[:30]!r}... has more than {MAX_BYTES} bytes")
    for part in tag.split("|"):
        cleaned = unicodedata.normalize("NFC", " ".join(part.split()))
        if not cleaned:
            raise WritingError(f"the tag {tag!r} has an empty word")
        if any(map(_is_unprintable, cleaned)):
            raise WritingError(f"the tag {tag!r} has a character that no file can hold")
        yield cleaned


def _is_unprintable(character: str) -> bool:
    """Return whether XML or a line of text cannot hold a character."""
    kind = unicodedata.category(character)
    return kind in ("Cc", "Cs", "Zl", "Zp") or ord(character) & 0xFFFE == 0xFFFE


@dataclass(frozen=True)
class Additions:
    """The tags that each list gets, and notes for people."""

    to_lists: Lists
    notes: tuple[str, ...] = ()


def same(tag: str) -> str:
    """Return what two ways of writing one tag have in common: ``Zürich``, ``zürich``.

    A person's own way of writing a tag is kept; it is not added a second time.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", tag).casefold())


def tags_of(lists: Lists) -> tuple[str, ...]:
    """Return every tag of a file's lists once; one in a hierarchy has ``|`` between."""
    return tuple(map("|".join, _distinct(_paths(lists))))


def additions(
    found: Lists,
    wanted: Sequence[Keyword],
    may_make: Iterable[str],
    elsewhere: Lists | None = None,
) -> Additions:
    """Return what the lists of a file lack.

    found : the lists that are there; lists of other names are not looked at.
    may_make : the lists to make where they are missing.
    elsewhere : lists of another file with which a list that is made starts, too.
    """
    known = _distinct([*_paths(found), *_paths(elsewhere or {})])
    new = [keyword for keyword in wanted if not _is_known(keyword.path, known)]
    paths = _distinct([*known, *(keyword.path for keyword in wanted)])
    to_lists: dict[str, tuple[str, ...]] = {}
    notes: list[str] = []
    for name, form in _FORMS.items():
        if name in found:
            candidates = [keyword.path for keyword in wanted]
        elif name in may_make:
            candidates = paths
        else:
            continue
        if name in (HIERARCHY, DIGIKAM):
            candidates = _without_words_of_longer(candidates, paths)
        texts = _lacking(map(form, candidates), found.get(name, ()))
        if name == IPTC:
            texts = list(_that_fit(texts, notes))
        if texts:
            to_lists[name] = tuple(texts)
    if to_lists:
        to_lists |= _provenance(found, new)
    return Additions(to_lists, tuple(notes))


def _provenance(found: Lists, new: Sequence[Keyword]) -> dict[str, tuple[str, ...]]:
    lists = {}
    for origin in ORIGINS:
        name = provenance_list(origin)
        tags = (keyword.tag for keyword in new if keyword.origin == origin)
        if texts := _lacking(tags, found.get(name, ())):
            lists[name] = tuple(texts)
    return lists


def _paths(lists: Lists) -> Iterator[_Path]:
    """Yield every tag of the lists, the hierarchies first."""
    plain = [*lists.get(SUBJECT, ()), *lists.get(IPTC, ())]
    are_plain = {*map(same, plain)}
    for name, separator in ((HIERARCHY, "|"), (DIGIKAM, "/")):
        for text in lists.get(name, ()):
            # "b/w" is one word where a plain list has it so.
            whole = separator not in text or same(text) in are_plain
            parts = (text,) if whole else tuple(text.split(separator))
            if all(parts):
                yield parts
    yield from ((text,) for text in plain if text)


def _is_known(path: _Path, known: Iterable[_Path]) -> bool:
    return any(_same_path(path) == _same_path(other) for other in known) or (
        len(path) == 1 and same(path[0]) in _words_of_longer(known)
    )


def _same_path(path: _Path) -> _Path:
    return tuple(map(same, path))


def _distinct(paths: Iterable[_Path]) -> list[_Path]:
    first: dict[_Path, _Path] = {}
    for path in paths:
        first.setdefault(_same_path(path), path)
    return [*first.values()]


def _words_of_longer(paths: Iterable[_Path]) -> set[str]:
    return {same(word) for path in paths if len(path) > 1 for word in path}


def _without_words_of_longer(
    candidates: Iterable[_Path], paths: Iterable[_Path]
) -> list[_Path]:
    """Leave out plain tags that a hierarchy holds already."""
    held = _words_of_longer(paths)
    return [path for path in candidates if len(path) > 1 or same(path[0]) not in held]


def _lacking(texts: Iterable[str], present: Iterable[str]) -> list[str]:
    seen, lacking = {*map(same, present)}, dict[str, str]()
    for text in texts:
        lacking.setdefault(same(text), text)
    return [text for form, text in lacking.items() if form not in seen]


def _that_fit(texts: Iterable[str], notes: list[str]) -> Iterator[str]:
    for text in texts:
        n_bytes = len(text.encode("utf-8"))
        if n_bytes <= IPTC_MAX_BYTES:
            yield text
        else:
            notes.append(
                f"{text!r} has {n_bytes} bytes and IPTC takes {IPTC_MAX_BYTES}: "
                "it is in XMP only"
            )
