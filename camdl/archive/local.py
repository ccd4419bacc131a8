"""Images as files below a directory. A marker in its root tells it from an empty mount point."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING

from camdl import durable
from camdl.domain.captures import STREAM_NAME, Capture
from camdl.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from camdl.domain.outcomes import ValidImage

MARKER = ".camdl-archive"

_MARK = b"camdl keeps its images below this directory, and tells it by this file from any other.\n"
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class LocalArchive:
    """Implements `camdl.ports.Archive` below the directory `root`, which is made when need be."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._taken_over: set[Path] = set()
        self._taking_over = Lock()

    def begin(self, *, holds_captures: bool) -> None:
        """Get ready to store. `holds_captures` says that the catalogue knows of images in here.

        Raises:
            StorageError: the images that should be here are on a disk that is not mounted, or the
                directory cannot be used.
        """
        marker = self._root / MARKER
        try:
            if marker.is_file():
                return
            if holds_captures and not self.has_images():
                raise self._not_mounted()
            durable.make_directory(self._root)
            with suppress(PermissionError):  # then it is not ours that a killed run has made
                durable.sync_directory(self._root.parent)
            durable.sweep(self._root, MARKER)
            durable.replace(marker, _MARK)
        except OSError as error:
            raise _unusable(self._root, error) from error

    def standing(self, *, holds_captures: bool) -> str:
        """What is to be said of the archive, in one line; empty if there is none yet.

        Raises:
            StorageError: nothing can be stored in it: it is not mounted, or read-only, or cannot be
                entered.
        """
        try:
            if not (self._root / MARKER).is_file():
                if not holds_captures:
                    return ""
                if not self.has_images():
                    raise self._not_mounted()
            if os.statvfs(self._root).f_flag & os.ST_RDONLY:
                raise StorageError(
                    f"the file system of {self._root} is mounted read-only",
                    advice="Look in the system's log for why, then mount it for writing.",
                )
        except OSError as error:
            raise _unusable(self._root, error) from error
        return f"the archive is at {self._root}"

    def has_images(self) -> bool:
        """Whether any file in here has the name of a capture.

        Raises:
            StorageError: none was found, and not everything could be looked at.
        """
        faults: list[StorageError] = []

        def inside(directory: Path) -> list[Path]:
            try:
                return list(directory.iterdir())
            except (FileNotFoundError, NotADirectoryError):
                return []
            except OSError as error:
                faults.append(_unusable(directory, error))
                return []

        streams = (path for path in inside(self._root) if STREAM_NAME.fullmatch(path.name))
        days = (path for stream in streams for path in inside(stream) if _DAY.fullmatch(path.name))
        files = (path.relative_to(self._root).as_posix() for day in days for path in inside(day))
        if any(map(Capture.from_key, files)):
            return True
        if faults:
            raise faults[0]
        return False

    def put(self, capture: Capture, image: ValidImage) -> str:
        """Store `image` whole and durably, and return its key.

        What is there under its name is replaced: only what was found to be broken is stored anew.

        Raises:
            StorageError: it could not be stored; under its name is what was there, or all of it.
        """
        path = self._root / capture.key
        try:
            durable.make_directory(path.parent)
            self._take_over(path.parent)
            durable.replace(path, image.data)
        except OSError as error:
            raise _unusable(path, error) from error
        return capture.key

    def read(self, capture: Capture) -> bytes | None:
        """The stored bytes, which no power failure takes away any more, or None if there are none.

        Raises:
            StorageError: they are there and cannot be read.
        """
        path = self._root / capture.key
        try:
            data = path.read_bytes()
            self._take_over(path.parent)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unusable(path, error) from error
        return data

    def _not_mounted(self) -> StorageError:
        return StorageError(
            f"{self._root} has neither camdl's marker nor any image, though the catalogue "
            "knows of images in it",
            advice="Mount the archive's disk, or correct download_dir. If the images are gone for "
            f"good, make an empty file {self._root / MARKER} to go on without them.",
        )

    def _take_over(self, directory: Path) -> None:
        """Finish, once in each directory, what a killed run began there.

        The names that it gave may not be durable, and it left its temporary files. Its images are
        pending, so the next run comes by.
        """
        with self._taking_over:
            if directory not in self._taken_over:
                for one in (directory, directory.parent, self._root):
                    durable.sync_directory(one)
                durable.sweep(directory)
                self._taken_over.add(directory)


def _unusable(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path} cannot be used: {error.strerror or error}")
