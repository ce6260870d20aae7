"""Labelling as a function: order, bad lines, and files that any stop leaves whole."""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from label_makers import (
    EXPECTED,
    files_of,
    ids_of,
    labeller,
    opened,
    read_objects,
    read_rows,
    write_lines,
    write_photos,
)
from photo_makers import jpeg

from lablr.annotation.labelling.outcomes import (
    BLOCK_SIZE,
    Labelled,
    blocks_of,
    in_threads,
    outcome_of,
)
from lablr.annotation.labelling.run import LabelCounts, Output, label, label_to_stream
from lablr.corpus.inputs import Failed, Fields, Wanted
from lablr.corpus.records import MAX_LINE_BYTES
from lablr.errors import CorpusError, MissingExtra
from lablr.system.threads import map_in_order

# --- what goes in


def test_every_line_is_one_item_in_its_place(tmp_path):
    lines = [
        {"id": "a", "photo": "1.jpg", "link": "https://x/1", "more": [1]},
        "",
        {"id": 12345678901234567890, "photo": "b/2.jpg"},
        {"photo": "3.jpg", "id": None},
    ]
    source = opened(write_lines(tmp_path / "in", lines))
    assert list(source.items()) == [
        Wanted("a", "https://x/1", "1.jpg", "1.jpg", 1),
        Wanted("12345678901234567890", "b/2.jpg", "b/2.jpg", "b/2.jpg", 3),
        Wanted("3.jpg", "3.jpg", "3.jpg", "3.jpg", 4),
    ]
    assert source.count() == 3


BAD_LINES = {
    "no JSON": (b"{", "not a line of JSON"),
    "no object": (b"[]", "expected a JSON object"),
    "no photo": (b'{"id": "x"}', "'photo' is missing"),
    "null photo": (b'{"id": "x", "photo": null}', "'photo' is missing"),
    "empty photo": (b'{"photo": ""}', "'photo' is not a text"),
    "true photo": (b'{"photo": true}', "'photo' is not a text"),
    "list for an id": (b'{"id": [1], "photo": "a"}', "'id' is not a text"),
    "huge": (b'{"photo": "' + b"a" * MAX_LINE_BYTES + b'"}', "longer than 1,048,576"),
    "endless": (b"x" * (3 * MAX_LINE_BYTES), "longer than 1,048,576"),
    "UTF-16": ('{"photo": "é"}'.encode("utf-16"), "not UTF-8"),
    "Latin-1": ('{"photo": "é"}'.encode("latin-1"), "not UTF-8"),
    "BOM": (b'\xef\xbb\xbf{"photo": "a"}', "byte order mark"),
    "NUL bytes": (b'{"photo": "a\0b"}', "not a line of JSON"),
    "only NUL": (b"\0" * 100, "not a line of JSON"),
    "NUL escape": (rb'{"photo": "a\u0000b"}', "'photo' holds a control character"),
    "line end in an id": (rb'{"id": "a\nb", "photo": "c"}', "'id' holds a control"),
    "bomb": (b"[" * 100_000, "not a line of JSON"),
    "deep object": (b'{"photo":' * 50_000, "not a line of JSON"),
    "lone surrogate": (rb'{"photo": "\ud800"}', "lone surrogate"),
    "NaN": (b'{"id": NaN, "photo": "a"}', "not a line of JSON"),
    "long integer": (b'{"id": ' + b"9" * 5000 + b', "photo": "a"}', "5000 digits"),
    "long id": (b'{"id": "' + b"a" * 5000 + b'", "photo": "a"}', "longer than 4096"),
}


@pytest.mark.parametrize("kind", BAD_LINES)
def test_a_bad_line_is_one_failure_and_the_rest_goes_on(tmp_path, kind):
    line, message = BAD_LINES[kind]
    path = write_lines(tmp_path / "in", [{"photo": "1"}, line, {"photo": "3"}])
    first, bad, last = opened(path).items()
    assert (first.photo, last.photo) == ("1", "3")
    assert isinstance(bad, Failed)
    assert (bad.code, bad.line) == ("bad_line", 2)
    assert message in bad.message
    assert len(bad.message) < 300
    json.dumps(bad.to_record(), ensure_ascii=False).encode()


def test_fields_have_other_names(tmp_path):
    path = write_lines(tmp_path / "in", [{"tweet": 1, "file": "a", "url": "u"}, {}])
    fields = Fields(photo="file", id="tweet", link="url")
    good, bad = opened(path, fields=fields).items()
    assert good == Wanted("1", "u", "a", "a", 1)
    assert bad.message == "'file' is missing"


