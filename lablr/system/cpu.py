"""Cores, memory and threads of computations."""

from __future__ import annotations

import ctypes
import os
import sys

# malloc.h of the GNU C library.
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4


def available_threads() -> int:
    """Return the number of CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_freed_memory() -> None:
    """Let this process keep the memory it frees instead of returning it at once.

    A training step allocates the same feature maps as the step before. By default
    the GNU C library hands each back to the system and asks for it again, page by
    page, which costs a third of the time. Does nothing on other systems.
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def use_one_blas_thread() -> None:
    """Let NumPy compute in the thread that asks; call it before NumPy is imported.

    Suggesting multiplies small matrices, several photos at a time. OpenBLAS would
    spread each over all cores and let its threads wait in busy loops: where other
    programs use the cores, loading a model then takes twenty times as long. A value
    already set is kept.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
