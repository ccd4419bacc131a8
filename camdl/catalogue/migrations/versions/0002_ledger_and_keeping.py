"""What is missing and why, what is kept whatever happens, and what is being deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def name(length: int) -> sa.String:
    """A short text, in the order of its characters whatever a database's language is."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables, and the columns beside those that were there."""
    op.create_table(
        "pins",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=True),
        sa.Column("stream", name(64), nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("pinned_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pins"),
    )
    op.create_table(
        "doomed",
        sa.Column("key", name(255), nullable=False),
        sa.Column("stream", name(64), nullable=False),
        sa.Column("captured_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_doomed"),
    )
    op.create_table(
        "horizons",
        sa.Column("stream", name(64), nullable=False),
        sa.Column("kept_since", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("stream", name="pk_horizons"),
    )
    op.create_table(
        "readings",
        sa.Column("stream", name(64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("read_at", INSTANT, nullable=False),
        sa.Column("listed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "day", name="pk_readings"),
    )
    op.create_table(
        "gaps",
        sa.Column("stream", name(64), nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False),
        sa.Column("missing", sa.Integer(), nullable=False),
        sa.Column("cause", name(20), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("found_at", INSTANT, nullable=False),
        sa.Column("confirmed_at", INSTANT),
        sa.Column("resolved_at", INSTANT),
        sa.PrimaryKeyConstraint("stream", "starts_at", name="pk_gaps"),
    )
    op.create_table(
        "rests",
        sa.Column(
            "origin",
            sa.String(255).with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("until", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("origin", name="pk_rests"),
    )
    with op.batch_alter_table("captures") as captures:
        captures.add_column(sa.Column("verified_at", INSTANT))
    with op.batch_alter_table("stream_results") as results:
        results.add_column(sa.Column("deleted", sa.Integer(), nullable=False, server_default="0"))
        results.add_column(
            sa.Column("freed_bytes", sa.BigInteger(), nullable=False, server_default="0")
        )
    with op.batch_alter_table("stream_results") as results:
        results.alter_column("deleted", server_default=None)
        results.alter_column("freed_bytes", server_default=None)
    with op.batch_alter_table("pending") as pending:
        # What an older version has rejected it remembers as failed, until it is asked for again.
        pending.add_column(
            sa.Column("rejected", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    with op.batch_alter_table("pending") as pending:
        pending.alter_column("rejected", server_default=None)


def downgrade() -> None:
    """Go back, and forget what these held."""
    with op.batch_alter_table("pending") as pending:
        pending.drop_column("rejected")
    with op.batch_alter_table("stream_results") as results:
        results.drop_column("freed_bytes")
        results.drop_column("deleted")
    with op.batch_alter_table("captures") as captures:
        captures.drop_column("verified_at")
    for table in ("rests", "gaps", "readings", "horizons", "doomed", "pins"):
        op.drop_table(table)
