"""Words cleaned: the rules by example, on the model's own tags and on random words."""

from __future__ import annotations

import doctest
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lablr.bundle import default_folder
from lablr.errors import CorpusError
from lablr.tags import Hygiene, hygiene, normalize, plurals, split_words

TAGS = tuple(json.loads((default_folder() / "tags.json").read_text()))
RULES = Hygiene.of(TAGS)

# Words that the rules know, their other numbers, and words nobody knows.
KNOWN = [*RULES.known, *(word for group in RULES.groups for word in group)]
patiently = settings(deadline=None)  # other programs run on this machine
some_words = st.lists(
    st.one_of(
        st.sampled_from(KNOWN),
        st.sampled_from(KNOWN).map(str.upper),
        st.sampled_from(KNOWN).map(lambda word: word + "s"),
        st.text(alphabet="aeisy -", max_size=6),
        st.text(max_size=5),
    ),
    max_size=12,
)


@pytest.mark.parametrize("module", [hygiene, plurals])
def test_the_examples_of_the_docstrings(module):
    done = doctest.testmod(module)
    assert done.attempted
    assert not done.failed


@pytest.mark.parametrize(
    ("written", "tag", "rules"),
    [
        ("sunset", "sunset", ()),
        ("SUN SET", "sunset", ("spelling",)),
        ("sunsets", "sunset", ("number",)),
        ("Sun-Sets", "sunset", ("spelling", "number")),
        ("cloud", "clouds", ("number",)),
        ("cities", "city", ("number",)),
        ("Beaches", "beach", ("spelling", "number")),
        ("women", "woman", ("number",)),
        ("men", "man", ("number",)),
        ("children", "child", ("number",)),
        ("kids", "child", ("synonym",)),
        ("grey", "gray", ("synonym",)),
        ("bicycles", "bike", ("synonym",)),
        ("NYC", "newyork", ("spelling", "synonym")),
        ("New York", "newyork", ("spelling",)),
        # no plurals, though they end in s
        ("news", "news", ()),
        ("tennis", "tennis", ()),
        ("dress", "dress", ()),
        ("Paris", "paris", ("spelling",)),
        ("glasses", "glasses", ()),
        ("blues", "blues", ()),
        # nobody knows it: no rule makes up a word
        ("castles", "castles", ()),
        ("Zürich", "zürich", ("spelling",)),
    ],
)
def test_a_word_by_the_rules(written, tag, rules):
    clean = RULES.clean(written)
    (source,) = clean.written
    assert (clean.tag, source.text, source.rules) == (tag, written, rules)


def test_many_words_become_few_tags_in_their_order():
    clean = RULES.clean_all(
        split_words("New York, sunsets,SUN SET, castles, castle,!!!")
    )
    assert clean.words == ("newyork", "sunset", "castles")
    assert [[word.text for word in tag.written] for tag in clean.tags] == [
        ["New York"],
        ["sunsets", "SUN SET"],
        ["castles", "castle"],
    ]
    assert clean.tags[2].written[1].rules == ("number",)
    assert clean.dropped == ("!!!",)


def test_words_are_split_at_commas_of_any_script():
    assert split_words("a b; c,\nd،e؛ ,") == ["a b", "c", "d", "e"]


def test_a_word_without_letters_is_refused():
    with pytest.raises(CorpusError, match="no letter and no digit"):
        RULES.clean("!!!")


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_of_the_model_is_clean(tag):
    assert RULES.clean(tag).tag == tag


def test_the_bundled_synonyms_are_tags_and_stand_once():
    words = [word for group in RULES.groups for word in group]
    assert words == [normalize(word) for word in words]
    assert len(set(words)) == len(words)
    # two tags of the model that mean the same would not both be suggested
    assert all(len(set(group) & set(TAGS)) <= 1 for group in RULES.groups)


def test_the_model_says_which_of_two_words_is_used():
    assert Hygiene.of(("bicycle",)).clean("bikes").tag == "bicycle"
    assert Hygiene.of(("bike",)).clean("bicycles").tag == "bike"
    assert Hygiene.of(("flower", "flowers")).clean("flowers").tag == "flower"


def test_synonyms_of_a_tag():
    assert RULES.synonyms_of("bike") == ("bicycle",)
    assert RULES.synonyms_of("beach") == ()


@patiently
@given(st.text(), st.sampled_from(KNOWN))
def test_cleaning_twice_is_cleaning_once(text, word):
    for written in ("a" + text, word, word + "s", word.upper(), word + text):
        tag = RULES.clean(written).tag
        assert tag
        assert normalize(tag) == tag
        assert RULES.clean(tag).tag == tag


@patiently
@given(st.sampled_from(KNOWN))
def test_case_spaces_and_punctuation_change_nothing(word):
    tag = RULES.clean(word).tag
    for written in (word.upper(), f" #{word}! ", " ".join(word), "-".join(word)):
        assert RULES.clean(written).tag == tag


@patiently
@given(some_words)
def test_no_word_is_lost_and_none_is_there_twice(words):
    clean = RULES.clean_all(words)
    assert len(set(clean.words)) == len(clean.words)
    kept = [source.text for tag in clean.tags for source in tag.written]
    assert sorted([*kept, *clean.dropped]) == sorted(words)
    again = RULES.clean_all(clean.words)
    assert again.words == clean.words
    assert not again.dropped
    for dropped in clean.dropped:
        with pytest.raises(CorpusError):
            normalize(dropped)


@patiently
@given(st.one_of(st.sampled_from(KNOWN), st.text(alphabet="aefimnoprsvxyz")))
def test_a_number_of_a_number_leads_back(word):
    for other in plurals.other_numbers(word):
        assert word in plurals.other_numbers(other)
