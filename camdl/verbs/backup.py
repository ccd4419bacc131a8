"""`camdl db backup`: a consistent copy of the catalogue, while runs go on."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from camdl import durable
from camdl.errors import StorageError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


class Copying(Protocol):
    """A catalogue that can be copied."""

    @property
    def name(self) -> str:
        """What to call the database."""
        ...

    @property
    def file(self) -> Path | None:
        """Its file; None for one that has none."""
        ...

    def refuse(self, target: Path) -> None:
        """Raise what speaks against a copy to `target`; nothing is written."""
        ...

    def copy(self, target: Path) -> int:
        """Write a copy into the empty file `target`, check it, and say how many captures it has."""
        ...


def backup(catalogue: Copying, file: Path, *, force: bool = False) -> str:
    """Copy the catalogue as it is at one moment to `file`, and say so.

    The copy is checked and on the disk before it gets its name.

    Raises:
        UsageError: `file` is there already and `force` is not given, or is the catalogue itself.
        ConfigError: another program copies such a database.
        CatalogueError: the catalogue cannot be read, or is damaged.
        StorageError: the copy cannot be written; what was there is as it was.
    """
    catalogue.refuse(file)
    if _is_same(file, catalogue.file):
        raise UsageError(f"{file} is the catalogue itself")
    if os.path.lexists(file) and not force:
        raise UsageError(f"{file} exists already", advice="Replace it with --force.")
    try:
        durable.sweep(file.parent, file.name)
        with durable.built(file) as unnamed:
            captures = catalogue.copy(unnamed)
            size = unnamed.stat().st_size
    except OSError as error:
        raise StorageError(f"{file} cannot be written: {error.strerror or error}") from error
    return f"{file}: {captures} captures, {size / 1e6:.1f} MB, checked"


def _is_same(file: Path, other: Path | None) -> bool:
    with suppress(OSError):
        return other is not None and file.samefile(other)
    return False
