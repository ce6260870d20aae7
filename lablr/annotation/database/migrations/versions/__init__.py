"""The steps, one module each.

They are written out, not taken from ``lablr.annotation.database.tables``, which goes on
changing; only the convention by which constraints and indexes are named is taken. The
checks of the first two steps were named in full, so it named them twice, and databases
have ``ck_ratings_ck_ratings_k``.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


def key(
    column: str, of: str, ondelete: str | None = None, **options: Any
) -> sa.Column[int]:
    """Return a column that references the table ``of``."""
    reference = sa.ForeignKey(f"{of}.id", ondelete=ondelete)
    return sa.Column(column, sa.Integer(), reference, nullable=False, **options)
