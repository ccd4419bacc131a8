"""A disk whose power can fail, with a file system that syncs nothing by itself for minutes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Self

_SIZE = 48 * 1024 * 1024
# The journal is written out when somebody asks for it, or after this many seconds.
_COMMIT = 300


def lacking() -> str:
    """Why there can be no such disk here; empty if there can."""
    if os.geteuid() != 0:
        return "only root mounts file systems"
    if not Path("/dev/loop-control").exists():
        return "this machine has no loop devices"
    return "" if shutil.which("mkfs.ext4") else "mkfs.ext4 is lacking: apt-get install e2fsprogs"


class Disk:
    """An ext4 file system in a file below `scratch`, mounted at `place` as long as the `with`."""

    def __init__(self, place: Path, scratch: Path) -> None:
        self._place = place
        self._image = scratch / "disk"
        self._copy = scratch / "copy"

    def __enter__(self) -> Self:
        with self._image.open("wb") as file:
            file.truncate(_SIZE)
        _run("mkfs.ext4", "-q", "-F", self._image)
        self._place.mkdir(parents=True, exist_ok=True)
        self._mount()
        return self

    def __exit__(self, *_: object) -> None:
        self._unmount()

    def sync(self) -> None:
        """Make durable what is there already."""
        _run("sync", "-f", self._place)

    def keep(self) -> None:
        """Remember what of the disk has reached it by now."""
        _run("cp", "--sparse=always", self._image, self._copy)

    def power_fails(self) -> None:
        """Have nothing on the disk but what was there at the last `keep`."""
        # Unmounting writes out what a power failure would have taken away, into another file.
        self._unmount()
        shutil.copy(self._copy, self._image)
        self._mount()

    def _mount(self) -> None:
        _run("mount", "-t", "ext4", "-o", f"loop,commit={_COMMIT}", self._image, self._place)

    def _unmount(self) -> None:
        _run("umount", self._place)


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]} failed, as root it would not: {done.stderr}"
