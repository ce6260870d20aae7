"""Arrays read back from a bundle: used only where they are as they were written."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lablr.errors import BundleError
from lablr.system.arrays import Arrays

__all__ = ["Arrays", "checked"]


def checked(
    arrays: Arrays,
    key: str,
    shape: tuple[int | None, ...],
    file: str,
    dtype: type[np.generic] | None = None,
) -> npt.NDArray[Any]:
    """Return one finite array of a shape, None for any length above 0.

    It has this `dtype`, or without one is of any floats and returned as float64.
    Raises BundleError, naming the file and the array, when it is something else.
    """
    found = arrays.get(key)
    own = "nothing" if found is None else f"{found.shape} {found.dtype}"
    if (
        found is None
        or len(found.shape) != len(shape)
        or any(
            n != wanted and (wanted is not None or not n)
            for n, wanted in zip(found.shape, shape, strict=True)
        )
        or (found.dtype.kind != "f" if dtype is None else found.dtype != dtype)
    ):
        lengths = ", ".join("n" if n is None else str(n) for n in shape)
        kind = "floats" if dtype is None else np.dtype(dtype)
        raise BundleError(f"{file}: expected {key} ({lengths}) {kind}, found {own}")
    if not np.isfinite(found).all():
        raise BundleError(f"{file}: the numbers of {key} are not all finite")
    return found.astype(np.float64, copy=False) if dtype is None else found
