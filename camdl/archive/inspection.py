"""The archive's files for those who verify them: what is there, in place or not, and put right."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from camdl import durable
from camdl.archive.local import MARKER
from camdl.domain.verification import FoundFile, is_in_place, is_temporary, named
from camdl.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_READ_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_PIECE = 1 << 20
# Their content is gone for good, other than with a permission that is lacking.
_LOST = frozenset({errno.EIO, errno.ENODATA, errno.EUCLEAN, errno.EBADMSG})


class LocalInspection:
    """Implements `camdl.verbs.verify.Files` below the directory `root`.

    Keys are paths below `root`. Every method raises `StorageError` where the files cannot be
    looked at or changed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def is_there(self) -> bool:
        """Whether this is the archive at all, and no mount point with nothing mounted."""
        try:
            return (self._root / MARKER).is_file() or any(self._root.glob("*/????-??-??/*Z_*.jpg"))
        except OSError as error:
            raise _unusable(self._root, error) from error

    def is_bare(self, stream: str) -> bool:
        """Whether the directory of `stream` has nothing in it at all, or is not there."""
        return not self._entries(stream)

    def places(self) -> list[str]:
        """The directories in which streams are, or might be."""
        return [one.name for one in self._entries("") if one.is_dir(follow_symlinks=False)]

    def captures(self, stream: str) -> Iterator[FoundFile]:
        """The files of `stream` that are where their names belong, by time.

        Read a day at a time.
        """
        for day in self._entries(stream):
            if not day.is_dir(follow_symlinks=False):
                continue
            for one in self._entries(f"{stream}/{day.name}"):
                key = f"{stream}/{day.name}/{one.name}"
                if is_in_place(key) and (found := _found(key, one)):
                    yield found

    def strays(self, places: Sequence[str] | None) -> Iterator[str]:
        """Files with a capture's name where it does not belong, and temporary ones.

        Below the directories `places`; everywhere if it is None. A temporary file that somebody is
        writing just now is none.
        """
        if places is not None:
            for place in places:
                yield from self._strays(place)
            return
        yield from self._strays("")

    def look(self, key: str) -> FoundFile | None:
        """The file of `key`; None if there is none."""
        try:
            facts = (self._root / key).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unusable(self._root / key, error) from error
        return FoundFile(key, facts.st_size if stat.S_ISREG(facts.st_mode) else None)

    def is_abandoned(self, key: str) -> bool:
        """Whether `key` is a temporary file that is there and that nobody is writing."""
        return durable.is_abandoned(self._root / key)

    def modified_at(self, key: str) -> datetime:
        """When the content of the file was last written, in UTC."""
        try:
            seconds = (self._root / key).lstat().st_mtime
            return datetime.fromtimestamp(int(seconds), UTC)
        except OSError as error:
            raise _unusable(self._root / key, error) from error
        except (ValueError, OverflowError):  # a file system that has gone wrong tells any number
            return datetime.fromtimestamp(0, UTC)

    def sha256(self, key: str) -> str | OSError | None:
        """The hash of the file's bytes; None if there is none, an error if they are lost."""
        try:
            descriptor = os.open(f"{self._root}/{key}", _READ_FLAGS)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            return self._lost(key, error)
        digest = hashlib.sha256()
        try:
            while piece := os.read(descriptor, _PIECE):
                digest.update(piece)
        except OSError as error:
            return self._lost(key, error)
        finally:
            os.close(descriptor)
        return digest.hexdigest()

    def read(self, key: str) -> bytes | OSError | None:
        """The file's bytes; None if there is none, an error if they are lost."""
        try:
            descriptor = os.open(f"{self._root}/{key}", _READ_FLAGS)
            with open(descriptor, "rb") as file:  # noqa: PTH123  # a file descriptor
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            return self._lost(key, error)

    def set_aside(self, key: str) -> str:
        """Give the file a name beside it that is no capture's, durably, and return its new key."""
        number = 0
        while os.path.lexists(self._root / (aside := _aside(key, number))):
            number += 1
        self._rename(key, aside)
        return aside

    def move(self, key: str, to: str) -> None:
        """Give the file the key `to`, durably. Nothing may be there."""
        target = self._root / to
        try:
            durable.make_directory(target.parent)
        except OSError as error:
            raise _unusable(target.parent, error) from error
        if os.path.lexists(target):
            raise StorageError(f"{target} is there already")
        self._rename(key, to)

    def sweep(self, key: str) -> None:
        """Remove the temporary file `key`, unless somebody is writing it."""
        path = self._root / key
        try:
            durable.remove_abandoned(path)
            durable.sync_directory(path.parent)
        except OSError as error:
            raise _unusable(path, error) from error

    def _strays(self, place: str) -> Iterator[str]:
        prefix = f"{place}/" if place else ""
        for one in self._entries(place):
            key = f"{prefix}{one.name}"
            if one.is_dir(follow_symlinks=False):
                yield from self._strays(key)
            elif named(one.name):
                if not is_in_place(key):
                    yield key
            elif is_temporary(one.name) and self.is_abandoned(key):
                yield key

    def _entries(self, place: str) -> list[os.DirEntry[str]]:
        """What is in a directory, by name; nothing if it is none."""
        path = f"{self._root}/{place}" if place else str(self._root)
        try:
            with os.scandir(path) as entries:
                return sorted(entries, key=lambda one: one.name)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _unusable(self._root / place, error) from error

    def _rename(self, key: str, to: str) -> None:
        source, target = self._root / key, self._root / to
        try:
            source.rename(target)
            durable.sync_directory(target.parent)
            if source.parent != target.parent:
                durable.sync_directory(source.parent)
        except OSError as error:
            raise _unusable(source, error) from error

    def _lost(self, key: str, error: OSError) -> OSError:
        """`error`, if it is that one file's.

        Raises:
            StorageError: it is the fault of more than the file.
        """
        if error.errno in _LOST:
            return error
        raise _unusable(self._root / key, error) from error


def _found(key: str, entry: os.DirEntry[str]) -> FoundFile | None:
    try:
        facts = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"{entry.path} cannot be used: {error.strerror or error}") from error
    return FoundFile(key, facts.st_size if stat.S_ISREG(facts.st_mode) else None)


def _aside(key: str, number: int) -> str:
    return f"{key}.{number}.bad" if number else f"{key}.bad"


def _unusable(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path} cannot be used: {error.strerror or error}")
