"""Bare ONNX Runtime sessions of the bundled encoder: what there is to compare with."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from lablr.encoders.encoder import MAX_THREADS_A_PHOTO
from lablr.system.cpu import available_threads

__all__ = ["bare_session", "runs_of", "session_like_ours", "side_by_side"]


def bare_session(model: bytes, n_threads: int = 0, spinning: bool = True) -> Any:
    """A session as ONNX Runtime makes it; `n_threads` 0 is its default, all cores.

    Its threads spin while they wait, unless told otherwise.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.log_severity_level = 3
    options.add_session_config_entry(
        "session.intra_op.allow_spinning", str(int(spinning))
    )
    return onnxruntime.InferenceSession(
        model, options, providers=["CPUExecutionProvider"]
    )


def session_like_ours(model: bytes) -> Any:
    """A session with the settings of Lablr's encoder for a photo that comes alone."""
    n_threads = min(MAX_THREADS_A_PHOTO, available_threads())
    return bare_session(model, n_threads, spinning=False)


def runs_of(session: Any, images: npt.NDArray[np.float32]) -> Callable[[], object]:
    """A call that encodes normalized images (N, 3, S, S), all in one batch."""
    return lambda: session.run(["posterior_mean"], {"image": images})


def side_by_side(
    model: bytes, image: npt.NDArray[np.float32], n_runs: int, n_at_once: int
) -> Callable[[], object]:
    """A call that encodes one image (1, 3, S, S) `n_runs` times, `n_at_once` abreast.

    All use one session whose runs take one thread each, as photos that come together.
    """
    run = runs_of(bare_session(model, 1), image)
    pool = ThreadPoolExecutor(n_at_once)

    def run_all() -> None:
        for done in [pool.submit(run) for _ in range(n_runs)]:
            done.result()

    return run_all
