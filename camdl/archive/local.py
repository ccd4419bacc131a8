"""Images as files below a directory. A marker in its root tells it from an empty mount point."""

from __future__ import annotations

from typing import TYPE_CHECKING

from camdl import durable
from camdl.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from camdl.domain.captures import Capture
    from camdl.domain.outcomes import ValidImage

MARKER = ".camdl-archive"

_MARK = b"camdl keeps its images below this directory, and tells it by this file from any other.\n"


class LocalArchive:
    """Implements `camdl.ports.Archive` below the directory `root`, which is made when need be."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._swept: set[Path] = set()

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
                raise StorageError(
                    f"{self._root} has neither camdl's marker nor any image, though the catalogue "
                    "knows of images in it",
                    advice="Mount the archive's disk, or correct download_dir. If the images are "
                    f"gone for good, make an empty file {marker} to go on without them.",
                )
            durable.make_directory(self._root)
            durable.replace(marker, _MARK)
        except OSError as error:
            raise _unusable(self._root, error) from error

    def has_images(self) -> bool:
        """Whether any file in here has the name of a capture.

        Raises:
            StorageError: that cannot be told.
        """
        try:
            return any(self._root.glob("*/????-??-??/*Z_*.jpg"))
        except OSError as error:
            raise _unusable(self._root, error) from error

    def put(self, capture: Capture, image: ValidImage) -> str:
        """Store `image` whole and durably, and return its key.

        What is there under its name is replaced: only what was found to be broken is stored anew.

        Raises:
            StorageError: it could not be stored; what was there is as it was.
        """
        path = self._root / capture.key
        try:
            durable.make_directory(path.parent)
            self._sweep(path.parent)
            durable.replace(path, image.data)
        except OSError as error:
            raise _unusable(path, error) from error
        return capture.key

    def read(self, capture: Capture) -> bytes | None:
        """The stored bytes, or None if there are none.

        Raises:
            StorageError: they are there and cannot be read.
        """
        path = self._root / capture.key
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unusable(path, error) from error

    def _sweep(self, directory: Path) -> None:
        """Once in each directory: a killed run's images are pending, so the next comes by here."""
        if directory not in self._swept:
            self._swept.add(directory)
            durable.sweep(directory)


def _unusable(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path} cannot be used: {error.strerror or error}")
