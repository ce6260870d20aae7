"""Threads of NumPy's linear algebra."""

from __future__ import annotations

import os

__all__ = ["use_one_blas_thread"]


def use_one_blas_thread() -> None:
    """Let NumPy compute in the thread that asks; call it before NumPy is imported.

    Suggesting multiplies small matrices, several photos at a time. OpenBLAS would
    spread each over all cores and let its threads wait in busy loops: where other
    programs use the cores, loading a model then takes twenty times as long. A value
    already set is kept.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
