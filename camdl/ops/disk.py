"""How full a file system is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from camdl.domain.health import DiskUsage
from camdl.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path


def usage(path: Path) -> DiskUsage:
    """Of the file system that holds `path`, or would hold it: that of its nearest ancestor.

    Raises:
        StorageError: the system does not tell.
    """
    found = _statvfs(path)
    return DiskUsage(
        # As df counts: what only root may still use counts as used up.
        percent=_percent(found.f_blocks - found.f_bfree, found.f_bavail),
        free_bytes=found.f_bavail * found.f_frsize,
        inodes_percent=_percent(found.f_files - found.f_ffree, found.f_favail),
    )


def _statvfs(path: Path) -> os.statvfs_result:
    place = path.absolute()
    while True:
        try:
            return os.statvfs(place)
        except (FileNotFoundError, NotADirectoryError):
            place = place.parent  # the root is always there
        except OSError as error:
            raise StorageError(
                f"the disk usage of {path} cannot be told: {error.strerror}",
                advice="Check that this user may enter the directory, and that it is mounted.",
            ) from error


def _percent(used: int, available: int) -> float:
    """Zero where there is nothing to use up: some file systems count no inodes."""
    return 100 * used / (used + available) if used + available else 0.0
