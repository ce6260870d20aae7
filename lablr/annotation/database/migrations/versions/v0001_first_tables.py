"""The first tables.

Written out, not taken from ``lablr.annotation.database.tables``: that one goes on
changing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

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
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.UniqueConstraint("digest", name="uq_model_versions_digest"),
    )
    op.create_table(
        "photos",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.UniqueConstraint("name", name="uq_photos_name"),
    )
    op.create_table(
        "predictions",
        _key("model_id", "model_versions", "predictions", primary_key=True),
        _key("photo_id", "photos", "predictions", primary_key=True),
        sa.Column("rank", sa.Integer(), primary_key=True),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("entropy", sa.Double(), nullable=False),
        sa.UniqueConstraint(
            "model_id", "photo_id", "tag", name="uq_predictions_model_id_photo_id_tag"
        ),
    )


def _make_ratings() -> None:
    op.create_table(
        "raters",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text()),
        sa.UniqueConstraint("name", name="uq_raters_name"),
    )
    op.create_table(
        "ratings",
        sa.Column("id", sa.Integer(), primary_key=True),
        _key("photo_id", "photos", "ratings", nullable=False),
        _key("rater_id", "raters", "ratings", nullable=False),
        _key("model_id", "model_versions", "ratings", nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("k", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.UniqueConstraint(
            "photo_id", "rater_id", name="uq_ratings_photo_id_rater_id"
        ),
        sa.UniqueConstraint("rater_id", "token", name="uq_ratings_rater_id_token"),
        sa.CheckConstraint(
            "verdict IN ('top_right', 'one_of_k_right', 'none_right')",
            name="ck_ratings_verdict",
        ),
        sa.CheckConstraint("k >= 1", name="ck_ratings_k"),
    )
    op.create_index("ix_ratings_rater_id", "ratings", ["rater_id"])
    op.create_index("ix_ratings_model_id", "ratings", ["model_id"])


def _make_what_raters_leave() -> None:
    op.create_table(
        "decisions",
        _key("rating_id", "ratings", "decisions", ondelete="CASCADE", primary_key=True),
        sa.Column("tag", sa.Text(), primary_key=True),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("implied", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "decision IN ('yes', 'no', 'typed')", name="ck_decisions_decision"
        ),
    )
    op.create_index("ix_decisions_tag", "decisions", ["tag"])
    op.create_table(
        "skips",
        _key("photo_id", "photos", "skips", primary_key=True),
        _key("rater_id", "raters", "skips", primary_key=True),
        sa.Column("at", MOMENT, nullable=False),
    )
    op.create_index("ix_skips_rater_id", "skips", ["rater_id"])
    op.create_table(
        "undone",
        _key("rater_id", "raters", "undone", primary_key=True),
        sa.Column("token", sa.Text(), primary_key=True),
        sa.Column("at", MOMENT, nullable=False),
    )


def _key(
    column: str,
    of: str,
    table: str,
    ondelete: str | None = None,
    primary_key: bool = False,
    nullable: bool = False,
) -> sa.Column[int]:
    """Return a column that references the table ``of``."""
    key = sa.ForeignKey(f"{of}.id", name=f"fk_{table}_{column}", ondelete=ondelete)
    return sa.Column(
        column, sa.Integer(), key, primary_key=primary_key, nullable=nullable
    )
