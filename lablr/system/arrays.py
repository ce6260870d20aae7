"""Types of arrays by what they hold; docstrings say their shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]
Reals = NDArray[np.floating]  # of any precision
Pixels = NDArray[np.uint8]
Names = NDArray[np.str_]
# As an .npz file has them.
Arrays = dict[str, NDArray[Any]]
