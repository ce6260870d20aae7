"""kill -9 at any moment of writing or undoing: nothing is lost, torn or doubled."""

from __future__ import annotations

from writing_kills import Files, kill_often


def test_killed_at_random_moments(tmp_path):
    files = Files.make(tmp_path, n_files=40)
    counts = kill_often(files, n_kills=8, seed=7)
    assert counts["kills while writing"] == counts["kills while undoing"] == 4
    assert counts["runs"] >= 1
