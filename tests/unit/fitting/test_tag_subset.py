"""A corpus of some tags only."""

from __future__ import annotations

import json

import pytest

from lablr.corpus import Corpus
from lablr.errors import CorpusError


def test_a_subset_of_tags(tmp_path):
    records = [
        {"file": "1.jpg", "tags": ["sea", "sky"]},
        {"file": "2.jpg", "tags": ["dog"]},
        {"file": "3.jpg", "tags": ["dog", "New York", "sky"], "split": "val"},
        {"file": "4.jpg", "tags": []},
        {"file": "../5.jpg", "tags": ["sky"]},
    ]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / "photos.jsonl").write_text(lines)
    corpus = Corpus.open(tmp_path)
    some = corpus.of_tags(["SKY", "new york"])
    errors = []
    found = [(p.file, p.tags, p.split) for p in some.photos(on_error=errors.append)]
    assert [(file, tags) for file, tags, _ in found] == [
        ("1.jpg", ("sky",)),
        ("3.jpg", ("newyork", "sky")),
    ]
    assert found[1][2] == "val"
    assert len(errors) == 1
    assert some.count() == 2
    assert some.tag_counts() == {"sky": 2, "newyork": 1}
    assert some.digest != corpus.digest
    assert corpus.count() == 4
    with pytest.raises(CorpusError, match="no photo is tagged cat, cow"):
        corpus.of_tags(["sky", "cow", "cat"])
