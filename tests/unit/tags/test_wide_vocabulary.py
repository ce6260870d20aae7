"""The vocabulary of the coming model: every word means one tag."""

from __future__ import annotations

import csv
from collections import Counter
from graphlib import TopologicalSorter

import pytest
from places import ROOT

from lablr.tags import normalize
from lablr.tags.lists import popular_tags

KINDS = {
    "thing",
    "animal",
    "plant",
    "food",
    "place",
    "scene",
    "activity",
    "event",
    "colour",
    "style",
    "person",
}
PLACE_NAMES = {
    "england",
    "europe",
    "france",
    "germany",
    "india",
    "italy",
    "japan",
    "london",
    "newyork",
    "paris",
}


def words(cell: str) -> list[str]:
    return [word for word in cell.split(";") if word]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with (ROOT / "scripts/wide/vocabulary.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_word_means_one_tag(rows):
    meant: dict[str, set[str]] = {}
    for row in rows:
        for word in (row["tag"], *words(row["synonyms"])):
            meant.setdefault(normalize(word), set()).add(row["tag"])
    assert {word: tags for word, tags in meant.items() if len(tags) > 1} == {}
    assert set(map(normalize, popular_tags())) - set(meant) == PLACE_NAMES


def test_no_tag_is_above_itself(rows):
    above = {row["tag"]: words(row["parents"]) for row in rows}
    assert {parent for parents in above.values() for parent in parents} <= set(above)
    assert len(list(TopologicalSorter(above).static_order())) == len(rows) >= 1500


def test_kinds_classes_and_languages(rows):
    assert {row["kind"] for row in rows} == KINDS
    classes = Counter(int(n) for row in rows for n in words(row["imagenet"]))
    assert classes == Counter(range(1000))  # each in one tag
    translated = [
        [bool(row[code]) for code in ("de", "es", "fa", "fr")] for row in rows
    ]
    assert all(all(row) or not any(row) for row in translated)
    assert sum(map(all, translated)) >= 600
