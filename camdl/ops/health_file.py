"""The health file, and what else is told with it: replaced as a whole, so that nobody ever reads
half of it; and removed where it cannot be, as what it says may not be so any more.
"""

from __future__ import annotations

import errno
import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from camdl import durable
from camdl.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
# Who is just reading a removed file keeps its room. It is waited for, for so long at most.
_READING_SECONDS = 1.0
_POLL_SECONDS = 0.01


def write(
    path: Path,
    content: Mapping[str, object] | str,
    name: str = "health file",
    mode: int | None = None,
) -> None:
    """Replace `path` with `content` (JSON if it is no text), durably. Directories are made.

    On a disk that has no room for two of it, nothing is there for a moment. `name` is what an
    error calls it, and `mode` what others may do with it, if that is not left to the umask.

    Raises:
        StorageError: it could not be written. Nothing is there, unless that cannot be removed.
    """
    try:
        durable.make_directory(path.parent)
        durable.sweep(path.parent, path.name)
        try:
            durable.replace(path, _data(content), mode)
        except OSError as error:
            if error.errno not in _NO_ROOM or not path.is_file():
                raise
            _write_in_its_room(path, content, mode)
    except OSError as error:
        _remove(path)
        raise StorageError(f"the {name} {path} cannot be written: {error.strerror}") from error


def _write_in_its_room(path: Path, content: Mapping[str, object] | str, mode: int | None) -> None:
    """Put `content` where only what is there takes the room, blocks and inode, for it.

    Written over, it would be half of the one and half of the other to who reads it meanwhile.
    """
    size = path.stat().st_size
    path.unlink()
    # All of the room, so that it is there for the next one too.
    data = _data(content, is_short=True).ljust(size)
    until = time.monotonic() + _READING_SECONDS
    while True:
        try:
            return durable.replace(path, data, mode)
        except OSError as error:
            if error.errno not in _NO_ROOM or time.monotonic() > until:
                raise
        time.sleep(_POLL_SECONDS)


def _remove(path: Path) -> None:
    """Take away what may say healthy of what is not: no verdict is better than a wrong one."""
    with suppress(OSError):
        path.unlink()
        durable.sync_directory(path.parent)


def _data(content: Mapping[str, object] | str, *, is_short: bool = False) -> bytes:
    """`content` as bytes; short is without what only people need, a third less for JSON."""
    if not isinstance(content, str):
        layout = {"separators": (",", ":")} if is_short else {"indent": 2}
        content = json.dumps(content, ensure_ascii=False, **layout) + "\n"
    return content.encode("utf-8", "backslashreplace")
