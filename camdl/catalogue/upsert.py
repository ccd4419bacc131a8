"""Inserting what may be there already, which both databases write alike and SQLAlchemy does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Table


def upsert(connection: Connection, table: Table, replace: Sequence[str] = ()) -> Any:
    """An INSERT into `table`; of rows that are there the columns `replace` are replaced."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
    add = insert(table)
    if not replace:
        return add.on_conflict_do_nothing()
    return add.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: add.excluded[name] for name in replace},
    )