def test_nothing_leads_out_of_the_base_folder(tmp_path):
    base = tmp_path / "base"
    (base / "in").mkdir(parents=True)
    (base / "out").symlink_to(tmp_path)
    names = ["in/a.jpg", "/etc/passwd", "../a.jpg", "out/a.jpg", "in/../b.jpg"]
    path = write_lines(tmp_path / "in", [{"photo": name} for name in names])
    items = list(opened(path, base=base).items())
    good = [item.path for item in items if isinstance(item, Wanted)]
    assert good == [str(base / "in/a.jpg"), str(base / "b.jpg")]
    assert [item.photo for item in items if isinstance(item, Failed)] == names[1:4]


def test_a_corpus_gives_names_and_pages(tmp_path):
    lines = [
        {"file": "1.jpg", "tags": [], "page": "https://flickr/1"},
        {"file": "../2.jpg", "tags": []},
        {"file": "3.jpg", "tags": ["sea"]},
    ]
    write_lines(tmp_path / "photos.jsonl", lines)
    for source in (opened(tmp_path), opened(tmp_path / "photos.jsonl")):
        first, bad, last = source.items()
        path = str(tmp_path / "1.jpg")
        assert first == Wanted("1.jpg", "https://flickr/1", "1.jpg", path)
        assert bad.message.startswith("photos.jsonl:2: ")
        assert last.link == "3.jpg"
        assert source.count() == 3
    with pytest.raises(CorpusError, match="are for JSON lines"):
        opened(tmp_path, base=tmp_path)


def test_a_folder_is_all_photos_in_it(tmp_path):
    for name in ("b/2.jpg", "b/c/3.PNG", "1.jpg", "a.txt", ".hidden/4.jpg", "5\n.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / os.fsdecode(b"\xff.jpg")).touch()
    (tmp_path / "linked").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "z.jpg")
    items = list(opened(tmp_path).items())
    good = [item.id for item in items if isinstance(item, Wanted)]
    assert good == ["1.jpg", "b/2.jpg", "b/c/3.PNG"]
    bad = [item.message for item in items if isinstance(item, Failed)]
    assert len(bad) == 4
    assert sum("control character" in message for message in bad) == 2
    assert sum("which is not followed" in message for message in bad) == 2


def test_nothing_to_label(tmp_path):
    with pytest.raises(CorpusError, match="no such file"):
        opened(tmp_path / "gone")
    with pytest.raises(CorpusError, match="holds no photos"):
        opened(tmp_path)
    write_photos(tmp_path)
    with pytest.raises(CorpusError, match="is a photo: give the folder"):
        opened(tmp_path / "0.jpg")


# --- what comes out


def good_ids() -> list[str]:
    return [str(n) for n in range(200) if n % 7 != 3]


def test_csv_has_the_rows_in_order_and_failures_apart(tmp_path, lines):
    output = Output(tmp_path / "out.csv")
    assert label(opened(lines), output, labeller()) == EXPECTED
    assert set(files_of(tmp_path)) == {"out.csv", "out.csv.errors.jsonl"}
    rows = read_rows(output.path)
    expected = "id,link,tag_1,probability_1,tag_2,probability_2,tag_3,probability_3"
    assert ",".join(rows[0]) == expected
    assert ids_of(rows) == good_ids()
    folder = lines.parent
    for row in rows[1:]:
        suggestion = labeller()._tagger.suggest(folder / f"{int(row[0]) % 5}.jpg", 3)
        assert row[1] == f"-{row[0]}"
        assert row[2::2] == [score.tag for score in suggestion.tags]
        probabilities = [score.probability for score in suggestion.tags]
        assert list(map(float, row[3::2])) == pytest.approx(probabilities, abs=1e-6)
    failures = read_objects(output.failures)
    assert [one["line"] for one in failures] == list(range(4, 201, 7))
    assert {one["error"]["code"] for one in failures} == {"bad_line", "photo_error"}
    assert failures[2]["id"] == "gone"


def test_json_lines_hold_all_in_order(tmp_path, lines):
    output = Output(tmp_path / "out.jsonl", "jsonl")
    assert label(opened(lines), output, labeller(0)) == EXPECTED
    assert set(files_of(tmp_path)) == {"out.jsonl"}
    objects = read_objects(output.path)
    assert len(objects) == 200
    assert [one["id"] for one in objects if "tags" in one] == good_ids()
    assert [n for n, one in enumerate(objects) if "error" in one] == [*range(3, 200, 7)]
    assert {len(one["tags"]) for one in objects if "tags" in one} == {7}
    assert list(objects[0]) == ["id", "link", "photo", "tags"]
    assert list(objects[3]) == ["line", "id", "photo", "error"]


