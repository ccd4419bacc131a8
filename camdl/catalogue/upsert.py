"""Inserting what may be there already, which both databases write alike and SQLAlchemy does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Table


def upsert(
    connection: Connection,
    table: Table,
    replace: Sequence[str] = (),
    *,
    add: Sequence[str] = (),
) -> Any:
    """An INSERT into `table`; of rows that are there the columns `replace` are replaced.

    To the columns `add` what is inserted is added.
    """
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
    new = insert(table)
    if not replace and not add:
        return new.on_conflict_do_nothing()
    sums = {name: table.c[name] + new.excluded[name] for name in add}
    return new.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: new.excluded[name] for name in replace} | sums,
    )
