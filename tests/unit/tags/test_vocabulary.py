"""A person's words for tags: files read strictly, suggestions shown in their words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lablr import Tagger
from lablr.errors import VocabularyError
from lablr.ranking.shown import show
from lablr.ranking.unlikely import unlikely_tags
from lablr.tags import Vocabulary, normalize
from lablr.tags.rows import MAX_BYTES, read_rows
from lablr.tags.translations import ENGLISH, LANGUAGES, translations
from lablr.tags.vocabulary import check_vocabulary

WORDS = """\
tag,label,use,broader,synonyms,de,nl
building,Bauwerk,,architecture,,,gebouw
architecture,,,Works of people,,Baukunst,
Works of People,human works,,,,,
sky,,never,,,,
me2026,My 2026,always,,,,
boat,,always,,,,
river,riverbank,,,water; lake,,
"""


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger.load()


@pytest.fixture(scope="module")
def suggestion(tagger, china_jpg):
    """All tags for a photo of a temple under a blue sky."""
    return tagger.suggest(china_jpg, k=0)


@pytest.fixture
def words_csv(tmp_path) -> Path:
    path = tmp_path / "words.csv"
    path.write_text(WORDS, encoding="utf-8")
    return path


# --- translations


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {ENGLISH}))
def test_every_bundled_tag_is_translated(tagger, language):
    found = translations(language)
    assert set(tagger.tags) <= set(found)
    for tag, label in found.items():
        assert normalize(tag) == tag
        assert normalize(label)


def test_different_tags_share_a_label_only_where_the_language_does(tagger):
    shared = {}
    for language in LANGUAGES:
        found = translations(language)
        labels = [found.get(tag, tag).casefold() for tag in tagger.tags]
        shared[language] = {label for label in labels if labels.count(label) > 1}
    assert shared == {
        "en": set(),
        "de": {"strasse"},  # road and street
        "es": {"rosa"},  # pink and rose
        "fa": set(),
        "fr": {"rose"},
    }


def test_farsi_is_written_in_its_own_script():
    for label in translations("fa").values():
        letters = [character for character in label if character.isalpha()]
        assert all("\u0600" <= letter <= "\u06ff" for letter in letters), label
        # the Arabic forms of kaf and yeh are other letters than the Persian ones
        assert not {"\u0643", "\u064a"} & set(letters), label


def test_a_language_that_is_not_there_is_named():
    with pytest.raises(VocabularyError, match="no translation into 'xx', only en, de"):
        Vocabulary.load(language="xx")


# --- shown


def shown_by(vocabulary: Vocabulary, suggestion, k: int = 0):
    return {shown.tag: shown for shown in show(suggestion, vocabulary, k).tags}


def test_without_words_a_suggestion_is_shown_as_it_is(suggestion):
    shown = show(suggestion, Vocabulary(), k=7)
    assert [tag.score for tag in shown.tags] == list(suggestion.tags[:7])
    assert [tag.label for tag in shown.tags] == [s.tag for s in suggestion.tags[:7]]
    assert shown.sure == suggestion.sure


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_number_and_no_order_changes(suggestion, language):
    shown = show(suggestion, Vocabulary.load(language=language))
    for tag, score in zip(shown.tags, suggestion.tags, strict=True):
        assert tag.score is score
        assert tag.label == translations(language).get(score.tag, score.tag)
    plain = suggestion.to_dict()
    record = shown.to_dict()
    assert record.pop("language") == language
    for tag in record["tags"]:
        del tag["label"]
    assert record == plain


def test_renamed_blocked_added_and_set_in_a_hierarchy(suggestion, words_csv):
    shown = shown_by(Vocabulary.load(words_csv), suggestion)
    assert shown["building"].label == "Bauwerk"
    assert shown["building"].broader == ("human works", "architecture")
    assert shown["architecture"].broader == ("human works",)
    assert "sky" not in shown
    assert shown["me2026"].label == "My 2026"
    assert shown["me2026"].score is None
    assert shown["me2026"].always
    assert shown["boat"].always
    assert shown["boat"].score in suggestion.tags
    record = shown["me2026"].to_dict()
    assert record["probability"] is None
    assert record["always"] is True


def test_a_files_words_go_before_lablrs_translations(suggestion, words_csv):
    shown = shown_by(Vocabulary.load(words_csv, "de"), suggestion)
    assert shown["architecture"].label == "Baukunst"
    assert shown["building"].label == "Bauwerk"  # its label holds in every language
    assert shown["tree"].label == "Baum"


def test_a_file_may_bring_a_language_of_its_own(suggestion, words_csv):
    shown = shown_by(Vocabulary.load(words_csv, "nl"), suggestion)
    assert shown["building"].label == "gebouw"
    assert shown["tree"].label == "tree"


def test_k_counts_the_models_tags_that_are_shown(suggestion, words_csv):
    shown = show(suggestion, Vocabulary.load(words_csv), k=3)
    ranked = [score.tag for score in suggestion.tags if score.tag != "sky"]
    assert [tag.tag for tag in shown.tags[:3]] == ranked[:3]
    added = {"me2026", "boat"} - set(ranked[:3])
    assert {tag.tag for tag in shown.tags[3:]} == added


def test_synonyms_are_shown_once_at_their_best(suggestion, words_csv):
    shown = show(suggestion, Vocabulary.load(words_csv))
    best = next(s for s in suggestion.tags if s.tag in ("river", "water", "lake"))
    (river,) = (tag for tag in shown.tags if tag.label == "riverbank")
    assert river.score is best
    assert len(shown.tags) == len(suggestion.tags) - 1 - 2 + 1  # sky, two, me2026


def test_sure_is_about_the_tags_that_are_shown(suggestion, tmp_path):
    good = [s.tag for s in suggestion.tags if s.probability >= suggestion.threshold]
    assert good
    path = tmp_path / "none.csv"
    path.write_text("tag,use\n" + "".join(f"{tag},never\n" for tag in good))
    assert not show(suggestion, Vocabulary.load(path)).sure


def test_words_of_a_file_are_clean_words(tagger, words_csv):
    rules = Vocabulary.load(words_csv).hygiene(tagger.tags)
    assert rules.clean("Lakes").tag == "river"
    assert rules.clean("me 2026").tag == "me2026"
    assert rules.clean("sunsets").tag == "sunset"


# --- files


def refusal(path: Path, text: str | bytes) -> VocabularyError:
    content = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(content)
    with pytest.raises(VocabularyError) as refused:
        Vocabulary.load(path)
    return refused.value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "w.csv:1: the header has no column 'tag'"),
        ("tag;label\nsea;Meer\n", "w.csv:1: the header has no column 'tag'; columns"),
        ("tag,\nsea,\n", "w.csv:1: column 2 of the header has no name"),
        ("tag,use,use\nsea,,\n", "w.csv:1: two columns are called 'use'"),
        ("tag,colour\nsea,red\n", "w.csv:2: 'colour' is neither a column nor"),
        ("tag,label\nsea\n", "w.csv:2: 1 columns, where the header has 2"),
        ('tag,label\n\nsea,"Meer\n', "w.csv:3: not CSV: "),
        ('tag,label\n"a","x\ny"\n,b\n', "w.csv:2: 'label' holds U+000A"),
        ("tag,label\n,Meer\n", "w.csv:2: 'tag' is missing"),
        ("tag,label\n!!!,Meer\n", "w.csv:2: 'tag' holds no letter and no digit"),
        ('tag,label\nsea,"a, b"\n', "w.csv:2: 'label' holds a comma"),
        ("tag,label\nsea,★\n", "w.csv:2: 'label' holds no letter"),
        (f"tag,label\nsea,{'x' * 101}\n", "w.csv:2: 'label' has 101 characters"),
        ("tag,label\nsea,a\u202eb\n", "w.csv:2: 'label' holds U+202E"),
        ("tag,use\nsea,sometimes\n", "w.csv:2: 'use' is 'sometimes'; it may be"),
        ("tag\nsea\nriver\nSEA\n", "w.csv:4: 'sea' is on line 2 already"),
        ("tag,synonyms\nsea,\nocean,Sea\n", "w.csv:3: 'sea' is on line 2 already"),
        ("tag,broader\nsea,sea\n", "w.csv:2: 'sea' stands above itself: sea > sea"),
        (
            "tag,broader\na,b\nb,c\nc,a\n",
            "w.csv:2: 'a' stands above itself: c > b > a > a",
        ),
        (b"tag,label\nsea,\xff\n", "w.csv:2: not UTF-8"),
        (b"tag\n" + b"a" * MAX_BYTES, "w.csv: larger than 4 MiB"),
    ],
)
def test_what_is_wrong_with_a_csv_is_said_with_its_line(
    tmp_path, monkeypatch, text, problem
):
    monkeypatch.chdir(tmp_path)
    assert str(refusal(Path("w.csv"), text)).startswith(problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "w.json:1: not JSON: "),
        ("{}", "w.json:1: expected a list"),
        ('[\n {"tag": "sea"},\n x]', "w.json:3: not JSON: "),
        ('[\n {"tag": "sea"},\n 5]', "w.json:3: expected an object"),
        ('[{"tag": "sea"},\n\n{"tag": 5}]', "w.json:3: 'tag' is not a text"),
        ('[{"tag": "sea"},\n{"label": "x"}]', "w.json:2: 'tag' is missing"),
        ('[{"tag": "sea", "tag": "x"}]', "w.json:1: 'tag' is there twice"),
        ('[{"tag": "sea",\n"synonyms": [1]}]', "w.json:1: 'synonyms' is not a list"),
        ('[{"tag": "\\ud800a"}]', "w.json:1: 'tag' holds U+D800"),
        ("[" * 100_000, "w.json: not JSON: "),
    ],
)
def test_what_is_wrong_with_a_json_is_said_with_its_line(
    tmp_path, monkeypatch, text, problem
):
    monkeypatch.chdir(tmp_path)
    assert str(refusal(Path("w.json"), text)).startswith(problem)


def test_every_problem_of_a_file_is_said(tmp_path):
    error = refusal(tmp_path / "w.csv", "tag,use\n,\nsea,x\nriver,never\n!,y\n")
    assert [problem.rpartition("w.csv:")[2][:1] for problem in error.problems] == [
        *"355"
    ]
    assert str(error).endswith("(and 2 more)")


def test_other_files_are_refused_by_name(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("sea")
    with pytest.raises(VocabularyError, match=r"ends in \.csv or \.json"):
        Vocabulary.load(path)
    with pytest.raises(FileNotFoundError):
        Vocabulary.load(tmp_path / "missing.csv")


def test_a_json_says_what_a_csv_says(tmp_path, words_csv):
    rows = [
        {**row.fields, "synonyms": row.fields.get("synonyms", "").split(";")}
        for row in read_rows(words_csv)
    ]
    path = tmp_path / "words.json"
    path.write_text(json.dumps(rows, indent=1))
    assert Vocabulary.load(path).entries == Vocabulary.load(words_csv).entries


def test_a_spreadsheets_csv_is_read(tmp_path):
    path = tmp_path / "w.CSV"
    path.write_bytes("\ufeffTag , Label\r\nsea, Meer \r\n,\r\n".encode())
    (entry,) = Vocabulary.load(path).entries
    assert (entry.tag, entry.label) == ("sea", "Meer")
    assert entry.place.endswith("w.CSV:2")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.text(),
        st.lists(st.sampled_from('tag,label\n"[]{}:seaüñ ;'), max_size=30).map("".join),
        st.recursive(st.text(max_size=4), st.lists, max_leaves=5).map(json.dumps),
        st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=5))).map(
            json.dumps
        ),
    ),
    st.sampled_from([".csv", ".json"]),
)
def test_any_file_is_a_vocabulary_or_one_error(tmp_path, text, suffix):
    path = tmp_path / f"any{suffix}"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    entries, problems = (), ()
    try:
        entries = Vocabulary.load(path).entries
    except VocabularyError as error:
        problems = error.problems
    assert all(problem.startswith(str(path)) for problem in problems)
    assert all(normalize(entry.tag) == entry.tag for entry in entries)


def test_the_check_of_a_file_counts_and_warns(tagger, tmp_path):
    path = tmp_path / "words.csv"
    path.write_text(
        "tag,use,synonyms,it\nsunsets,,,tramonti\nsky,never,,\nparis,always,,\n"
        "xyzzy,never,,\nkid,,child,\n"
    )
    found = check_vocabulary(Vocabulary.load(path), tagger.tags)
    assert (found.entries, found.known) == (5, 2)
    assert (found.never, found.always, found.languages) == (2, 1, ("it",))
    first, second = found.notes
    assert "words.csv:2: the model's word for 'sunsets' is 'sunset'" in first
    assert "words.csv:5: 'xyzzy' is never suggested" in second


# --- tags to remove


def test_a_word_is_read_in_every_way_it_may_be_meant(tagger):
    french = Vocabulary.load(language="fr")
    assert set(french.readings("Rose", tagger.tags)) == {"rose", "pink"}
    assert french.readings("coucher de soleil", tagger.tags) == ("sunset",)
    assert french.readings("Kids", tagger.tags) == ("child",)
    assert french.readings("xyzzy", tagger.tags) == ()
    assert french.readings("!!!", tagger.tags) == ()


def test_a_files_synonyms_are_read(tagger, tmp_path):
    path = tmp_path / "words.csv"
    path.write_text("tag,synonyms\nshoreline,beach;coastal\n")
    words = Vocabulary.load(path)
    assert words.readings("Coastal", tagger.tags) == ("beach",)
    assert words.readings("shoreline", tagger.tags) == ("beach",)


def test_what_the_photo_shows_stays_and_what_it_does_not_may_go(suggestion):
    existing = ["Buildings", "Surfing", "xyzzy", "my trip", "surfing", "!!!"]
    found = unlikely_tags(suggestion, existing)
    assert [doubted.written for doubted in found] == ["Surfing", "surfing"]
    first = found[0]
    assert first.score in suggestion.tags
    assert first.reason.startswith("The model gives “Surfing” (its word is surfing) a")
    assert first.reason.count(".") - first.reason.count("0.") == 1
    assert f"of its {len(suggestion.tags)} tags fit the photo better" in first.reason
    assert set(first.to_dict()) == {
        "written",
        "tag",
        "probability",
        "percentile",
        "reason",
    }


def test_both_bounds_hold(suggestion):
    every = [score.tag for score in suggestion.tags]
    found = unlikely_tags(suggestion, every, max_probability=0.01, max_percentile=30)
    n_tags = len(every)
    expected = [
        score.tag
        for score in suggestion.tags
        if score.probability < 0.01
        and sum(s.probability < score.probability for s in suggestion.tags)
        < 0.3 * n_tags
    ]
    assert {doubted.written for doubted in found} == set(expected)
    assert expected
    chances = [doubted.score.probability for doubted in found]
    assert chances == sorted(chances)


def test_a_word_of_two_readings_goes_only_when_both_are_unlikely(suggestion):
    french = Vocabulary.load(language="fr")
    chances = {score.tag: score.probability for score in suggestion.tags}
    pair = sorted((chances["rose"], chances["pink"]))
    between = (pair[0] + pair[1]) / 2
    bounds = {"max_percentile": 101.0}
    kept = unlikely_tags(
        suggestion, ["rose"], french, max_probability=between, **bounds
    )
    gone = unlikely_tags(suggestion, ["rose"], french, max_probability=1.0, **bounds)
    assert not kept
    assert gone[0].score.probability == pair[1]
