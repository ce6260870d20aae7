"""The fixtures of the wing: databases, a desk with its model, and lists to label."""

from __future__ import annotations

from database_makers import clock, database, database_url, postgresql, stocked
from desk_makers import folder, small_model, state
from label_makers import lines

__all__ = [
    "clock",
    "database",
    "database_url",
    "folder",
    "lines",
    "postgresql",
    "small_model",
    "state",
    "stocked",
]
