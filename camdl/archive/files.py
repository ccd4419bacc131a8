"""The archive's files for those who delete and verify them: each step is checked and durable."""

from __future__ import annotations

import errno
import os
import re
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from camdl import durable
from camdl.archive.local import MARKER
from camdl.domain.captures import STREAM_NAME, Capture
from camdl.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from pathlib import Path

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
# Never through a link: what is behind one is not the archive's.
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# What is wrong with one file or one directory; anything else is wrong with the file system.
_OF_ONE = frozenset(
    {errno.EPERM, errno.EACCES, errno.EISDIR, errno.EBUSY, errno.ENOTDIR, errno.ELOOP}
)


class LocalFiles:
    """Implements `camdl.ports.Files` below the directory `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def refusal(self) -> str:
        """Why nothing in here may be deleted, in one line; empty if it may.

        Raises:
            StorageError: that cannot be told.
        """
        try:
            if self._root.is_symlink():
                return f"{self._root} is a symbolic link, to {self._root.readlink()}"
            if not (self._root / MARKER).is_file():
                return f"{self._root} does not carry camdl's marker, {MARKER}: is it mounted?"
            for stream in self._root.iterdir():
                if STREAM_NAME.fullmatch(stream.name) and stream.is_symlink():
                    return f"{stream} is a symbolic link, to {stream.readlink()}"
        except OSError as error:
            raise _unusable(self._root, error) from error
        return ""

    def keys(self, before: date | None = None) -> Iterator[str]:
        """The key of every file that has the name of a capture: by stream, then by time.

        Only those of days before `before` (UTC), if it is given.

        Raises:
            StorageError: the files cannot be listed.
        """
        last = before.isoformat() if before else "~"  # which comes after every digit
        for stream, days in self._tree():
            for day in days:
                if day < last:
                    keys = (f"{stream}/{day}/{name}" for name in self._names(stream, day))
                    yield from (key for key in keys if Capture.from_key(key))

    def size(self, key: str) -> int | None:
        """How many bytes the file of `key` has; None if there is none.

        Raises:
            StorageError: that cannot be told.
        """
        path = self._root / key
        try:
            return path.lstat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unusable(path, error) from error

    def read(self, key: str) -> bytes | None:
        """The bytes of the file of `key`; None if there is none.

        Raises:
            StorageError: it is there and cannot be read.
        """
        path = self._root / key
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unusable(path, error) from error

    def delete(self, keys: Sequence[str]) -> dict[str, str]:
        """Delete the files of `keys` durably; those that are not there do not matter.

        Returns those that could not be deleted, with the reason in one line.

        Raises:
            StorageError: the file system cannot be changed, or a key is not the archive's own.
        """
        directories: dict[tuple[str, str], list[str]] = {}
        for key in keys:
            if Capture.from_key(key) is None:
                raise StorageError(f"{key!r} is not the key of a capture: it is not deleted")
            stream, day, name = key.split("/")
            directories.setdefault((stream, day), []).append(name)
        kept: dict[str, str] = {}
        for (stream, day), names in directories.items():
            refused = self._delete_in(stream, day, names)
            kept |= {f"{stream}/{day}/{name}": why for name, why in refused.items()}
        return kept

    def tidy(self) -> None:
        """Remove what killed runs left half written, and directories with nothing in them.

        What cannot be removed stays: it is in nobody's way.
        """
        with suppress(StorageError, OSError):
            durable.sweep(self._root)
            for stream, days in self._tree():
                for day in days:
                    self._tidy_day(stream, day)
                _remove_if_empty(self._root / stream)

    def _delete_in(self, stream: str, day: str, names: Sequence[str]) -> dict[str, str]:
        """Delete `names` durably, and return those that could not be, with the reason."""
        place = self._root / stream / day
        kept: dict[str, str] = {}
        try:
            with ExitStack() as closing:
                directory = self._open(closing, stream, day)
                for name in names:
                    if why := _unlink(directory, name):
                        kept[name] = f"{place / name}: {why}"
            durable.sync_directory(place)
        except FileNotFoundError:
            return {}
        except OSError as error:
            if error.errno not in _OF_ONE:
                raise _unusable(place, error) from error
            return dict.fromkeys(names, f"{place}: {error.strerror}")
        return kept

    def _open(self, closing: ExitStack, *names: str) -> int:
        """A descriptor of the directory that is found by `names` from the root on."""
        place = os.open(self._root, _DIRECTORY)
        closing.callback(os.close, place)
        for name in names:
            place = os.open(name, _DIRECTORY, dir_fd=place)
            closing.callback(os.close, place)
        return place

    def _tidy_day(self, stream: str, day: str) -> None:
        names = self._names(stream, day)
        if any(name.startswith(".") for name in names):
            durable.sweep(self._root / stream / day)
        if all(name.startswith(".") for name in names):
            _remove_if_empty(self._root / stream / day)

    def _tree(self) -> Iterator[tuple[str, list[str]]]:
        """The names of the streams' directories, and of those of their days."""
        for stream in self._directories("", STREAM_NAME):
            yield stream, self._directories(stream, _DAY)

    def _directories(self, parent: str, pattern: re.Pattern[str]) -> list[str]:
        """Those in `parent` with our kind of name that are no links."""
        place = self._root / parent
        try:
            with os.scandir(place) as entries:
                return sorted(
                    one.name
                    for one in entries
                    if pattern.fullmatch(one.name) and one.is_dir(follow_symlinks=False)
                )
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unusable(place, error) from error

    def _names(self, stream: str, day: str) -> list[str]:
        place = self._root / stream / day
        try:
            return sorted(os.listdir(place))  # noqa: PTH208  # paths would cost a million times
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unusable(place, error) from error


def _unlink(directory: int, name: str) -> str:
    """Why the file `name` in `directory` cannot be deleted; empty if it is gone.

    Raises:
        OSError: no file can be.
    """
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return ""
    except OSError as error:
        if error.errno not in _OF_ONE:
            raise
        return error.strerror or str(error)
    return ""


def _remove_if_empty(directory: Path) -> None:
    with suppress(OSError):  # it is not empty, or not ours
        directory.rmdir()


def _unusable(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path} cannot be used: {error.strerror or error}")
