"""Room that is put aside, so that a clean-up has some on a disk that is full to the last byte.

SQLite changes nothing without a journal, not even to delete: on such a disk nothing could be
deleted. So a file of real blocks lies beside the catalogue, which a clean-up gives up first.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from camdl import durable
from camdl.domain.retention import Room
from camdl.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 1024 * 1024
# Less than that would not hold the journal of the first few rows.
_SMALLEST = 128 * 1024
# What SQLite's file may grow by while it remembers what is being deleted.
_GROWTH = 128 * 1024
_SUFFIX = ".reserve"


class Reserve:
    """A file beside SQLite's `catalogue`; none at all for a catalogue that is no file here."""

    def __init__(self, catalogue: Path | None) -> None:
        self._path = catalogue and catalogue.with_name(f"{catalogue.name}{_SUFFIX}")

    def give_up(self) -> None:
        """Let the room be used. What is not our file stays, and so does what cannot be deleted."""
        if self._path and self._held():
            with suppress(OSError):
                self._path.unlink()

    def put_aside(self) -> None:
        """Have as much of it as there is room for. It is a help, so that nothing waits for it."""
        if self._path is None:
            return
        with suppress(OSError):
            durable.sweep(self._path.parent, self._path.name)
            size = min(SIZE, self._held() + _free(self._path.parent))
            if size >= _SMALLEST and size > self._held() and self._may_be_written():
                self.give_up()
                # Nothing that a file system could compress, or leave out.
                durable.replace(self._path, os.urandom(size))

    def room(self, place: Path) -> Room:
        """The room on the file system of the directory `place`, once a clean-up is done.

        That is, this is put aside then, and the catalogue may have grown; nothing else has changed.

        Raises:
            StorageError: the system does not tell.
        """
        try:
            found = os.statvfs(place)
            lacking = SIZE - self._held() + _GROWTH if self._is_beside(place) else 0
        except FileNotFoundError:
            return Room(0, 0)
        except OSError as error:
            raise StorageError(f"the room on {place} cannot be told: {error.strerror}") from error
        used = found.f_blocks - found.f_bfree
        return Room(
            # As df counts: what only root may use is nobody's.
            total=(used + found.f_bavail) * found.f_frsize,
            free=found.f_bavail * found.f_frsize - lacking,
            block=found.f_frsize,
        )

    def _is_beside(self, place: Path) -> bool:
        if self._path is None:
            return False
        try:
            return self._path.parent.stat().st_dev == place.stat().st_dev
        except FileNotFoundError:
            return False

    def _held(self) -> int:
        """How many bytes are put aside; 0 if what is there is not ours."""
        found = self._found()
        ours = found and stat.S_ISREG(found.st_mode) and _SMALLEST <= found.st_size <= SIZE
        return found.st_size if found and ours else 0

    def _may_be_written(self) -> bool:
        return self._found() is None or self._held() > 0

    def _found(self) -> os.stat_result | None:
        try:
            return self._path.lstat() if self._path else None
        except OSError:
            return None


def _free(directory: Path) -> int:
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize
