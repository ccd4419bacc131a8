"""Alembic runs this for each command; the connection comes from `camdl.catalogue.schema`."""

from __future__ import annotations

from alembic import context

from camdl.catalogue.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite cannot alter most of a table, so Alembic makes a new one and moves the rows.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
