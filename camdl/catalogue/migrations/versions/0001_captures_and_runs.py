"""Captures, what is pending, runs and their streams' results."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def name(length: int) -> sa.String:
    """A short text, in the order of its characters whatever a database's language is."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "runs",
        sa.Column("id", name(40), nullable=False),
        sa.Column("verb", name(20), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.Column("outcome", name(20)),
        sa.Column("exit_code", sa.Integer()),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    op.create_index("ix_runs_verb_started_at", "runs", ["verb", "started_at"])
    op.create_table(
        "stream_results",
        sa.Column("run_id", name(40), nullable=False),
        sa.Column("stream", name(64), nullable=False),
        sa.Column("outcome", name(20), nullable=False),
        sa.Column("listed", sa.Integer(), nullable=False),
        sa.Column("new", sa.Integer(), nullable=False),
        sa.Column("saved", sa.Integer(), nullable=False),
        sa.Column("duplicate", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("newest", INSTANT),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("unreachable", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "stream", name="pk_stream_results"),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name="fk_stream_results_run_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_stream_results_stream_run_id", "stream_results", ["stream", "run_id"])
    op.create_table(
        "captures",
        sa.Column("stream", name(64), nullable=False),
        sa.Column("captured_at", INSTANT, nullable=False),
        sa.Column("key", name(255), nullable=False),
        sa.Column("sha256", name(64), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("source_url", sa.Text(), nullable=False),
        sa.Column("fetched_at", INSTANT, nullable=False),
        sa.Column("run_id", name(40), nullable=False),
        sa.PrimaryKeyConstraint("stream", "captured_at", name="pk_captures"),
    )
    op.create_table(
        "pending",
        sa.Column("stream", name(64), nullable=False),
        sa.Column("captured_at", INSTANT, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("listed_at", INSTANT, nullable=False),
        sa.Column("not_before", INSTANT),
        sa.PrimaryKeyConstraint("stream", "captured_at", name="pk_pending"),
    )


def downgrade() -> None:
    """Drop them, and with them everything that is known."""
    for table in ("pending", "captures", "stream_results", "runs"):
        op.drop_table(table)
