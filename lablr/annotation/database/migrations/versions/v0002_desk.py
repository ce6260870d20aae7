"""The tables of the desk: photos, and what people said of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lablr.annotation.database.migrations.versions import key

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table."""
    _make_photos()
    _make_steps()


def _make_photos() -> None:
    op.create_table(
        "desk_photos",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.UniqueConstraint("folder", "name"),
    )
    op.create_table(
        "desk_descriptions",
        key("photo_id", "desk_photos", primary_key=True),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("latent", sa.LargeBinary()),
        sa.Column("code", sa.Text()),
        sa.Column("message", sa.Text()),
    )
    op.create_table(
        "desk_written",
        key("photo_id", "desk_photos", primary_key=True),
        sa.Column("tag", sa.Text(), primary_key=True),
        sa.Column("beside", sa.Boolean(), primary_key=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
    )


def _make_steps() -> None:
    op.create_table(
        "desk_steps",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("desk", sa.Text(), nullable=False, index=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    marks = "mark IN ('accepted', 'typed', 'rejected', 'cleared')"
    op.create_table(
        "desk_changes",
        sa.Column("id", sa.Integer(), primary_key=True),
        key("step_id", "desk_steps", ondelete="CASCADE", index=True),
        key("photo_id", "desk_photos", index=True),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.CheckConstraint(marks, name="ck_desk_changes_mark"),
    )
