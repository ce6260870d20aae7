"""The tables of the desk.

Written out, not taken from ``lablr.annotation.database.tables``: that one goes on
changing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make what the desk keeps of photos, and of what people said of them."""
    _make_photos()
    _make_steps()


def _make_photos() -> None:
    op.create_table(
        "desk_photos",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.UniqueConstraint("folder", "name", name="uq_desk_photos_folder_name"),
    )
    op.create_table(
        "desk_descriptions",
        _photo("desk_descriptions", primary_key=True),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("latent", sa.LargeBinary()),
        sa.Column("code", sa.Text()),
        sa.Column("message", sa.Text()),
    )
    op.create_table(
        "desk_written",
        _photo("desk_written", primary_key=True),
        sa.Column("tag", sa.Text(), primary_key=True),
        sa.Column("beside", sa.Boolean(), primary_key=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
    )


def _make_steps() -> None:
    op.create_table(
        "desk_steps",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("desk", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_desk_steps_desk", "desk_steps", ["desk"])
    step = sa.ForeignKey(
        "desk_steps.id", name="fk_desk_changes_step_id", ondelete="CASCADE"
    )
    op.create_table(
        "desk_changes",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("step_id", sa.Integer(), step, nullable=False),
        _photo("desk_changes"),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "mark IN ('accepted', 'typed', 'rejected', 'cleared')",
            name="ck_desk_changes_mark",
        ),
    )
    op.create_index("ix_desk_changes_step_id", "desk_changes", ["step_id"])
    op.create_index("ix_desk_changes_photo_id", "desk_changes", ["photo_id"])


def _photo(table: str, primary_key: bool = False) -> sa.Column[int]:
    key = sa.ForeignKey("desk_photos.id", name=f"fk_{table}_photo_id")
    return sa.Column(
        "photo_id", sa.Integer(), key, primary_key=primary_key, nullable=False
    )
