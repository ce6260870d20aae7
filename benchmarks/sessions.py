"""Bare ONNX Runtime sessions of the bundled encoder: what there is to compare with."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

__all__ = ["bare_session", "runs_of", "side_by_side"]


def bare_session(model: bytes, n_threads: int = 0) -> Any:
    """A session as ONNX Runtime makes it; `n_threads` 0 is its default, all cores."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model, options, providers=["CPUExecutionProvider"]
    )


def runs_of(session: Any, images: npt.NDArray[np.float32]) -> Callable[[], object]:
    """A call that encodes normalized images (N, 3, S, S), all in one batch."""
    return lambda: session.run(["posterior_mean"], {"image": images})


def side_by_side(
    model: bytes, image: npt.NDArray[np.float32], n_runs: int, n_at_once: int
) -> Callable[[], object]:
    """A call that encodes one image (1, 3, S, S) `n_runs` times, `n_at_once` abreast.

    All use one session whose runs take one thread each, as Lablr's encoder does.
    """
    run = runs_of(bare_session(model, 1), image)
    pool = ThreadPoolExecutor(n_at_once)

    def run_all() -> None:
        for done in [pool.submit(run) for _ in range(n_runs)]:
            done.result()

    return run_all
