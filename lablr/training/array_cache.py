"""Arrays on disk of which a few rows are wanted at a time.

Rows are read into memory of their own and not mapped: pages of a mapped file count
as the process's memory, and an epoch would touch all of them.
"""

from __future__ import annotations

import logging
import math
import os
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from lablr.system.progress import Progress, silent
from lablr.training.run_folder import locked, write_whole

log = logging.getLogger("lablr")


class RowFile:
    """The rows of a ``.npy`` file; ``rows[[3, 1]]`` reads two of them.

    Raises FileNotFoundError without the file; OSError, ValueError or EOFError when
    it is something else or cut off.
    """

    def __init__(self, path: Path) -> None:
        array = np.lib.format.open_memmap(path, mode="r")  # reads the header only
        if not array.flags.c_contiguous:
            raise ValueError(f"{path} is not in row order")
        self.shape: tuple[int, ...] = array.shape
        self.dtype: np.dtype[Any] = array.dtype
        self._start: int = array.offset
        self._path = path
        self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: npt.ArrayLike) -> npt.NDArray[Any]:
        """Read the rows of these numbers, in their order; raises OSError."""
        numbers = np.asarray(rows)
        found = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        n_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        as_bytes = found.view(np.uint8).reshape(len(numbers), n_bytes)
        for row, number in zip(as_bytes, numbers.tolist(), strict=True):
            place = self._start + number * n_bytes
            if os.preadv(self._descriptor, [row.data], place) != n_bytes:
                raise OSError(f"{self._path} was cut off while it was read")
        return found

    def load(self) -> npt.NDArray[Any]:
        """Read every row into memory."""
        array: npt.NDArray[Any] = np.load(self._path)
        return array


# Indexed by an array of row numbers: on disk, or in memory.
Rows = RowFile | npt.NDArray[Any]


@dataclass(frozen=True)
class ArrayCache:
    """The folder in which a run keeps its rows.

    Attributes
    ----------
    folder : of the files; several runs may share it.
    in_memory : whether their rows are read at once, or as they are wanted.
    progress : sees how far the filling of a file has come.
    """

    folder: Path
    in_memory: bool = False
    progress: Progress = silent

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Let one process at a time write to the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        busy = f"another run is filling {self.folder}"
        with locked(self.folder / ".filling", busy, wait=True):
            yield

    def opened(self, rows: RowFile) -> Rows:
        """Return the rows, in memory where they should be."""
        return rows.load() if self.in_memory else rows


def find_rows(
    path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike
) -> RowFile | None:
    """Return the rows of a cache file, or None when it is missing or damaged."""
    try:
        rows = RowFile(path)
        if rows.shape == shape and rows.dtype == dtype:
            return rows
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError):
        pass  # as good as of another shape
    log.warning("%s is damaged and made anew", path)
    return None


def write_rows(
    path: Path,
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    parts: Iterable[npt.NDArray[Any]],
) -> RowFile:
    """Write the parts of an array one after the other, whole or not at all.

    Plain writing, because a full disk is an error there; written through a memory
    map it is a signal that ends the process.
    """
    header = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)),
        "fortran_order": False,
        "shape": shape,
    }

    def write(file: BinaryIO) -> None:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(part, dtype).data)

    write_whole(path, write)
    return RowFile(path)
