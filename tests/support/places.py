"""Where things lie in the checkout."""

from __future__ import annotations

from pathlib import Path

__all__ = ["ROOT", "SUPPORT"]

SUPPORT = Path(__file__).parent
ROOT = SUPPORT.parent.parent
