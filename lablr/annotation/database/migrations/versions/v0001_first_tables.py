"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lablr.annotation.database.migrations.versions import key

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make every table."""
    _make_predictions()
    _make_ratings()
    _make_what_raters_leave()


def _make_predictions() -> None:
    op.create_table(
        "model_versions",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("digest", sa.Text(), nullable=False, unique=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
    )
    op.create_table(
        "photos",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False, unique=True),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
    )
    op.create_table(
        "predictions",
        key("model_id", "model_versions", primary_key=True),
        key("photo_id", "photos", primary_key=True),
        sa.Column("rank", sa.Integer(), primary_key=True),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("entropy", sa.Double(), nullable=False),
        sa.UniqueConstraint("model_id", "photo_id", "tag"),
    )


def _make_ratings() -> None:
    op.create_table(
        "raters",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False, unique=True),
        sa.Column("password_hash", sa.Text()),
    )
    verdicts = "verdict IN ('top_right', 'one_of_k_right', 'none_right')"
    op.create_table(
        "ratings",
        sa.Column("id", sa.Integer(), primary_key=True),
        key("photo_id", "photos"),
        key("rater_id", "raters", index=True),
        key("model_id", "model_versions", index=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("k", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.UniqueConstraint("photo_id", "rater_id"),
        sa.UniqueConstraint("rater_id", "token"),
        sa.CheckConstraint(verdicts, name="ck_ratings_verdict"),
        sa.CheckConstraint("k >= 1", name="ck_ratings_k"),
    )


def _make_what_raters_leave() -> None:
    op.create_table(
        "decisions",
        key("rating_id", "ratings", ondelete="CASCADE", primary_key=True),
        sa.Column("tag", sa.Text(), primary_key=True, index=True),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("implied", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "decision IN ('yes', 'no', 'typed')", name="ck_decisions_decision"
        ),
    )
    op.create_table(
        "skips",
        key("photo_id", "photos", primary_key=True),
        key("rater_id", "raters", primary_key=True, index=True),
        sa.Column("at", MOMENT, nullable=False),
    )
    op.create_table(
        "undone",
        key("rater_id", "raters", primary_key=True),
        sa.Column("token", sa.Text(), primary_key=True),
        sa.Column("at", MOMENT, nullable=False),
    )
