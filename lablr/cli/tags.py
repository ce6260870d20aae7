"""``lablr tags``: the model's tags, a vocabulary checked, words cleaned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lablr.cli.messages import print_message, shown
from lablr.cli.options import (
    bundle_option,
    json_option,
    language_option,
    vocabulary_option,
)
from lablr.cli.report import emit
from lablr.errors import VocabularyError

if TYPE_CHECKING:
    from lablr.tags import Vocabulary

__all__ = ["tags_command"]


@click.command("tags")
@click.option(
    "--check",
    "checked",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Check a vocabulary file: its problems, and what it does to the tags.",
)
@click.option(
    "--clean",
    "written",
    metavar="WORDS",
    help="Print the tags of words between commas: spelling, plurals, synonyms.",
)
@vocabulary_option
@language_option
@bundle_option
@json_option
def tags_command(
    checked: Path | None,
    written: str | None,
    vocabulary: Path | None,
    language: str,
    bundle: Path | None,
    as_json: bool,
) -> None:
    """List the tags that the model suggests, check a vocabulary, or clean words.

    \b
    Examples:
      lablr tags
      lablr tags --language fr
      lablr tags --check words.csv
      lablr tags --clean "New York, sunsets,SUN SET"

    A line of the list holds a tag, its label where that is another word, and its
    synonyms. With --json each line is an object, and --check prints one object.
    """
    if checked is not None and written is not None:
        raise click.UsageError("--check and --clean do not go together")
    from lablr.bundle import Bundle
    from lablr.tags import Vocabulary

    tags = Bundle.load(bundle).tags
    if checked is not None:
        _check(checked, tags, as_json)
        return
    words = Vocabulary.load(vocabulary, language)
    if written is not None:
        _clean(written, words, tags, as_json)
    else:
        _list(words, tags, as_json)


def _list(words: Vocabulary, tags: Sequence[str], as_json: bool) -> None:
    hygiene = words.hygiene(tags)
    width = max(map(len, tags))
    for tag in tags:
        label, synonyms = words.label(tag), hygiene.synonyms_of(tag)
        record = {"tag": tag, "label": label, "synonyms": list(synonyms)}
        same = f"({', '.join(synonyms)})" if synonyms else ""
        columns = [tag.ljust(width), label if label != tag else "", same]
        line = "  ".join(column for column in columns if column).rstrip()
        emit(as_json, record, line, is_ascii=False)


def _clean(written: str, words: Vocabulary, tags: Sequence[str], as_json: bool) -> None:
    from lablr.tags import split_words

    clean = words.hygiene(tags).clean_all(split_words(written))
    width = max((len(tag) for tag in clean.words), default=0)
    for tag in clean.tags:
        record = {"tag": tag.tag, "written": [vars(word) for word in tag.written]}
        sources = (
            shown(word.text) + (f" ({', '.join(word.rules)})" if word.rules else "")
            for word in tag.written
        )
        line = f"{tag.tag:{width}}  {', '.join(sources)}"
        emit(as_json, record, line, is_ascii=False)
    if clean.dropped:
        dropped = ", ".join(shown(word) for word in clean.dropped)
        print_message(f"without a letter or digit, so no tag: {dropped}")


def _check(path: Path, tags: Sequence[str], as_json: bool) -> None:
    from lablr.tags import Vocabulary, check_vocabulary

    try:
        found = check_vocabulary(Vocabulary.load(path), tags)
    except VocabularyError as error:
        emit(as_json, {"problems": error.problems}, is_ascii=False)
        for problem in error.problems:
            print_message(f"error: {shown(problem)}")
        raise click.exceptions.Exit(1) from None
    own = found.entries - found.known
    languages = ", ".join(found.languages) or "none"
    line = (
        f"{found.entries} entries: {found.known} apply to the model's tags, {own} are"
        f" words of your own; {found.never} never shown, {found.always} always added;"
        f" languages: {languages}"
    )
    record = {"problems": [], **vars(found)}
    emit(as_json, record, line, *map(shown, found.notes), is_ascii=False)
