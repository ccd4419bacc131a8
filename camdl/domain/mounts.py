"""Mount points, as `/etc/fstab` and `/proc/mounts` write them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ESCAPED = re.compile(r"\\([0-7]{3})")


def mount_points(table: str) -> list[PurePosixPath]:
    """The mount points in a table of file systems, in its order; swap has none."""
    return [place for place, _ in _entries(table)]


def not_mounted(path: PurePosixPath, fstab: str, mounts: str) -> PurePosixPath | None:
    """The mount point on the way to `path` that `fstab` has and `mounts` has not, if there is one.

    Of several it is the outermost. What is only mounted when it is looked at, or by hand, is none:
    `noauto` and systemd's automounts.
    """
    mounted = set(mount_points(mounts))
    lacking = [
        place
        for place, options in _entries(fstab)
        if place not in mounted
        and path.is_relative_to(place)
        and not {"noauto", "x-systemd.automount"} & options
    ]
    return min(lacking, key=lambda place: len(place.parts), default=None)


def _entries(table: str) -> Iterator[tuple[PurePosixPath, set[str]]]:
    """Mount point and options of each line."""
    for line in table.splitlines():
        words = line.split()
        if len(words) >= 2 and not words[0].startswith("#") and words[1].startswith("/"):
            options = set(words[3].split(",")) if len(words) > 3 else set()
            yield PurePosixPath(_unescaped(words[1])), options


def _unescaped(word: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), word)
