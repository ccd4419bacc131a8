"""systemd's journal: whether our output goes there, and entries with fields for it.

Only the entries of its native protocol have fields; what is printed becomes an entry a line.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SOCKET = "/run/systemd/journal/socket"

# A journal that takes nothing must not keep a run from ending.
_SECONDS = 2.0


def is_behind(descriptor: int, environ: Mapping[str, str]) -> bool:
    """Whether what is written to `descriptor` goes to the journal: systemd says which stream does.

    The variable alone tells nothing, since children of a service inherit it.
    """
    with suppress(OSError, ValueError):
        device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
        found = os.fstat(descriptor)
        return (found.st_dev, found.st_ino) == (int(device), int(inode))
    return False


def entry(fields: Iterable[tuple[str, str]]) -> bytes:
    """An entry as the native protocol has it. A name may come more than once."""
    return b"".join(_field(name.encode(), _bytes(value)) for name, value in fields)


class Journal:
    """A connection to the journal.

    Raises:
        OSError: there is no journal that takes entries.
    """

    def __init__(self) -> None:
        import socket

        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.settimeout(_SECONDS)
            self._socket.connect(SOCKET)
        except OSError:
            self._socket.close()
            raise

    def send(self, fields: Iterable[tuple[str, str]]) -> None:
        """Have the journal take an entry.

        Raises:
            OSError: it does not.
        """
        self._socket.send(entry(fields))

    def close(self) -> None:
        """Let go of it."""
        self._socket.close()


def _field(name: bytes, value: bytes) -> bytes:
    if b"\n" in value:
        return b"%s\n%s%s\n" % (name, struct.pack("<Q", len(value)), value)
    return b"%s=%s\n" % (name, value)


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "backslashreplace")
