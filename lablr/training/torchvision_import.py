"""Imports torchvision, also beside a PyTorch that cannot load its operators.

torchvision's wheel holds compiled operators that need the PyTorch they were
built for. Beside a CPU build of PyTorch they do not load, and ``import
torchvision`` then fails on ``operator torchvision::nms does not exist``: it
registers the shapes of two operators that nobody declared. Lablr needs none of
the operators, only models and transforms; declaring the two is enough.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from lablr.errors import MissingExtra

# Keeps the declarations alive: they go when their Library is collected.
_declared: list[object] = []


def import_torchvision() -> ModuleType:
    """Return the imported ``torchvision``, with its operators or without.

    Raises ``MissingExtra`` when torchvision is not installed, and whatever
    torchvision raises when it fails for any other reason than missing operators.
    """
    try:
        return importlib.import_module("torchvision")
    except ModuleNotFoundError as error:
        raise MissingExtra("train", "train an encoder") from error
    except RuntimeError as error:
        if "torchvision::" not in str(error) or _declared:
            raise
    # The failed import left its submodules behind, half initialised.
    for name in [name for name in sys.modules if name.startswith("torchvision.")]:
        del sys.modules[name]
    _declare_operators()
    return importlib.import_module("torchvision")


def _declare_operators() -> None:
    """Return Declare the two operators whose shapes torchvision registers on import."""
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(
            f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        )
    _declared.append(library)
