"""What people were told, what is still to be sent, and what decides when they are told again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def name(length: int) -> sa.String:
    """A short text, in the order of its characters whatever a database's language is."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "standings",
        sa.Column("subject", name(100), nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("counted_at", INSTANT, nullable=False),
        sa.Column("bad", sa.Integer(), nullable=False),
        sa.Column("good", sa.Integer(), nullable=False),
        sa.Column("since", INSTANT),
        sa.Column("alerted_at", INSTANT),
        sa.Column("told_at", INSTANT),
        sa.Column("recovered_at", INSTANT),
        sa.Column("relapses", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_standings"),
    )
    op.create_table(
        "notices",
        sa.Column("id", name(40), nullable=False),
        sa.Column("kind", name(20), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("items", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
    )
    op.create_table(
        "parcels",
        sa.Column("notice_id", name(40), nullable=False),
        sa.Column("channel", name(40), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("claimed_until", INSTANT),
        sa.Column("sent_at", INSTANT),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("notice_id", "channel", name="pk_parcels"),
        sa.ForeignKeyConstraint(
            ["notice_id"], ["notices.id"], name="fk_parcels_notice_id", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    """Go back, and forget what these held."""
    for table in ("parcels", "notices", "standings"):
        op.drop_table(table)
