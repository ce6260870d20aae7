"""Labelling that was stopped: whatever lies there, going on makes it whole."""

from __future__ import annotations

import itertools
import random
from dataclasses import asdict
from pathlib import Path

import pytest
from label_makers import (
    EXPECTED,
    N_FILES,
    files_of,
    ids_of,
    labeller,
    opened,
    read_rows,
    write_lines,
    write_photos,
)

from lablr.annotation.labelling.outcomes import BLOCK_SIZE
from lablr.annotation.labelling.run import Output, label
from lablr.errors import LabelError


def uninterrupted(folder: Path, lines: Path, format_name: str = "csv"):
    """The files of a run that nobody stopped."""
    output = Output(folder / f"out.{format_name}", format_name)
    label(opened(lines), output, labeller())
    return files_of(folder)


@pytest.fixture(scope="module")
def journal(tmp_path_factory, lines) -> bytes:
    """The whole journal of a run."""
    output = Output(tmp_path_factory.mktemp("journal") / "out.csv")

    class StoppedError(Exception):
        pass

    def stop_at_the_end(items, total, label):
        yield from items
        raise StoppedError

    with pytest.raises(StoppedError):
        label(opened(lines), output, labeller(), progress=stop_at_the_end)
    return output.journal.read_bytes()


@pytest.mark.parametrize(
    ("format_name", "n_random"), [("csv", 6), ("jsonl", 2), ("parquet", 2)]
)
def test_cut_anywhere_and_resumed_is_as_never_stopped(
    tmp_path, lines, journal, format_name, n_random
):
    (tmp_path / "whole").mkdir()
    expected = uninterrupted(tmp_path / "whole", lines, format_name)
    rng = random.Random(0)
    ends = [0, 1, 50, len(journal) - 1, len(journal)] if format_name == "csv" else []
    ends += [rng.randrange(len(journal)) for _ in range(n_random)]
    for number, end in enumerate(ends):
        folder = tmp_path / str(number)
        folder.mkdir()
        output = Output(folder / f"out.{format_name}", format_name)
        output.journal.write_bytes(journal[:end])
        (folder / "out.csv.partial").write_bytes(b"torn")
        counts = label(opened(lines), output, labeller(), resume=True)
        (folder / "out.csv.partial").unlink(missing_ok=True)
        n_blocks = max(0, journal[:end].count(b"\n") - 1)
        assert counts.resumed == min(200, n_blocks * BLOCK_SIZE)
        assert asdict(counts) | {"resumed": 0} == asdict(EXPECTED)
        assert files_of(folder) == expected


def test_a_damaged_journal_is_believed_up_to_its_damage(tmp_path, lines, journal):
    (tmp_path / "whole").mkdir()
    expected = uninterrupted(tmp_path / "whole", lines)
    whole = journal.splitlines(keepends=True)
    for number, junk in enumerate([b"\0" * 4096, b"[{}]\n", b"[3]\n", b"null\n"]):
        folder = tmp_path / str(number)
        folder.mkdir()
        output = Output(folder / "out.csv")
        output.journal.write_bytes(b"".join([*whole[:4], junk, *whole[5:]]))
        counts = label(opened(lines), output, labeller(), resume=True)
        assert counts.resumed == 3 * BLOCK_SIZE
        assert files_of(folder) == expected


def test_killed_before_the_journal_went_it_is_written_again(tmp_path, lines, journal):
    expected = uninterrupted(tmp_path, lines)
    output = Output(tmp_path / "out.csv")
    output.journal.write_bytes(journal)
    assert not output.is_finished
    counts = label(opened(lines), output, labeller(), resume=True)
    assert counts.resumed == 200
    assert files_of(tmp_path) == expected


def test_another_run_or_input_is_not_resumed(tmp_path, lines, journal):
    output = Output(tmp_path / "out.csv")
    output.journal.write_bytes(journal)
    with pytest.raises(LabelError, match="unfinished run: give --resume"):
        label(opened(lines), output, labeller())
    with pytest.raises(LabelError, match="a run with another tags: give the same"):
        label(opened(lines), output, labeller(2), resume=True)
    other = write_lines(tmp_path / "in", lines.read_text().splitlines()[:20])
    with pytest.raises(LabelError, match="another than before, between its photos 17"):
        label(opened(other), output, labeller(), resume=True)
    assert output.journal.read_bytes() == journal
    output.journal.write_bytes(b"my notes\n")
    with pytest.raises(LabelError, match="is no journal"):
        label(opened(lines), output, labeller(), resume=True)
    assert output.journal.read_bytes() == b"my notes\n"


def test_a_file_that_is_there_is_not_written_over(tmp_path, lines):
    (tmp_path / "out.csv").write_text("precious")
    with pytest.raises(LabelError, match="is there already"):
        label(opened(lines), Output(tmp_path / "out.csv"), labeller(), resume=True)
    assert files_of(tmp_path) == {"out.csv": b"precious"}


def test_an_old_list_of_failures_does_not_stay(tmp_path):
    names = write_photos(tmp_path / "photos")
    output = Output(tmp_path / "out.csv")
    output.failures.write_text("old")
    assert label(opened(tmp_path / "photos"), output, labeller()).labelled == N_FILES
    assert ids_of(read_rows(output.path)) == names
    assert not output.failures.exists()


def test_where_it_cannot_be_written_is_said_at_once(tmp_path, lines):
    with pytest.raises(LabelError, match="cannot be written: No such file"):
        label(opened(lines), Output(tmp_path / "no" / "out.csv"), labeller())


def test_two_runs_do_not_write_to_one_file(tmp_path, lines):
    output = Output(tmp_path / "out.csv")

    def begin_another(items, total, label_text):
        with pytest.raises(LabelError, match="another run is writing"):
            label(opened(lines), output, labeller(), resume=True)
        yield from items

    counts = label(opened(lines), output, labeller(), progress=begin_another)
    assert counts == EXPECTED


def test_stopped_while_storing_all_is_stored_again(tmp_path, lines):
    output, stored = Output(tmp_path / "out.csv"), []

    def fail(photos):
        stored.extend(itertools.islice(photos, 20))
        raise ConnectionError("the database is gone")

    with pytest.raises(ConnectionError):
        label(opened(lines), output, labeller(), store=fail)
    assert not output.path.exists()
    again = []
    counts = label(opened(lines), output, labeller(), resume=True, store=again.extend)
    assert counts.resumed == 200
    assert again[:20] == stored
    assert [photo.id for photo in again] == ids_of(read_rows(output.path))


def test_storing_shows_how_far_it_is(tmp_path, lines):
    stored, seen = [], {}

    def progress(items, total, label):
        seen[label] = [total, 0]
        for item in items:
            seen[label][1] += 1
            yield item

    output = Output(tmp_path / "out.csv")
    counts = label(
        opened(lines), output, labeller(), store=stored.extend, progress=progress
    )
    assert seen["storing predictions"] == [counts.labelled, counts.labelled]
    assert len(stored) == counts.labelled
