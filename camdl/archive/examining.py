"""Whether the archive's directory is the archive, and not what is there when it is not mounted."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from camdl.archive.local import MARKER, LocalArchive
from camdl.domain.examination import bad, fine, note
from camdl.domain.mounts import mount_points, not_mounted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from camdl.domain.examination import Finding

FSTAB, MOUNTS = Path("/etc/fstab"), Path("/proc/self/mounts")


def examine(
    root: Path,
    holds_captures: Callable[[], bool],
    *,
    fstab: Path = FSTAB,
    mounts: Path = MOUNTS,
) -> Iterator[Finding]:
    """Look at the directory `root`; `holds_captures` says that the catalogue knows of images in it.

    Raises:
        StorageError: it cannot be looked at.
    """
    if missing := not_mounted(PurePosixPath(root.absolute()), _read(fstab), _read(mounts)):
        yield bad(f"{missing} is in {fstab}, and is not mounted", f"As root: mount {missing}")
        return
    if root.is_symlink():
        where = root.readlink()
        yield note(
            f"{root} is a symbolic link, through which camdl cleanup deletes nothing",
            f'Set in the configuration: download_dir = "{where}"',
        )
    if (root / MARKER).is_file():
        yield fine(f"{root} is the archive, on the file system of {_file_system(root, mounts)}")
    elif LocalArchive(root).has_images():
        yield note(f"{root} has images, and no marker {MARKER} yet", "camdl download makes it")
    elif holds_captures():
        yield bad(
            f"{root} has neither camdl's marker nor any image, though the catalogue knows of some",
            f"Mount the archive's disk, or correct download_dir; see: findmnt --target {root}",
        )
    else:
        yield fine(f"{root}: nothing is archived yet")


def _file_system(root: Path, mounts: Path) -> PurePosixPath:
    """The mount point of the file system that `root` is on."""
    there = root.resolve()
    ours = (one for one in mount_points(_read(mounts)) if there.is_relative_to(one))
    return max(ours, key=lambda one: len(one.parts), default=PurePosixPath("/"))


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8", "surrogateescape")
    except OSError:  # no such thing on this system
        return ""
