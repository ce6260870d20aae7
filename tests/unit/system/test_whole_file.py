"""Files that are there whole or not at all."""

from __future__ import annotations

import stat

import pytest

from lablr.system.whole_file import write_bytes, write_whole


def test_a_file_is_replaced_and_nothing_left_beside(tmp_path):
    path = tmp_path / "a"
    for content in (b"old", b"new"):
        write_bytes(path, content)
        assert path.read_bytes() == content
    assert [*tmp_path.iterdir()] == [path]


def test_what_fails_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def fail(file):
        file.write(b"half")
        raise ZeroDivisionError

    for options in ({"write": fail}, {"write": lambda file: 0, "before": fail}):
        with pytest.raises((ZeroDivisionError, AttributeError)):
            write_whole(path, **options)
        assert path.read_bytes() == b"old"
        assert [*tmp_path.iterdir()] == [path]


def test_no_link_is_followed_and_what_was_left_is_replaced(tmp_path):
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    (tmp_path / "a.partial").symlink_to(precious)
    write_bytes(tmp_path / "a", b"new", private=True)
    assert precious.read_bytes() == b"precious"
    assert stat.S_IMODE((tmp_path / "a").lstat().st_mode) == 0o600


def test_a_new_file_does_not_take_anothers_place(tmp_path, monkeypatch):
    path = tmp_path / "a"
    write_bytes(path, b"first", is_new=True)
    with pytest.raises(FileExistsError):
        write_bytes(path, b"second", is_new=True)

    def no_links(*names, **options):
        raise PermissionError

    monkeypatch.setattr("os.link", no_links)
    with pytest.raises(FileExistsError):
        write_bytes(path, b"second", is_new=True)
    assert path.read_bytes() == b"first"
    write_bytes(tmp_path / "b", b"first", is_new=True)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a", "b"]


def test_an_error_names_the_file_that_was_asked_for(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        write_bytes(tmp_path / "no" / "a", b"")
    assert caught.value.filename == str(tmp_path / "no" / "a")