def test_parquet_is_the_csv(tmp_path, lines):
    from pyarrow import parquet

    label(opened(lines), Output(tmp_path / "out.csv"), labeller())
    label(opened(lines), Output(tmp_path / "out.parquet", "parquet"), labeller())
    table = parquet.read_table(tmp_path / "out.parquet")
    header, *rows = read_rows(tmp_path / "out.csv")
    assert table.column_names == header
    found = [[str(row["id"]), row["link"]] for row in table.to_pylist()]
    assert found == [row[:2] for row in rows]
    for name in ("probability_1", "probability_3"):
        column = [float(row[header.index(name)]) for row in rows]
        assert table[name].to_pylist() == column
    assert table["tag_2"].to_pylist() == [row[4] for row in rows]


@pytest.mark.parametrize("format_name", ["csv", "jsonl", "parquet"])
def test_no_photos_give_a_file_without_rows(tmp_path, format_name):
    output = Output(tmp_path / "out", format_name)
    counts = label(opened(write_lines(tmp_path / "in", [])), output, labeller())
    assert counts == LabelCounts()
    if format_name == "parquet":
        from pyarrow import parquet

        assert parquet.read_table(output.path).num_rows == 0
    else:
        assert output.path.read_bytes().count(b"\n") == (format_name == "csv")


def test_parquet_without_pyarrow_names_the_extra(tmp_path):
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from lablr.annotation.labelling.formats import check_format\n"
        "check_format('csv'); check_format('parquet')"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "MissingExtra: 'pip install lablr[parquet]' is needed" in done.stderr
    assert issubclass(MissingExtra, Exception)


def test_a_formula_is_data_unless_it_is_for_a_spreadsheet(tmp_path):
    (name, *_) = write_photos(tmp_path)
    path = str(tmp_path / name)
    odd = ["=1+1", "+1", "-1", "@a", 'a,"b"', "1=2", "写真"]
    items = [{"id": text, "link": text, "photo": path} for text in odd]
    source = write_lines(tmp_path / "in.jsonl", items)
    label(opened(source), Output(tmp_path / "plain.csv"), labeller())
    rows = read_rows(tmp_path / "plain.csv")[1:]
    assert [row[:2] for row in rows] == [[text, text] for text in odd]
    quoted = Output(tmp_path / "quoted.csv", spreadsheet=True)
    label(opened(source), quoted, labeller())
    rows = read_rows(quoted.path)[1:]
    expected = [f"'{text}" for text in odd[:4]] + odd[4:]
    assert [row[:2] for row in rows] == [[text, text] for text in expected]


def test_a_stream_gets_each_block_as_it_is_done(lines, caplog):
    stream = io.BytesIO()
    assert label_to_stream(opened(lines), stream, labeller()) == EXPECTED
    assert stream.getvalue().count(b"\n") == 172
    assert caplog.text.count("line 4: not a line of JSON") == 1
    assert len(caplog.records) == 29
    caplog.clear()
    stream = io.BytesIO()
    assert label_to_stream(opened(lines), stream, labeller(), "jsonl") == EXPECTED
    assert stream.getvalue().count(b"\n") == 200
    assert not caplog.records


def test_an_outcome_comes_back_from_its_record():
    for outcome in (
        Labelled("1", "u", "a.jpg", (("sea", 0.5), ("sky", 0.25))),
        Failed("bad_line", "why", None, None, 3),
        Failed("broken_photo", "why", "1", "a.jpg"),
    ):
        assert outcome_of(json.loads(json.dumps(outcome.to_record()))) == outcome


# --- engines


def test_any_engine_that_keeps_the_order_will_do(tmp_path, lines):
    def one_by_one(blocks):
        yield from map(labeller(), blocks)

    label(opened(lines), Output(tmp_path / "a.csv"), labeller(), engine=one_by_one)
    many = in_threads(labeller(), n_threads=5)
    label(opened(lines), Output(tmp_path / "b.csv"), labeller(), engine=many)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_few_blocks_are_held_at_a_time(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg())
    taken = 0

    def endless() -> Iterator[Wanted]:
        nonlocal taken
        for taken in itertools.count(1):
            yield Wanted(str(taken), "", "a.jpg", str(tmp_path / "a.jpg"))

    n_threads = threading.active_count()
    outcomes = in_threads(labeller(), n_threads=3)(blocks_of(endless()))
    for number, block in enumerate(itertools.islice(outcomes, 20)):
        first = number * BLOCK_SIZE + 1
        assert [one.id for one in block] == [
            str(n) for n in range(first, first + BLOCK_SIZE)
        ]
        assert taken <= (number + 5) * BLOCK_SIZE
    outcomes.close()
    assert threading.active_count() == n_threads


def test_what_a_thread_raises_is_raised_in_its_turn():
    def invert(number: int) -> float:
        return 1 / number

    results = map_in_order(invert, [4, 2, 0, 1], n_threads=3, n_ahead=4)
    assert [next(results), next(results)] == [0.25, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(map_in_order(invert, [], 2, 2)) == []
