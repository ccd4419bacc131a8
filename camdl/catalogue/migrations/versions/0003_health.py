"""What the verdict on the archive and its metrics need to know of each run, and kept sums."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def name(length: int) -> sa.String:
    """A short text, in the order of its characters whatever a database's language is."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the columns and tables, and sum up what is archived."""
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("clock_offset_seconds", sa.Float()))
    with op.batch_alter_table("stream_results") as results:
        # What older versions saved is known of captures alone.
        results.add_column(
            sa.Column("saved_bytes", sa.BigInteger(), nullable=False, server_default="0")
        )
    with op.batch_alter_table("stream_results") as results:
        results.alter_column("saved_bytes", server_default=None)
    op.create_table(
        "failures",
        sa.Column("run_id", name(40), nullable=False),
        sa.Column("stream", name(64), nullable=False),
        sa.Column("kind", name(20), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "stream", "kind", name="pk_failures"),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name="fk_failures_run_id", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "totals",
        sa.Column("name", name(20), nullable=False),
        sa.Column("subject", name(64), nullable=False),
        sa.Column("kind", name(20), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "subject", "kind", name="pk_totals"),
    )
    op.execute(
        "INSERT INTO totals (name, subject, kind, amount) "
        "SELECT 'captures', stream, '', COUNT(*) FROM captures GROUP BY stream"
    )
    op.execute(
        "INSERT INTO totals (name, subject, kind, amount) "
        "SELECT 'bytes', stream, '', SUM(bytes) FROM captures GROUP BY stream"
    )


def downgrade() -> None:
    """Go back, and forget what these held."""
    op.drop_table("totals")
    op.drop_table("failures")
    with op.batch_alter_table("stream_results") as results:
        results.drop_column("saved_bytes")
    with op.batch_alter_table("runs") as runs:
        runs.drop_column("clock_offset_seconds")
