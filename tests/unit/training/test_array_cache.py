"""Rows of arrays on disk: read as they are wanted, and held by nobody."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from lablr.training.array_cache import ArrayCache, RowFile, find_rows, write_rows


@pytest.fixture
def array() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (9, 3, 4), np.uint8)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "bool"])
@pytest.mark.parametrize("rows", [[], [4], [8, 0, 3, 3], range(9)])
def test_rows_are_those_of_the_array(array, tmp_path, dtype, rows):
    whole = array.astype(dtype)
    written = write_rows(tmp_path / "a.npy", whole.shape, dtype, whole)
    wanted = whole[list(rows)]
    for found in (written[rows], RowFile(tmp_path / "a.npy")[rows]):
        assert found.dtype == dtype
        assert np.array_equal(found, wanted)
    assert np.array_equal(np.load(tmp_path / "a.npy"), whole)
    assert (len(written), written.shape) == (9, (9, 3, 4))


def test_rows_of_single_numbers(tmp_path):
    flags = np.array([True, False, True])
    written = write_rows(tmp_path / "a.npy", (3,), bool, [flags])
    assert written[[1, 2]].tolist() == [False, True]
    assert np.array_equal(written.load(), flags)


def test_a_file_that_is_cut_off_meanwhile(array, tmp_path):
    rows = write_rows(tmp_path / "a.npy", array.shape, np.uint8, array)
    os.truncate(tmp_path / "a.npy", (tmp_path / "a.npy").stat().st_size - 1)
    assert np.array_equal(rows[[7]], array[[7]])
    with pytest.raises(OSError, match="was cut off while it was read"):
        rows[[8]]
    assert find_rows(tmp_path / "a.npy", array.shape, np.uint8) is None


def test_rows_in_another_order_are_not_read(array, tmp_path):
    np.save(tmp_path / "a.npy", np.asfortranarray(array))
    assert find_rows(tmp_path / "a.npy", array.shape, np.uint8) is None


def test_rows_on_disk_are_no_memory_of_the_process(tmp_path):
    # In a process of its own: memory that another test has let go would be used again.
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        process.submit(read_rows_on_disk_and_in_memory, tmp_path).result()


def read_rows_on_disk_and_in_memory(tmp_path):
    n_rows, row = 64, np.ones((1 << 20,), np.uint8)
    path = tmp_path / "a.npy"
    rows = write_rows(path, (n_rows, *row.shape), np.uint8, [row] * n_rows)
    before = resident_bytes()
    for number in range(n_rows):
        assert rows[[number]][0, -1] == 1
    assert resident_bytes() - before < 16 << 20
    held = ArrayCache(tmp_path, in_memory=True).opened(rows)
    assert held.sum() == n_rows << 20
    assert resident_bytes() - before > 48 << 20
    assert ArrayCache(tmp_path).opened(rows) is rows


def resident_bytes() -> int:
    """What this process holds now, by Linux's own count."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
