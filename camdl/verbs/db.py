"""`camdl db`: which schema the catalogue has, and bringing it to this version's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from camdl.ports import Lock


class Schema(Protocol):
    """The schema of a catalogue. Revisions are the migrations' numbers."""

    @property
    def name(self) -> str:
        """What to call the database."""
        ...

    @property
    def head(self) -> str:
        """The revision that this version needs."""
        ...

    def revision(self) -> str:
        """The revision that the database has; empty if it has none."""
        ...

    def upgrade(self) -> None:
        """Run the migrations that it lacks."""
        ...


def current(schema: Schema) -> str:
    """Which schema there is, and which is needed.

    Raises:
        CatalogueError: the database cannot be read.
    """
    has = schema.revision()
    if not has:
        return f"{schema.name}: no catalogue yet; this version needs schema {schema.head}"
    if has == schema.head:
        return f"{schema.name}: schema {has}, which is this version's"
    return f"{schema.name}: schema {has}; this version needs {schema.head}"


def upgrade(schema: Schema, lock: Lock) -> str:
    """Bring the catalogue to this version's schema, while no run works on it, and say so.

    A catalogue that has it already is left to the run that may be going on.

    Raises:
        LockHeldError: a run is going on.
        CatalogueError: the database cannot be changed; it is as it was.
        ConfigError: it is of a newer camdl.
    """
    if schema.revision() == schema.head:
        return f"{schema.name}: schema {schema.head} already"
    with lock.hold(0):
        before = schema.revision()
        schema.upgrade()
    return f"{schema.name}: schema {before or 'none'} -> {schema.head}"
