"""One journal under four: whole lines, one process at a time, old files."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest

from lablr.annotation.labelling.journal import LabelJournal
from lablr.annotation.labelling.outcomes import Labelled
from lablr.corpus.inputs import Failed
from lablr.errors import LabelError, LablrError
from lablr.flickr.push.journal import PushJournal
from lablr.flickr.state import DownloadState
from lablr.metadata.journal import WriteJournal
from lablr.system.journal import Journal

OLD = Path(__file__).parent / "old_journals"
HEADER = {"made_by": "lablr test, form 1", "name": "a"}


def opened(folder: Path, **options) -> Journal:
    header = options.pop("header", HEADER)
    return Journal(folder / "j", LablrError, "at work", header, **options)


def entries(journal: Journal, **options) -> list:
    return list(journal.read(lambda entry: entry, **options))


@pytest.mark.parametrize("header", [HEADER, None])
def test_what_was_added_is_read_and_a_torn_end_dropped(tmp_path, header):
    journal = opened(tmp_path, header=header)
    assert journal.is_new
    journal.add({"photo": "\udcff"})
    journal.add([1, None])
    journal.close()
    whole = journal.path.read_bytes()
    with journal.path.open("ab") as file:
        file.write(b'{"photo": "b"}')
    journal = opened(tmp_path, header=header)
    assert entries(journal) == [{"photo": "\udcff"}, [1, None]]
    assert journal.path.read_bytes() == whole
    journal.add(3)
    assert entries(journal) == [{"photo": "\udcff"}, [1, None], 3]
    journal.close()


def test_a_damaged_line_is_named_or_the_beginning_believed(tmp_path):
    journal = opened(tmp_path)
    for number in (1, 0, 2):
        journal.add(number)
    with pytest.raises(LablrError, match=r"/j:3: damaged"):
        list(journal.read(lambda n: {1: "one", 2: "two"}[n]))
    parse = {1: "one", 2: "two"}.__getitem__
    assert list(journal.read(parse, believes_beginning=True)) == ["one"]
    assert entries(journal) == [1]
    journal.close()


def test_one_process_at_a_time_holds_it(tmp_path):
    journal = opened(tmp_path)
    with pytest.raises(LablrError, match="/j: at work"):
        opened(tmp_path)
    journal.close()
    opened(tmp_path).close()


@pytest.mark.parametrize(
    "torn", [b"", b'{"made', b'{"made_by":"lablr test, form 1","na']
)
def test_a_first_line_that_is_torn_is_written_again(tmp_path, torn):
    (tmp_path / "j").write_bytes(torn)
    journal = opened(tmp_path)
    assert journal.is_new
    assert json.loads(journal.path.read_bytes()) == HEADER
    journal.close()


@pytest.mark.parametrize("other", [b"my notes", b"my notes\n", b"{}\n", b"[]\n"])
def test_another_file_is_left_as_it_is(tmp_path, other):
    (tmp_path / "j").write_bytes(other)
    with pytest.raises(LablrError, match="is no journal of this lablr test"):
        opened(tmp_path)
    assert (tmp_path / "j").read_bytes() == other


def test_a_durable_one_is_private_and_no_link_is_followed(tmp_path):
    opened(tmp_path, is_durable=True).close()
    assert stat.S_IMODE((tmp_path / "j").stat().st_mode) == 0o600
    (tmp_path / "j").rename(tmp_path / "elsewhere")
    (tmp_path / "j").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LablrError, match="cannot be written"):
        opened(tmp_path)


# --- journals that earlier versions wrote


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Journals of version 1 of each command, in a folder of their own."""
    return Path(shutil.copytree(OLD, tmp_path / "old"))


def test_an_old_journal_of_write_is_read(old):
    journal = WriteJournal(old)
    undone, whole, killed = journal.runs.values()
    assert journal.name == "b272ad54"
    assert (undone.to_undo, undone.is_undone, undone.closed) == ([1], True, True)
    assert [str(change.target) for change in undone.changes] == [
        "/photos/1.jpg",
        "/photos/2.jpg.xmp",
        "/photos/3.jpg",
    ]
    assert (whole.to_undo, whole.closed, killed.closed) == ([0], True, False)
    assert whole.changes[0].keywords == [("sea", "typed")]
    journal.add(end=killed.name)
    assert journal.choose(None) is killed
    assert journal.choose(undone.name) is undone
    journal.close()


def test_an_old_journal_of_push_is_read(old):
    journal = PushJournal(old)
    undone, cut_off = journal.of("1@N00").values()
    assert undone.is_undone
    assert undone.changes[0].left == {"newyork": "1-5001-11"}
    assert (cut_off.to_undo, cut_off.unsettled) == ([0], [1])
    assert journal.choose(None) is cut_off
    journal.close()


def test_an_old_journal_of_a_download_is_read(old):
    state = DownloadState()
    journal = Journal(old / "journal.jsonl", LablrError, "at work")
    list(journal.read(state.apply))
    journal.close()
    assert [record["file"] for record in state.records()] == ["photos/7001.jpg"]
    assert [photo.id for photo in state.missing()] == ["7002"]
    assert state.settings is not None
    assert state.settings["per_tag"] == 2
    assert (state.hot, state.searched) == (["sea"], {"sea"})


def test_an_old_journal_of_label_is_read(old):
    described = {"model": "c" * 64, "k": 2, "ranking": "calibrated"}
    path = old / "labels.csv.journal"
    with pytest.raises(LabelError, match="give --resume"):
        LabelJournal(path, described, resume=False)
    journal = LabelJournal(path, described, resume=True)
    first, second = journal.blocks()
    assert first[0] == Labelled(
        "1", "http://x/1", "a/1.jpg", (("sea", 0.5), ("sky", 0.25))
    )
    assert isinstance(first[1], Failed)
    assert first[1].line == 2
    assert [outcome.id for outcome in second] == ["3"]
    journal.close()
