"""``lablr tags``, and ``lablr suggest`` in a person's own words."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from command_line import loaded_once, run_code
from places import ROOT

from lablr.bundle import default_folder
from lablr.cli import main
from lablr.tags import Vocabulary
from lablr.tags.translations import translations

TAGS = json.loads((default_folder() / "tags.json").read_text())


def lablr(*words: object, **environment: str) -> Result:
    with loaded_once():
        return CliRunner().invoke(main, [*map(str, words)], env=environment)


@pytest.fixture
def words_csv(tmp_path) -> Path:
    path = tmp_path / "words.csv"
    path.write_text(
        "tag,label,use,broader,de\n"
        "building,my house,,Works,mein Haus\n"
        "sky,,never,,\n"
        "me2026,,always,,\n"
    )
    return path


# --- lablr tags


def test_the_tags_are_listed_with_their_synonyms():
    done = lablr("tags")
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == TAGS
    assert "(bicycle)" in lines[TAGS.index("bike")]


def test_the_tags_are_listed_in_a_language():
    by_flag = lablr("tags", "--language", "fa").stdout
    assert "ساحل" in by_flag.splitlines()[TAGS.index("beach")]
    assert lablr("tags", LABLR_LANGUAGE="fa").stdout == by_flag
    records = map(
        json.loads, lablr("tags", "--json", "--language", "de").stdout.splitlines()
    )
    labels = translations("de")
    assert {r["tag"]: r["label"] for r in records} == {t: labels[t] for t in TAGS}


def test_a_language_that_is_not_there_is_an_error():
    done = lablr("tags", "--language", "xx")
    assert done.exit_code == 1
    assert "lablr: error: Lablr has no translation into 'xx'" in done.stderr


def test_words_are_cleaned():
    done = lablr("tags", "--clean", "New York, sunsets,SUN SET,!!!")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "newyork  New York (spelling)",
        "sunset   sunsets (number), SUN SET (spelling)",
    ]
    assert "so no tag: !!!" in done.stderr
    done = lablr("tags", "--json", "--clean", "kids")
    assert json.loads(done.stdout) == {
        "tag": "child",
        "written": [{"text": "kids", "rules": ["synonym"]}],
    }


def test_a_vocabulary_is_checked(words_csv):
    done = lablr("tags", "--check", words_csv)
    assert done.exit_code == 0
    assert done.stdout == (
        "3 entries: 2 apply to the model's tags, 1 are words of your own;"
        " 1 never shown, 1 always added; languages: de\n"
    )
    record = json.loads(lablr("tags", "--json", "--check", words_csv).stdout)
    assert (record["problems"], record["entries"], record["known"]) == ([], 3, 2)


def test_a_wrong_vocabulary_is_told_whole(tmp_path):
    path = tmp_path / "words.csv"
    path.write_text("tag,use\nsea,sometimes\n,\n!!!,\n")
    done = lablr("tags", "--check", path)
    assert done.exit_code == 1
    assert done.stdout == ""
    first, second = done.stderr.splitlines()
    assert first.startswith(f"lablr: error: {path}:2: 'use' is 'sometimes'")
    assert second.startswith(f"lablr: error: {path}:4: 'tag' holds no letter")
    record = json.loads(lablr("tags", "--json", "--check", path).stdout)
    assert len(record["problems"]) == 2


def test_two_tasks_at_once_are_refused(words_csv):
    done = lablr("tags", "--check", words_csv, "--clean", "a")
    assert done.exit_code == 2


def blocks_of_the_page(language: str) -> list[str]:
    page = (ROOT / "docs" / "vocabulary.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def test_the_page_shows_what_cleaning_prints():
    command, *_ = blocks_of_the_page("sh")
    program, *words = shlex.split(command)
    assert program == "lablr"
    (printed,) = blocks_of_the_page("text")
    assert lablr(*words).stdout == printed


def test_the_pages_two_vocabularies_say_the_same(tmp_path):
    found = []
    for kind in ("csv", "json"):
        (text,) = blocks_of_the_page(kind)
        path = tmp_path / f"words.{kind}"
        path.write_text(text, encoding="utf-8")
        found.append(Vocabulary.load(path, "it"))
    assert found[0].entries == found[1].entries
    assert found[0].label("beach") == "mare"
    assert found[0].broader("beach") == ("Nature", "Coast")
    assert found[0].broader("newyork") == ("USA",)


def test_the_pages_python_runs(tmp_path, china_jpg):
    (tmp_path / "photo.jpg").write_bytes(china_jpg.read_bytes())
    (tmp_path / "words.csv").write_text(blocks_of_the_page("csv")[0], encoding="utf-8")
    for code in blocks_of_the_page("python"):
        done = run_code(code, cwd=tmp_path, PYTHONUTF8=1)
        assert done.returncode == 0, done.stderr
        assert done.stdout


# --- lablr suggest


def test_suggest_without_words_says_what_it_said(china_jpg):
    record = json.loads(lablr("suggest", "--json", "-k", 3, china_jpg).stdout)
    assert len(record["tags"]) == 3
    assert "label" not in record["tags"][0]
    assert {"language", "unlikely"}.isdisjoint(record)


def test_suggest_in_a_language(china_jpg):
    plain = json.loads(lablr("suggest", "--json", china_jpg).stdout)
    german = json.loads(
        lablr("suggest", "--json", "--language", "de", china_jpg).stdout
    )
    labels = translations("de")
    assert german.pop("language") == "de"
    assert [tag.pop("label") for tag in german["tags"]] == [
        labels[tag["tag"]] for tag in plain["tags"]
    ]
    assert german == plain
    table = lablr("suggest", china_jpg, LABLR_LANGUAGE="de").stdout
    assert labels[plain["tags"][0]["tag"]] in table


def test_suggest_in_a_persons_words(china_jpg, words_csv):
    done = lablr("suggest", "-k", 4, "--vocabulary", words_csv, china_jpg)
    _, *lines = done.stdout.splitlines()
    assert len(lines) == 5
    (house,) = (line for line in lines if line.strip().startswith("my house"))
    assert house.endswith("[Works]")
    assert lines[-1].split() == ["me2026", "-", "[always]"]
    assert not any(line.strip().startswith("sky") for line in lines)
    environment = {"LABLR_VOCABULARY": str(words_csv)}
    done = lablr("suggest", "--json", "--language", "de", china_jpg, **environment)
    record = json.loads(done.stdout)
    labels = {tag["tag"]: tag["label"] for tag in record["tags"]}
    assert labels["building"] == "mein Haus"
    assert record["tags"][-1]["probability"] is None


def test_suggest_says_which_tags_could_go(china_jpg):
    words = ("suggest", "--existing", "Buildings, surfing, my trip", china_jpg)
    lines = lablr(*words).stdout.splitlines()
    place = lines.index("  to remove:")
    assert [line.split(":")[0].strip() for line in lines[place + 1 :]] == ["surfing"]
    record = json.loads(lablr("suggest", "--json", *words[1:]).stdout)
    assert [doubted["written"] for doubted in record["unlikely"]] == ["surfing"]
    done = lablr("suggest", "--existing", "building", china_jpg)
    assert done.stdout.splitlines()[-1] == "  to remove: none"


def test_a_broken_vocabulary_stops_suggest(china_jpg, tmp_path):
    path = tmp_path / "words.csv"
    path.write_text("tag,use\nsea,sometimes\n")
    done = lablr("suggest", "--vocabulary", path, china_jpg)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert f"{path}:2: 'use' is" in done.stderr
